"""M-Pesa Express: from an accepted push to what the merchant hears."""

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, get_args

from appliance.sandbox.daraja import callbacks, names, results
from appliance.sandbox.daraja.answers import CATCH_ALL, Refusal
from appliance.sandbox.daraja.callbacks import Courier
from appliance.sandbox.daraja.checks import Order
from appliance.sandbox.daraja.errands import Errands
from appliance.sandbox.daraja.faults import Faults, Menu
from appliance.sandbox.daraja.ledger import Ledger, Paid, Sms
from appliance.sandbox.daraja.phone import WALLET, Action, Prompt, receipt_sms
from appliance.sandbox.daraja.transactions import Outcome, Transaction

_WRONG_PIN = "0000"
_RIGHT_PIN = "1234"
_LATE = 90.0
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
    ledger: Ledger
    courier: Courier
    errands: Errands
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

    def balance(self, phone: str) -> int:
        """Return what is left in this phone's wallet."""
        return WALLET - sum(paid.amount for paid in self.ledger.payments if paid.phone == phone)

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
        if transaction.outcome is None:
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
        if pin == _WRONG_PIN:
            return results.WRONG_PIN
        return results.PAID if self.balance(order.phone) >= order.amount else results.NO_FUNDS

    def _ended(
        self, transaction: Transaction, code: str, faults: Faults
    ) -> Coroutine[Any, Any, None]:
        """End it now: money moves before this returns. Await the result to tell the merchant."""
        self._ringing.pop(transaction.order.phone, None)
        outcome = Outcome(code, names.now())
        if code == results.PAID:
            outcome = replace(outcome, receipt=self._pay(transaction, outcome))
        if outcome.receipt is None or faults.late_success is None:
            transaction.outcome = outcome
            return self._tell(transaction, outcome, faults)
        transaction.outcome = Outcome(results.NO_ANSWER, outcome.at)
        return self._tell_late(transaction, outcome, faults, faults.late_success)

    def _pay(self, transaction: Transaction, outcome: Outcome) -> str:
        order, prompt = transaction.order, transaction.prompt
        receipt = names.receipt(outcome.at)
        paid = Paid(
            phone=order.phone,
            receipt=receipt,
            amount=order.amount,
            account=order.account,
            short_code=order.merchant.short_code,
            checkout_request_id=transaction.checkout_request_id,
            at=outcome.at,
        )
        self.ledger.write(paid)
        left = self.balance(order.phone)
        text = receipt_sms(order.merchant, prompt, receipt, outcome.at, left)
        self.ledger.write(Sms(phone=order.phone, text=text, at=outcome.at))
        return receipt

    async def _tell(self, transaction: Transaction, outcome: Outcome, faults: Faults) -> None:
        late = faults.callback == "late" and not faults.callback_delay
        await asyncio.sleep(_LATE if late else faults.callback_delay)
        for message in callbacks.bodies(transaction, outcome, faults):
            await self.courier.deliver(transaction, message)

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


def locked() -> Refusal:
    """Return the refusal of a push to a phone that already shows a prompt."""
    return Refusal(500, CATCH_ALL, _LOCKED)
