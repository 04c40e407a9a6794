"""Reversal: an order to give one payment back, and the result that comes later by itself."""

from appliance.domain.paybills import Paybill
from appliance.domain.reversals import Result
from appliance.mpesa import status, values

_BY_ITS_SHORT_CODE = "11"


def order(
    paybill: Paybill, receipt: str, amount: int, result_url: str, timeout_url: str
) -> dict[str, str]:
    """Return the body that orders a payment back; a till orders as its store."""
    info, credentials = paybill.paybill_info, paybill.credentials
    return {
        "Initiator": credentials.initiator_name or "",
        "SecurityCredential": credentials.security_credential or "",
        "CommandID": "TransactionReversal",
        "TransactionID": receipt,
        "Amount": str(amount),
        "ReceiverParty": info.store_number or info.number,
        "RecieverIdentifierType": _BY_ITS_SHORT_CODE,  # Safaricom's spelling
        "ResultURL": result_url,
        "QueueTimeOutURL": timeout_url,
        "Remarks": "Payment reversal",
    }


def result(body: str) -> tuple[Result, dict[str, object]]:
    """Return what a result says, and its known parts for the log. Raises `Invalid`."""
    code, items, payload = status.parts(body)
    return Result(code=code, original=values.receipt(items.get("OriginalTransactionID"))), payload
