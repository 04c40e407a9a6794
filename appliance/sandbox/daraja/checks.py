"""What Daraja looks at before it takes a request, in its order and with its words."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.answers import CATCH_ALL, Refusal, invalid
from appliance.sandbox.daraja.fields import (
    Fits,
    is_amount,
    is_phone,
    is_short_code,
    is_url,
    matching,
    text,
    words_up_to,
)
from appliance.sandbox.daraja.names import EAST_AFRICA
from appliance.sandbox.daraja.results import NO_SUCH_PARTY, WRONG_PRODUCT, WRONG_STORE

_PATIENCE = timedelta(minutes=10)
_BUY_GOODS = "CustomerBuyGoodsOnline"
_PAY_BILL = "CustomerPayBillOnline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A push that passed every check."""

    merchant: Merchant
    phone: str = field(repr=False)
    amount: int
    transaction_type: str
    party_b: str
    callback_url: str = field(repr=False)
    account: str
    description: str

    @property
    def misrouted(self) -> str | None:
        """Return the code that ends it because type, short code and PartyB do not fit."""
        till = self.merchant.type == "till"
        if (self.transaction_type == _BUY_GOODS) is not till:
            return WRONG_PRODUCT
        if self.party_b == self.merchant.pays_to:
            return None
        return WRONG_STORE if till else NO_SUCH_PARTY


def push(
    fields: Mapping[str, Any], holder: Merchant, merchants: Sequence[Merchant], now: datetime
) -> Order:
    """Return the order of a push; raise `Refusal` at the first field that is wrong."""
    found = {name: text(fields.get(name)) for name in _RULES}
    for name, (fits, called) in _RULES.items():
        if not fits(found[name]):
            without_account = called == _ACCOUNT and fields.get(name) is None
            raise invalid(_REMARKS if without_account else called)
    merchant = signed(fields, holder, merchants, now)
    return Order(
        merchant=merchant,
        phone=found["PhoneNumber"],
        amount=int(found["Amount"]),
        transaction_type=found["TransactionType"],
        party_b=found["PartyB"],
        callback_url=found["CallBackURL"],
        account=found["AccountReference"],
        description=found["TransactionDesc"],
    )


def query(
    fields: Mapping[str, Any], holder: Merchant, merchants: Sequence[Merchant], now: datetime
) -> tuple[Merchant, str]:
    """Return who asks and for which CheckoutRequestID."""
    for name in ("BusinessShortCode", "Password", "Timestamp"):
        if not _RULES[name][0](text(fields.get(name))):
            raise invalid(name)
    checkout = fields.get("CheckoutRequestID")
    if not isinstance(checkout, str) or not checkout.strip():
        raise invalid("CheckoutRequestID")
    return signed(fields, holder, merchants, now), checkout


def signed(
    fields: Mapping[str, Any], holder: Merchant, merchants: Sequence[Merchant], now: datetime
) -> Merchant:
    """Return the merchant whose passkey made the Password, just now, with its own app's token."""
    short_code, timestamp = text(fields["BusinessShortCode"]), text(fields["Timestamp"])
    if not _is_recent(timestamp, now):
        raise invalid("Timestamp")
    mine = [merchant for merchant in merchants if merchant.short_code == short_code]
    if not mine:
        raise Refusal(500, CATCH_ALL, "Merchant does not exist")
    if mine[0] != holder:
        raise Refusal(404, "404.001.03", "Invalid Access Token")
    secret = f"{short_code}{holder.passkey}{timestamp}"
    if text(fields["Password"]) != base64.b64encode(secret.encode()).decode():
        raise Refusal(500, CATCH_ALL, "[MerchantValidate] - Wrong credentials")
    return holder


def _is_recent(timestamp: str, now: datetime) -> bool:
    try:
        said = datetime.strptime(timestamp, "%Y%m%d%H%M%S").replace(tzinfo=EAST_AFRICA)
    except ValueError:
        return False
    return abs(said - now) <= _PATIENCE


_ACCOUNT, _REMARKS = "AccountReference", "Remarks"
# Each field, what fits, and what Daraja calls it when it does not.
_RULES: Mapping[str, tuple[Fits, str]] = {
    "BusinessShortCode": (is_short_code, "BusinessShortCode"),
    "Password": (matching(r"[A-Za-z0-9+/]+=*"), "Password"),
    "Timestamp": (matching(r"[0-9]{14}"), "Timestamp"),
    "TransactionType": (matching(f"{_PAY_BILL}|{_BUY_GOODS}"), "TransactionType"),
    "Amount": (is_amount, "Amount"),
    "PartyA": (is_phone, "PartyA"),
    "PartyB": (is_short_code, "PartyB"),
    "PhoneNumber": (is_phone, "PhoneNumber"),
    "CallBackURL": (is_url, "CallBackURL"),
    "AccountReference": (words_up_to(12), _ACCOUNT),
    "TransactionDesc": (words_up_to(13), _REMARKS),
}
