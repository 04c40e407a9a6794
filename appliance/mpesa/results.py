"""What Safaricom's result codes mean for the money and for the customer.

Codes are text. One payment's callback and query may word the same code differently, so only the
code counts. Source: Daraja's portal and recorded answers.
"""

from appliance.domain.evidence import Verdict

_REASONS = {
    "1": "insufficient_balance",
    "2": "amount_limits",
    "3": "amount_limits",
    "4": "daily_limit",
    "8": "merchant_full",
    "17": "same_amount_wait",
    "26": "mpesa_busy",
    "1001": "prompt_open",
    "1019": "expired",
    "1025": "prompt_failed",
    "9999": "prompt_failed",
    "1101": "prompt_failed",
    "1102": "prompt_failed",
    "1031": "cancelled",
    "1032": "cancelled",
    "1036": "no_answer",
    "1037": "no_answer",
    "2001": "wrong_pin",
    "2006": "merchant_config",
    "2007": "merchant_config",
    "2028": "merchant_config",
    "SFC_IC0003": "merchant_config",
    "2029": "not_completed",
    "2040": "not_mpesa_number",
    "8006": "pin_locked",
    "E3008": "not_completed",
}
_IN_FLIGHT = "4999"
_CANCELLED = frozenset({"1031", "1032"})
# Seen in a query seconds after the push of a payment that then succeeded.
_FALSE_IN_A_QUERY = frozenset({"2029"})


def of_callback(code: str) -> tuple[Verdict, str]:
    """Return what a callback's code means; a callback is final, even with a code nobody knows."""
    if code == _IN_FLIGHT:
        return Verdict.UNDECIDED, "checking"
    if code == "0":
        return Verdict.PAID, "paid"
    verdict = Verdict.CANCELLED if code in _CANCELLED else Verdict.FAILED
    return verdict, _REASONS.get(code, "not_completed")


def of_query(code: str) -> tuple[Verdict, str]:
    """Return what a query's code means; one that we do not know proves nothing."""
    if code == "0" or (code in _REASONS and code not in _FALSE_IN_A_QUERY):
        return of_callback(code)
    return Verdict.UNDECIDED, "checking"
