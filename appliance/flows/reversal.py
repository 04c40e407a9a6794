"""Money goes back through M-Pesa: written down, then ordered once, and never ordered in doubt."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from appliance.domain import ids, reversals
from appliance.domain.errors import (
    Conflict,
    GatewayRefused,
    GatewayUnavailable,
    Invalid,
    OutcomeUnknown,
    SalesClosed,
    StoreUnavailable,
)
from appliance.domain.payments import RETURNED_TWICE, UNSEEN, Payment, State
from appliance.domain.records import WebhookLog, WebhookMetadata
from appliance.domain.reversals import Order, Result
from appliance.flows.evolve import evolve
from appliance.flows.lookup import Lookup
from appliance.flows.unsettled import to_decide
from appliance.ports import Clock, Gateway, Paybills, Payments

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """Give money back that a person decided to give back."""

    payments: Payments
    paybills: Paybills
    lookup: Lookup
    gateway: Gateway
    clock: Clock
    token: Callable[[str], str]
    """Makes the secret end of the address that an order is answered at."""

    async def possible(self, payment: Payment) -> bool:
        """Say whether this payment's account may reverse it."""
        paybill = await self.paybills.find("paybillInfo.number", payment.paybill_number)
        whole = payment.received is None or payment.received.isdecimal()
        right = paybill is not None and paybill.has_initiator and paybill.config.reversal
        return right and whole and payment.receipt is not None

    async def order(self, payment_id: str, *, again: bool = False) -> Payment:
        """Order the money back; return the payment as that left it. Raises `Invalid` in words.

        What may have paid for time that somebody has goes back only `again`.
        Silence leaves it `reversing`: it is never ordered again until somebody knows.
        """
        payment = await self.payments.get(payment_id)
        if payment is None or not await self.possible(payment):
            raise Invalid("this payment's account has no right to give it back by itself")
        if not again:
            await self.lookup.check_not_given(payment)
        now = self.clock.now()
        payment = await evolve(
            self.payments, payment, lambda p: reversals.ordered(to_decide(p), now)
        )
        order = Order(payment.id, payment.reversals)
        log.info("reversal ordered payment=%s attempt=%d", payment.id, order.attempt)
        amount = int(payment.received or payment.amount)
        try:
            await self.gateway.reverse(
                payment.paybill_number, payment.receipt or "", amount, self.token(str(order))
            )
        except (GatewayRefused, GatewayUnavailable, SalesClosed, StoreUnavailable) as error:
            log.warning("reversal not ordered payment=%s code=%s", payment.id, error.code)
            refused = isinstance(error, GatewayRefused)
            reason = "reversal_refused" if refused else "reversal_unsent"
            return await evolve(
                self.payments, payment, lambda p: reversals.stayed(p, order.attempt, reason)
            )
        except OutcomeUnknown as error:
            log.warning("reversal unanswered payment=%s why=%s", payment.id, error)
        return payment

    async def heard(self, webhook: WebhookLog) -> WebhookLog:
        """Return the answer to an order with what it decided; safe to repeat. Raises `Invalid`."""
        result, payload = self.gateway.read_reversal(webhook.raw_body)
        order = Order.read(webhook.asked or "")
        payment = None if order is None else await self.payments.get(order.payment_id)
        read = replace(webhook, payload=payload, metadata=WebhookMetadata(result_code=result.code))
        if order is None or payment is None:
            return replace(read, status="not_ours")
        now = self.clock.now()

        def step(before: Payment) -> Payment:
            return reversals.heard(before, order.attempt, result, now)

        after = await evolve(self.payments, payment, step)
        after = await evolve(self.payments, await self._holder(after, result), step)
        log.info("reversal answered payment=%s state=%s", after.id, after.state)
        twice = after.state is not State.REFUNDED or after.reason == RETURNED_TWICE
        if twice and result.went_back(after):
            log.error("money went back that was given or returned meanwhile payment=%s", after.id)
            return replace(read, status="given_twice", payment_id=after.id)
        return replace(read, status=str(after.state), payment_id=after.id)

    async def let_stand(self, payment_id: str) -> Payment:
        """Write down that a person saw money that went back after it was given."""
        payment = await self.payments.get(payment_id)
        if payment is None or payment.reason not in UNSEEN:
            raise Invalid("there is nothing to see about this payment")
        return await evolve(self.payments, payment, reversals.let_stand)

    async def _holder(self, payment: Payment, result: Result) -> Payment:
        """Return who has the receipt that went back, where this money gave it to its purchase.

        Raises `Conflict` while the receipt is on its way there.
        """
        if payment.state is not State.MERGED or result.original is None:
            return payment
        if ids.of_receipt(result.original) != payment.id:
            return payment
        holder = await self.payments.find("mpesaReceiptNumber", result.original)
        if holder is None:
            raise Conflict
        return holder if result.went_back(holder) else payment

    async def went_back(self, payment_id: str, note: str) -> Payment:
        """Write down what a person saw in M-Pesa's books: an unanswered order was carried out."""
        now = self.clock.now()
        return await self._seen(payment_id, lambda p: p.returned(note, now))

    async def stayed(self, payment_id: str) -> Payment:
        """Write down what a person saw in M-Pesa's books: an unanswered order was not."""
        now = self.clock.now()

        def step(payment: Payment) -> Payment:
            if payment.decided_at is None or now - payment.decided_at < reversals.UNHEARD:
                raise Invalid("M-Pesa may still carry it out: wait an hour before you look")
            return reversals.stayed(payment, payment.reversals, "reversal_undone")

        return await self._seen(payment_id, step)

    async def _seen(self, payment_id: str, step: Callable[[Payment], Payment]) -> Payment:
        payment = await self.payments.get(payment_id)
        if payment is None:
            raise Invalid(f"there is no payment {payment_id}")
        return await evolve(self.payments, payment, lambda p: step(_reversing(p)))


def _reversing(payment: Payment) -> Payment:
    if payment.state is not State.REVERSING:
        raise Invalid(f"this payment is {payment.state}: it is not on its way back")
    return payment
