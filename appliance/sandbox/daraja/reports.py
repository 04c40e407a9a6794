"""What is sent to a ResultURL."""

from dataclasses import dataclass, field
from typing import Any

from appliance.sandbox.daraja import names, results
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.ledger import Paid, Reversed

Report = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A status request or a reversal that passed every check."""

    merchant: Merchant
    initiator: str
    receipt: str
    amount: int
    """0 when only the status is asked for."""
    result_url: str = field(repr=False)
    timeout_url: str = field(repr=False)
    occasion: str
    originator: str
    conversation: str

    @property
    def ids(self) -> dict[str, str]:
        """Return both names as every message carries them."""
        return {"OriginatorConversationID": self.originator, "ConversationID": self.conversation}


def found(asked: Asked, paid: Paid, items: str) -> Report:
    """Return the answer about a payment."""
    at = names.stamp(paid.at)
    listed = [
        _item("DebitPartyName", f"{paid.phone} - {names.first_name(paid.phone)}"),
        _item("TransactionReason"),
        _item("TransactionStatus", "Completed"),
        _item("InitiatedTime", at),
        _item("FinalisedTime", at),
        _item("Amount", str(paid.amount)),
        _item("ReceiptNo", paid.receipt),
    ]
    if items == "credited":
        merchant = asked.merchant
        listed.insert(1, _item("CreditPartyName", f"{merchant.pays_to} - {merchant.name}"))
    return _succeeded(asked, names.receipt(names.now()), listed, items)


def reversed_(asked: Asked, back: Reversed, left: int, items: str) -> Report:
    """Return the news that a payment went back; `left` is what the merchant has now."""
    merchant = asked.merchant
    listed = [
        _item("DebitAccountBalance", f"Utility Account|KES|{left}.00|{left}.00|0.00|0.00"),
        _item("Amount", str(back.amount)),
        _item("TransCompletedTime", names.stamp(back.at)),
        _item("OriginalTransactionID", back.original),
        _item("Charge", "0"),
        _item("CreditPartyPublicName", f"{back.phone} - {names.first_name(back.phone)}"),
        _item("DebitPartyPublicName", f"{merchant.short_code} - {merchant.name}"),
    ]
    return _succeeded(asked, back.receipt, listed, items)


def failed(asked: Asked, code: str) -> Report:
    """Return the news that nothing was done."""
    shown, words = results.in_a_callback(code)
    result = _head(asked, shown, words, names.receipt(names.now()))
    reference = {"ReferenceItem": _item("QueueTimeoutURL", asked.timeout_url)}
    return {"Result": result | {"ReferenceData": reference}}


def _succeeded(asked: Asked, receipt: str, listed: list[dict[str, str]], items: str) -> Report:
    parameters: object = listed
    reference: object = _item("Occasion", asked.occasion)
    if items == "object":
        parameters = listed[-1]
    elif items == "repeated":
        parameters = [*listed, _item("Amount"), _item("ReceiptNo", receipt)]
        reference = [reference, _item("QueueTimeoutURL", asked.timeout_url)]
    result = _head(asked, *results.in_a_callback(results.PAID), receipt)
    result["ResultParameters"] = {"ResultParameter": parameters}
    return {"Result": result | {"ReferenceData": {"ReferenceItem": reference}}}


def _head(asked: Asked, code: int | str, words: str, transaction: str) -> Report:
    return {
        "ResultType": 0,
        "ResultCode": code,
        "ResultDesc": words,
        **asked.ids,
        "TransactionID": transaction,
    }


def _item(key: str, value: str = "") -> dict[str, str]:
    return {"Key": key, "Value": value} if value else {"Key": key}
