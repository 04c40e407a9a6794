"""Lipa na M-PESA: what a customer pays from the phone's own menu."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.sandbox.daraja import names, results
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.c2b import C2b
from appliance.sandbox.daraja.errands import Errands
from appliance.sandbox.daraja.faults import Menu
from appliance.sandbox.daraja.fields import MOST, is_phone, words_up_to
from appliance.sandbox.daraja.ledger import Paid
from appliance.sandbox.daraja.money import Money
from appliance.sandbox.daraja.phone import WRONG_PIN

_is_account = words_up_to(20)


class NotPaid(ValueError):
    """Nothing was paid; the text tells the customer why."""


class Declined(NotPaid):
    """The merchant, asked beforehand, would not have it."""


@dataclass(frozen=True, slots=True)
class LipaNaMpesa:
    """Pays bills and buys goods for every phone."""

    merchants: Sequence[Merchant]
    menu: Menu
    money: Money
    c2b: C2b
    errands: Errands

    async def pay(self, phone: str, business: str, amount: int, account: str = "") -> Paid:
        """Pay, and have the merchant told; raise `NotPaid` when no money moved.

        An account makes it Pay Bill, none makes it Buy Goods.
        """
        if not is_phone(phone):
            raise NotPaid("Type your phone number, like 0712 345 678.")
        merchant = self._merchant(business, account)
        if not 1 <= amount <= MOST:
            raise NotPaid(f"Pay between Ksh1 and Ksh{MOST:,}, in whole shillings.")
        faults = self.menu.of(phone)
        if faults.result not in {None, results.PAID}:
            raise NotPaid(results.in_a_query(str(faults.result))[1])
        if self.money.balance(phone) < amount:
            raise NotPaid("There is not enough money in this M-PESA account.")
        paid = _payment(merchant, phone, amount, account)
        if self.c2b.asks(merchant) and not await self.c2b.allows(merchant, paid):
            raise Declined(self.money.ledger.messages[-1].text)
        self.money.take(merchant, paid)
        self.errands.start(self.c2b.confirm(merchant, paid, faults))
        return paid

    def _merchant(self, business: str, account: str) -> Merchant:
        found = [merchant for merchant in self.merchants if merchant.pays_to == business]
        if not found:
            raise NotPaid(f"There is no business with the number {business or '(none)'}.")
        if found[0].type == "till" and account:
            raise NotPaid(f"{business} is a till: choose Buy Goods.")
        if found[0].type == "paybill" and not _is_account(account):
            raise NotPaid("Type the account number, up to 20 characters.")
        return found[0]


def typed_phone(typed: str) -> str:
    """Return `0712 345 678` and its like as `254712345678`; anything else as it is."""
    digits = re.sub(r"[\s+-]", "", typed)
    return f"254{digits[-9:]}" if re.fullmatch(r"0?[17][0-9]{8}", digits, re.ASCII) else digits


def typed_amount(typed: str) -> int:
    """Return whole shillings; 0 for what is none."""
    return int(typed) if re.fullmatch(r"[0-9]{1,9}", typed.strip(), re.ASCII) else 0


def check_pin(pin: str) -> None:
    """Raise `NotPaid` for a PIN that pays nothing."""
    if not re.fullmatch("[0-9]{4}", pin, re.ASCII):
        raise NotPaid("The PIN has 4 digits.")
    if pin == WRONG_PIN:
        raise NotPaid("That is the wrong M-PESA PIN.")


def _payment(merchant: Merchant, phone: str, amount: int, account: str) -> Paid:
    at = names.now()
    return Paid(
        phone=phone,
        receipt=names.receipt(at),
        amount=amount,
        account=account,
        short_code=merchant.short_code,
        checkout_request_id=None,
        at=at,
    )
