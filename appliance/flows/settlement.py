"""Evidence completes a payment, and a completed payment reaches its voucher."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from appliance.domain.debts import Kind
from appliance.domain.errors import ApplianceError, Duplicate
from appliance.domain.evidence import Evidence
from appliance.domain.payments import NotOurs, Payment, State
from appliance.domain.vouchers import PaidByAnother, Voucher
from appliance.flows.evolve import evolve, recall
from appliance.ports import (
    Clock,
    Gateway,
    Handover,
    Initiations,
    Later,
    Payments,
    Vouchers,
)

log = logging.getLogger(__name__)


async def _nobody(_: Payment) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One function for every kind of evidence; all of it is safe to repeat."""

    payments: Payments
    vouchers: Vouchers
    initiations: Initiations
    gateway: Gateway
    clock: Clock
    router_id: str
    hand_over: Handover[Voucher]
    """Who opens the gate here: told the moment the voucher is stored as paid."""
    later: Later
    tell: Callable[[Payment], Awaitable[None]] = _nobody
    """Is told of every paid purchase, after its gate; what goes wrong there stays there."""

    async def pay(self, payment: Payment) -> None:
        """Pay what a payment owes: its outcome to its voucher, or a question to Safaricom."""
        if payment.owed is not None and payment.owed.kind is Kind.CONCLUDE:
            await self.conclude(payment)
        else:
            await self.ask(payment)

    async def hear(self, payment: Payment, evidence: Evidence) -> Payment:
        """Return the payment as the evidence leaves it, its consequence carried out.

        Raises `NotOurs` for evidence of another request, `SecondPayment` for other money than
        what had paid, `Duplicate` for a receipt that is in use; the payment then stays as it was.
        """
        now = self.clock.now()
        after = await evolve(self.payments, payment, lambda p: p.heard(evidence, now))
        await self.carry_out(after)
        return after

    async def ask(self, payment: Payment) -> None:
        """Query a payment that nobody called about; what proves nothing plans the next query."""
        initiation = await self.initiations.get(payment.id)
        now = self.clock.now()
        if initiation is None and payment.state is State.INITIATING:
            # The initiation is stored before the push leaves: without it nothing was sent.
            after = await evolve(
                self.payments, payment, lambda p: p.never_sent("gateway_unreachable", now)
            )
            await self.conclude(after)
            return
        if initiation is not None and initiation.checkout_request_id is not None:
            name = initiation.checkout_request_id
            payment = await evolve(self.payments, payment, lambda p: p.prompted(name, now))
        try:
            answer = await self.gateway.query(payment)
        except ApplianceError:
            now = self.clock.now()
            await evolve(self.payments, payment, lambda p: p.unanswerable(now))
            raise
        now = self.clock.now()
        after = await evolve(self.payments, payment, lambda p: p.asked(answer, now))
        await self.carry_out(after)
        if after.state is State.UNKNOWN:
            await self._tell_initiation(after)

    async def ask_early(self, payment: Payment) -> None:
        """Query before it is due, since somebody who proves nothing says that there is news."""
        now, ours = self.clock.now(), list[Payment]()
        payment = await evolve(
            self.payments, payment, lambda p: p.asked_early(now), then=ours.append
        )
        if not ours:
            return
        try:
            answer = await self.gateway.query(payment)
        except ApplianceError as error:  # its own questions are still planned
            log.warning("no early answer payment=%s code=%s", payment.id, error.code)
            return
        try:
            await self.hear(payment, answer)
        except NotOurs:
            log.error("the answer is about another push payment=%s", payment.id)

    async def carry_out(self, payment: Payment) -> None:
        """Open the gate for an outcome just stored, and leave the rest to the books."""
        if payment.owed is None or payment.owed.kind is not Kind.CONCLUDE:
            return
        log.info("payment %s payment=%s", payment.state, payment.id)
        if payment.state is State.PAID:
            payment = await self._delivered(payment)
        self.later(partial(self.conclude, payment))

    async def conclude(self, payment: Payment) -> None:
        """Carry the payment's outcome to its voucher and its initiation."""
        if payment.state is State.PAID:
            payment = await self._delivered(payment)
        await self._tell_initiation(payment)
        if payment.state is State.PAID:  # before the debt is gone: a crash repeats it
            await self.tell(payment)
        await evolve(self.payments, payment, lambda p: p.concluded(payment))

    async def _delivered(self, payment: Payment) -> Payment:
        """Return the payment, its voucher paid; where that is another's, it waits for a person."""
        now = self.clock.now()

        def step(voucher: Voucher) -> Voucher:
            paid = voucher.paid(now, payment.id, payment.device)
            if paid is voucher or paid.router_id == self.router_id:
                return paid
            # Its own box opens this gate, at its next look, whatever time this box takes it for.
            return paid.due_at(paid.created_at)

        def then(stored: Voucher) -> None:
            if stored.router_id == self.router_id:
                self.hand_over(stored)

        try:
            voucher = await recall(self.vouchers, payment.voucher_id)
            await evolve(self.vouchers, voucher, step, then)
        except PaidByAnother:
            log.warning("money waits for a person, its voucher is paid payment=%s", payment.id)
            return await evolve(self.payments, payment, lambda p: p.not_needed(payment.voucher_id))
        return payment

    async def _tell_initiation(self, payment: Payment) -> None:
        """Let the push's own record follow; other programs read it, access never waits for it."""
        initiation = await self.initiations.recall(payment.id)
        if initiation is None:
            return
        try:
            await evolve(self.initiations, initiation, lambda i: i.follows(payment))
        except Duplicate:
            log.error("another push bears this one's name payment=%s", payment.id)
