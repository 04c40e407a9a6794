"""What C2B says of a payment: the validation request and the confirmation."""

import hashlib
from typing import Any

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.faults import Faults
from appliance.sandbox.daraja.ledger import Paid
from appliance.sandbox.daraja.urls import Registered


def notice(
    merchant: Merchant, paid: Paid, urls: Registered, faults: Faults, version: str
) -> dict[str, Any]:
    """Return a validation request; a confirmation has the balance besides."""
    return {
        "TransactionType": _type(merchant, faults.till_words),
        "TransID": paid.receipt,
        "TransTime": names.stamp(paid.at),
        "TransAmount": f"{paid.amount}.00",
        "BusinessShortCode": _number(merchant, urls, faults.till_named),
        "BillRefNumber": paid.account if merchant.type == "paybill" else "",
        "InvoiceNumber": "",
        "OrgAccountBalance": "",
        "ThirdPartyTransID": "",
        "MSISDN": masked(paid.phone) if version == "v2" else hashed(paid.phone),
        **_names(paid.phone, faults.c2b_names),
    }


def masked(phone: str) -> str:
    """Return `2547 ***** 126`, as v2 names a payer."""
    return f"{phone[:4]} ***** {phone[-3:]}"


def hashed(phone: str) -> str:
    """Return the SHA-256 in hex, as v1 names a payer."""
    return hashlib.sha256(phone.encode()).hexdigest()


def _type(merchant: Merchant, words: str) -> str:
    if merchant.type == "paybill":
        return "Pay Bill"
    return "Buy Goods" if words == "portal" else "Customer Merchant Payment"


def _number(merchant: Merchant, urls: Registered, named: str) -> str:
    if named == "registered":
        return urls.number
    return merchant.pays_to if named == "till" else merchant.short_code


def _names(phone: str, which: str) -> dict[str, str | None]:
    first: dict[str, str | None] = {"FirstName": names.first_name(phone)}
    match which:
        case "full":
            return first | {"MiddleName": "NJERI", "LastName": "OTIENO"}
        case "null":
            return first | {"MiddleName": None, "LastName": None}
        case "absent":
            return first
        case _:
            return first | {"MiddleName": "", "LastName": ""}
