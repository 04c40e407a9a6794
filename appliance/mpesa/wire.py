"""Daraja's messages: built and read here and nowhere else."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appliance.domain.errors import Invalid
from appliance.domain.evidence import Evidence, Received, Source, Verdict
from appliance.domain.paybills import Paybill
from appliance.mpesa import results, values

REFERENCE_LENGTH = 12
DESCRIPTION_LENGTH = 13
_C2B_FIELDS = (
    "TransactionType",
    "TransID",
    "TransTime",
    "TransAmount",
    "BusinessShortCode",
    "BillRefNumber",
    "InvoiceNumber",
    "OrgAccountBalance",
    "ThirdPartyTransID",
    "MSISDN",
    "FirstName",
    "MiddleName",
    "LastName",
)


def stk_push(  # noqa: PLR0913 # Daraja's own fields
    paybill: Paybill,
    *,
    phone: str,
    amount: int,
    reference: str,
    description: str,
    callback_url: str,
    now: datetime,
) -> dict[str, str]:
    """Return the body of a push; a till pushes under its store number and pays the till."""
    info = paybill.paybill_info
    till = info.type == "till"
    return _signed(paybill, now) | {
        "TransactionType": "CustomerBuyGoodsOnline" if till else "CustomerPayBillOnline",
        "Amount": str(amount),
        "PartyA": phone,
        "PartyB": info.number,
        "PhoneNumber": phone,
        "CallBackURL": callback_url,
        "AccountReference": reference[:REFERENCE_LENGTH],
        "TransactionDesc": description[:DESCRIPTION_LENGTH],
    }


def stk_query(paybill: Paybill, checkout_request_id: str, now: datetime) -> dict[str, str]:
    """Return the body of a query."""
    return _signed(paybill, now) | {"CheckoutRequestID": checkout_request_id}


def query_evidence(answer: Mapping[str, Any]) -> Evidence:
    """Return what a query's answer says; no `ResultCode` means it says nothing."""
    code = values.code(answer.get("ResultCode"))
    verdict, reason = results.of_query(code or "")
    return Evidence(
        source=Source.STK_QUERY,
        verdict=verdict,
        code=code or "",
        reason=reason,
        checkout_request_id=values.text(answer.get("CheckoutRequestID")),
    )


def callback_evidence(body: str) -> tuple[Evidence, dict[str, object]]:
    """Return what an STK callback says and its payload rebuilt from the parts we know.

    Items are read by name, never by place; every one may be missing. Raises `Invalid`.
    """
    callback = _callback(body)
    code = values.code(callback.get("ResultCode"))
    if code is None:
        raise Invalid("callback_without_result")
    items = _items(callback.get("CallbackMetadata"))
    verdict, reason = results.of_callback(code)
    checkout, amount = (
        values.text(callback.get("CheckoutRequestID")),
        values.amount(items.get("Amount")),
    )
    receipt = values.receipt(items.get("MpesaReceiptNumber"))
    named = (
        callback.get("CheckoutRequestID"),
        items.get("Amount"),
        items.get("MpesaReceiptNumber"),
    )
    garbled = any(
        read is None and given is not None
        for read, given in zip((checkout, amount, receipt), named, strict=True)
    )
    if verdict is Verdict.PAID and garbled:
        # Named, but not as anything we can use: a query finds out, within seconds.
        raise Invalid("callback_garbled")
    evidence = Evidence(
        source=Source.STK_CALLBACK,
        verdict=verdict,
        code=code,
        reason=reason,
        checkout_request_id=checkout,
        merchant_request_id=values.text(callback.get("MerchantRequestID")),
        receipt=receipt,
        amount=amount,
        phone=values.text(items.get("PhoneNumber")),
    )
    return evidence, {"Body": {"stkCallback": _plain(callback)}}


def received(body: str) -> tuple[Received, dict[str, object]]:
    """Return what a C2B message says, and its known parts for the log. Raises `Invalid`.

    Everything but the receipt, the amount and the short code may be missing.
    """
    parsed = values.parsed(body)
    if not isinstance(parsed, dict):
        raise Invalid("callback_malformed")
    receipt, amount = (
        values.receipt(parsed.get("TransID")),
        values.amount(parsed.get("TransAmount")),
    )
    short_code = values.text(parsed.get("BusinessShortCode"))
    if receipt is None or amount is None or short_code is None:
        raise Invalid("callback_without_money")
    money = Received(
        source=Source.C2B,
        receipt=receipt,
        amount=amount,
        short_code=short_code,
        reference=values.text(parsed.get("BillRefNumber")) or "",
        msisdn=values.text(parsed.get("MSISDN")) or "",
        at=values.moment(values.text(parsed.get("TransTime")) or ""),
    )
    return money, {name: values.text(parsed.get(name)) for name in _C2B_FIELDS if name in parsed}


