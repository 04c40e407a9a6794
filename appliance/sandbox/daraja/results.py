"""What Safaricom's result codes are called; a callback and a query may word one differently."""

CANCELLED, NO_ANSWER, WRONG_PIN, NO_FUNDS, PAID = "1032", "1037", "2001", "1", "0"
IN_FLIGHT = "4999"
DECLINED = "2007"
"""The merchant's own validation said no."""
BAD_INITIATOR, NOT_ALLOWED, BUSY = "2001", "21", "26"
ALREADY_REVERSED, NO_SUCH_RECEIPT = "R000001", "R000002"
WRONG_PRODUCT, NO_SUCH_PARTY, WRONG_STORE = "2028", "SFC_IC0003", "2029"

_WORDS = {
    PAID: "The service request is processed successfully.",
    NO_FUNDS: "The balance is insufficient for the transaction.",
    "2": "Declined due to limit rule: less than the minimum transaction amount.",
    "3": "Declined due to limit rule: greater than the maximum transaction amount.",
    "4": "Declined due to limit rule: would exceed daily transfer limit.",
    "8": "Declined due to limit rule: would exceed the maximum balance.",
    "11": "The DebitParty is in an invalid state.",
    "17": "Rule limited.",
    NOT_ALLOWED: "The initiator is not allowed to initiate this request.",
    BUSY: "System busy. The service request is rejected.",
    "1001": "Unable to lock subscriber, a transaction is already in process for the current "
    "subscriber.",
    "1019": "Transaction has expired.",
    "1025": "An error occurred while sending a push request.",
    "1031": "Request cancelled by user.",
    CANCELLED: "Request cancelled by user",
    "1036": "SMSC ACK timeout.",
    NO_ANSWER: "No response from user.",
    WRONG_PIN: "The initiator information is invalid.",
    "2006": "The request is declined due to account rule.",
    DECLINED: "The request is declined due to external validation.",
    WRONG_PRODUCT: "The request is not permitted according to product assignment.",
    WRONG_STORE: "Agent number and Store number entered do not match.",
    "2040": "The customer type is not supported.",
    IN_FLIGHT: "The transaction is still under processing",
    "8006": "The security credential is locked.",
    "9999": "An error occurred while sending a push request.",
    "E3008": "The user has a bad debt contract.",
    ALREADY_REVERSED: "The transaction has already been reversed.",
    NO_SUCH_RECEIPT: "The OriginalTransactionID is invalid.",
    NO_SUCH_PARTY: "The operator does not exist.",
}
_WORDS_OF_A_QUERY = {
    CANCELLED: "Request Cancelled by user.",
    NO_ANSWER: "DS timeout user cannot be reached.",
    WRONG_STORE: "Failed due to an unresolved reason type.",
}
_UNKNOWN = "The service request failed."


def in_a_callback(code: str) -> tuple[int | str, str]:
    """Return code and words: there a code of digits is a number."""
    return int(code) if code.isdecimal() else code, _WORDS.get(code, _UNKNOWN)


def in_a_query(code: str) -> tuple[str, str]:
    """Return code and words: there every code is text."""
    return code, _WORDS_OF_A_QUERY.get(code) or _WORDS.get(code, _UNKNOWN)
