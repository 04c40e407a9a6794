"""M-Pesa Express: from an accepted push to what the merchant hears."""

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, get_args

from appliance.sandbox.daraja import callbacks, names, results
from appliance.sandbox.daraja.answers import CATCH_ALL, Refusal
from appliance.sandbox.daraja.c2b import C2b
from appliance.sandbox.daraja.callbacks import Courier
from appliance.sandbox.daraja.checks import Order
from appliance.sandbox.daraja.errands import Errands
from appliance.sandbox.daraja.faults import Faults, Menu
from appliance.sandbox.daraja.ledger import Paid
from appliance.sandbox.daraja.money import Money
from appliance.sandbox.daraja.phone import WRONG_PIN, Action, Prompt
from appliance.sandbox.daraja.transactions import Outcome, Transaction

_RIGHT_PIN = "1234"
_LOCKED = (
    "Unable to lock subscriber, a transaction is already in process for the current subscriber"
)


class NoSuchPrompt(LookupError):
    """The prompt was never there or is gone."""


class WrongAction(ValueError):
    """A prompt is answered with pay, cancel or ignore."""


class NotAPin(ValueError):
    """A PIN has four digits."""


@dataclass(frozen=True, slots=True)
class Express:
    """Every transaction, and the prompts that ring."""

    menu: Menu
    money: Money
    courier: Courier
    errands: Errands
    c2b: C2b
    autopay: float | None = None
    """Seconds after which every prompt is paid by itself."""
    _transactions: dict[str, Transaction] = field(default_factory=dict, repr=False)
    _ringing: dict[str, Transaction] = field(default_factory=dict, repr=False)
    """By phone: a phone shows one prompt at a time."""

    def prompts(self) -> list[Prompt]:
        """Return what rings now, oldest first."""
        return [transaction.prompt for transaction in self._ringing.values()]

    def find(self, checkout_request_id: str) -> Transaction | None:
        """Return the transaction of this name."""
        return self._transactions.get(checkout_request_id)

    async def accept(self, order: Order, faults: Faults) -> Transaction:
        """Let the phone ring, or end at once what no phone can pay.

        Raises `Refusal` while the phone is busy with another prompt.
        """
        if order.phone in self._ringing:
            raise locked()
        transaction = self._opened(order)
        if order.misrouted is not None:
            self.errands.start(self._ended(transaction, order.misrouted, faults))
        elif faults.callback == "before_answer":
            await self._ended(transaction, self._code(transaction, "pay", _RIGHT_PIN), faults)
        else:
            self._ring(transaction, faults)
        return transaction

    def answer(self, prompt_id: str, action: str, pin: str) -> None:
        """Do what the customer does; the merchant hears of it afterwards."""
        found = [one for one in self._ringing.values() if one.prompt.id == prompt_id]
        if not found:
            raise NoSuchPrompt(prompt_id)
        if action not in get_args(Action):
            raise WrongAction(f"action is one of: {', '.join(get_args(Action))}")
        if action == "pay" and not re.fullmatch("[0-9]{4}", pin, re.ASCII):
            raise NotAPin("The PIN has 4 digits.")
        faults = self.menu.of(found[0].order.phone)
        self.errands.start(self._ended(found[0], self._code(found[0], action, pin), faults))

    def _opened(self, order: Order) -> Transaction:
        moment = names.now()
        while (checkout := names.checkout_request_id(moment, order.phone)) in self._transactions:
            moment += timedelta(milliseconds=1)
        merchant_request_id = names.request_id()
        prompt = Prompt(
            id=merchant_request_id,
            phone=order.phone,
            amount=order.amount,
            account=order.account,
            business=order.merchant.name,
        )
        transaction = Transaction(order, merchant_request_id, checkout, prompt)
        self._transactions[checkout] = transaction
        return transaction

    def _ring(self, transaction: Transaction, faults: Faults) -> None:
        self._ringing[transaction.order.phone] = transaction
        self.errands.start(self._press(transaction, faults.prompt_seconds, "ignore"))
        if self.autopay is not None:
            self.errands.start(self._press(transaction, self.autopay, "pay"))
        if faults.callback == "forged":
            self.errands.start(self._forge(transaction, faults))

    async def _press(self, transaction: Transaction, seconds: float, action: Action) -> None:
        await asyncio.sleep(seconds)
        if self._ringing.get(transaction.order.phone) is transaction:
            faults = self.menu.of(transaction.order.phone)
            await self._ended(transaction, self._code(transaction, action, _RIGHT_PIN), faults)

    def _code(self, transaction: Transaction, action: str, pin: str) -> str:
        order = transaction.order
        if action == "cancel":
            return results.CANCELLED
        if action == "ignore":
            return results.NO_ANSWER
        if (ordered := self.menu.of(order.phone).result) is not None:
            return ordered
        if pin == WRONG_PIN:
            return results.WRONG_PIN
        return results.PAID if self.money.balance(order.phone) >= order.amount else results.NO_FUNDS

    def _ended(
        self, transaction: Transaction, code: str, faults: Faults
    ) -> Coroutine[Any, Any, None]:
        """End it now: money moves before this returns, unless the merchant is asked first.

        Await the result to tell the merchant.
        """
        self._ringing.pop(transaction.order.phone, None)
        outcome = Outcome(code, names.now())
        if code != results.PAID:
            return self._closed(transaction, outcome, faults)
        paid = _payment(transaction, outcome)
        if self.c2b.asks(transaction.order.merchant):
            return self._asked(transaction, paid, faults)
        return self._paid(transaction, paid, faults)

    async def _asked(self, transaction: Transaction, paid: Paid, faults: Faults) -> None:
        if await self.c2b.allows(transaction.order.merchant, paid):
            await self._paid(transaction, paid, faults)
        else:
            await self._closed(transaction, Outcome(results.DECLINED, names.now()), faults)

    def _paid(
        self, transaction: Transaction, paid: Paid, faults: Faults
    ) -> Coroutine[Any, Any, None]:
        self.money.take(transaction.order.merchant, paid)
        transaction.paid = paid
        success = Outcome(results.PAID, paid.at, paid.receipt)
        if faults.late_success is None:
            return self._closed(transaction, success, faults)
        transaction.outcome = Outcome(results.NO_ANSWER, paid.at)
        return self._tell_late(transaction, success, faults, faults.late_success)

    def _closed(
        self, transaction: Transaction, outcome: Outcome, faults: Faults
    ) -> Coroutine[Any, Any, None]:
        transaction.outcome = outcome
        return self._tell(transaction, outcome, faults)

    async def _tell(self, transaction: Transaction, outcome: Outcome, faults: Faults) -> None:
        paid = transaction.paid if outcome.receipt else None
        if paid is not None and faults.c2b == "before":
            await self.c2b.confirm(transaction.order.merchant, paid, faults)
        late = faults.callback == "late" and not faults.callback_delay
        await asyncio.sleep(callbacks.LATE if late else faults.callback_delay)
        for message in callbacks.bodies(transaction, outcome, faults):
            await self.courier.deliver(transaction, message)
        if paid is not None and faults.c2b != "before":
            self.errands.start(self.c2b.confirm(transaction.order.merchant, paid, faults))

    async def _tell_late(
        self, transaction: Transaction, success: Outcome, faults: Faults, seconds: float
    ) -> None:
        await self._tell(transaction, Outcome(results.NO_ANSWER, success.at), faults)
        await asyncio.sleep(seconds)
        transaction.outcome = success
        await self._tell(transaction, success, faults)

    async def _forge(self, transaction: Transaction, faults: Faults) -> None:
        await asyncio.sleep(faults.callback_delay)
        moment = names.now()
        claimed = Outcome(results.PAID, moment, names.receipt(moment))
        message = callbacks.body(transaction, claimed, faults.callback_items)
        await self.courier.deliver(transaction, message)


def _payment(transaction: Transaction, outcome: Outcome) -> Paid:
    order = transaction.order
    return Paid(
        phone=order.phone,
        receipt=names.receipt(outcome.at),
        amount=order.amount,
        account=order.account,
        short_code=order.merchant.short_code,
        checkout_request_id=transaction.checkout_request_id,
        at=outcome.at,
    )


def locked() -> Refusal:
    """Return the refusal of a push to a phone that already shows a prompt."""
    return Refusal(500, CATCH_ALL, _LOCKED)