def register_urls(short_code: str, confirmation_url: str, validation_url: str) -> dict[str, str]:
    """Return the body that tells Daraja where C2B messages go.

    `Completed` lets money in while we cannot be asked: it is sorted out afterwards.
    """
    return {
        "ShortCode": short_code,
        "ResponseType": "Completed",
        "ConfirmationURL": confirmation_url,
        "ValidationURL": validation_url,
    }


def pull_query(short_code: str, start: datetime, end: datetime, offset: int) -> dict[str, str]:
    """Return the body that asks for the payments of a time, from a row on."""
    return {
        "ShortCode": short_code,
        "StartDate": f"{start.astimezone(values.EAST_AFRICA):%Y-%m-%d %H:%M:%S}",
        "EndDate": f"{end.astimezone(values.EAST_AFRICA):%Y-%m-%d %H:%M:%S}",
        "OffSetValue": str(offset),
    }


def pulled(answer: Mapping[str, Any], short_code: str) -> tuple[int, list[Received]]:
    """Return how many rows a pull's answer has, and the payments of those that can be read.

    The list is nested twice, or a text that looks like an empty one.
    """
    rows: Any = answer.get("Response")
    while isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], list):
        rows = rows[0]
    if not isinstance(rows, list):
        return 0, []
    found = (_row(row, short_code) for row in rows if isinstance(row, dict))
    return len(rows), [money for money in found if money is not None]


def _row(row: Mapping[str, Any], short_code: str) -> Received | None:
    receipt, amount = values.receipt(row.get("transactionId")), values.amount(row.get("amount"))
    if receipt is None or amount is None:
        return None
    return Received(
        source=Source.PULL,
        receipt=receipt,
        amount=amount,
        short_code=short_code,
        reference=values.text(row.get("billreference")) or "",
        msisdn=values.text(row.get("msisdn")) or "",
        # The zone of `trxDate` is not established, so nothing is decided by it.
        at=None,
    )


def _signed(paybill: Paybill, now: datetime) -> dict[str, str]:
    info = paybill.paybill_info
    short_code = info.store_number or info.number
    timestamp = now.astimezone(values.EAST_AFRICA).strftime("%Y%m%d%H%M%S")
    secret = f"{short_code}{paybill.credentials.pass_key}{timestamp}"
    return {
        "BusinessShortCode": short_code,
        "Password": base64.b64encode(secret.encode()).decode(),
        "Timestamp": timestamp,
    }


def _callback(body: str) -> Mapping[str, Any]:
    try:
        callback = values.parsed(body)["Body"]["stkCallback"]
    except (KeyError, TypeError) as error:
        raise Invalid("callback_malformed") from error
    if not isinstance(callback, dict):
        raise Invalid("callback_malformed")
    return callback


def _items(metadata: object) -> dict[str, object]:
    listed = metadata.get("Item") if isinstance(metadata, dict) else None
    found: dict[str, object] = {}
    for item in listed if isinstance(listed, list) else []:
        name = values.text(item.get("Name")) if isinstance(item, dict) else None
        if name is not None:
            found.setdefault(name, item.get("Value"))
    return found


def _plain(callback: Mapping[str, Any]) -> dict[str, object]:
    """Return the callback from known keys only: what a stranger sends never names our fields."""
    known: dict[str, object] = {
        name: values.text(callback.get(name))
        for name in ("MerchantRequestID", "CheckoutRequestID", "ResultDesc")
        if callback.get(name) is not None
    }
    code = callback["ResultCode"]
    known["ResultCode"] = code if isinstance(code, int) and abs(code) < 2**31 else values.text(code)
    items = _items(callback.get("CallbackMetadata"))
    if items:
        listed = [{"Name": name, "Value": values.text(value)} for name, value in items.items()]
        known["CallbackMetadata"] = {"Item": listed[:20]}
    return {name: value for name, value in known.items() if value is not None}
