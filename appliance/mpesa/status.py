"""Transaction Status: a question about one receipt, and the result that comes later by itself."""

from collections.abc import Mapping
from typing import Any

from appliance.domain.errors import Invalid
from appliance.domain.evidence import StatusResult
from appliance.domain.paybills import Paybill
from appliance.mpesa import values

_NAMED = ("ResultDesc", "OriginatorConversationID", "ConversationID", "TransactionID")
_MOST_ITEMS = 20
_AN_ORGANISATION = "4"


def question(paybill: Paybill, receipt: str, result_url: str, timeout_url: str) -> dict[str, str]:
    """Return the body that asks what became of a receipt; a till asks as its store."""
    info, credentials = paybill.paybill_info, paybill.credentials
    return {
        "Initiator": credentials.initiator_name or "",
        "SecurityCredential": credentials.security_credential or "",
        "CommandID": "TransactionStatusQuery",
        "TransactionID": receipt,
        "PartyA": info.store_number or info.number,
        "IdentifierType": _AN_ORGANISATION,
        "ResultURL": result_url,
        "QueueTimeOutURL": timeout_url,
        "Remarks": "Receipt",
        "Occasion": "Receipt",
    }


def result(body: str) -> tuple[StatusResult, dict[str, object]]:
    """Return what a result says, and its known parts for the log. Raises `Invalid`.

    Parameters come as a list or as one object, in any order and some of them twice; the first
    that has a value counts.
    """
    code, items, payload = parts(body)
    found_out = StatusResult(
        code=code,
        status=values.text(items.get("TransactionStatus")) or "",
        receipt=values.receipt(items.get("ReceiptNo")),
        amount=values.amount(items.get("Amount")),
        payer=_party(items.get("DebitPartyName")),
        payee=_party(items.get("CreditPartyName")),
        at=values.moment(values.text(items.get("FinalisedTime")) or ""),
    )
    return found_out, payload


def parts(body: str) -> tuple[str, dict[str, object], dict[str, object]]:
    """Return a result's code, its parameters, and its known parts for the log; raise `Invalid`."""
    said = values.parsed(body)
    found = said.get("Result") if isinstance(said, dict) else None
    if not isinstance(found, dict):
        raise Invalid("callback_malformed")
    code = values.code(found.get("ResultCode"))
    if code is None:
        raise Invalid("callback_without_result")
    items = _items(found.get("ResultParameters"))
    return code, items, {"Result": _plain(found, code, items)}


def _items(parameters: object) -> dict[str, object]:
    listed = parameters.get("ResultParameter") if isinstance(parameters, dict) else None
    found: dict[str, object] = {}
    for item in listed if isinstance(listed, list) else [listed]:
        name = values.text(item.get("Key")) if isinstance(item, dict) else None
        if isinstance(item, dict) and name is not None and item.get("Value") is not None:
            found.setdefault(name, item["Value"])
    return found


def _party(value: object) -> str:
    """Return the number in front of a party's name, as `254708374149 - John Doe`."""
    number = value.partition(" - ")[0] if isinstance(value, str) else value
    return values.text(number) or ""


def _plain(found: Mapping[str, Any], code: str, items: Mapping[str, object]) -> dict[str, object]:
    """Return the result from known keys only: what a stranger sends never names our fields."""
    known = {name: values.text(found.get(name)) for name in _NAMED}
    listed = [{"Key": name, "Value": values.text(value) or ""} for name, value in items.items()]
    said = {name: value for name, value in known.items() if value is not None}
    return {"ResultCode": code, **said, "ResultParameters": listed[:_MOST_ITEMS]}
