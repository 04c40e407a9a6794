"""A person decides about money that nobody could decide about."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from appliance.domain import ids, reversals, vouchers
from appliance.domain.errors import Invalid
from appliance.domain.payments import Payment
from appliance.domain.payments import State as Paid
from appliance.domain.vouchers import State, Voucher
from appliance.flows.evolve import evolve, load
from appliance.flows.lookup import Lookup
from appliance.flows.settlement import Settlement
from appliance.flows.unsettled import to_decide
from appliance.ports import Clock, Payments, Plans, Vouchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """Give the money a voucher, or write down that it went back. Once done, it is done."""

    payments: Payments
    vouchers: Vouchers
    plans: Plans
    lookup: Lookup
    settlement: Settlement
    clock: Clock
    router_id: str

    async def with_plan(
        self, payment_id: str, plan_id: str, *, again: bool = False
    ) -> tuple[Payment, Voucher]:
        """Give a new voucher of this plan, whatever was paid; raise `Invalid` in words.

        Who may have the time already gets it only `again`.
        """
        payment = await self._waiting(payment_id)
        if not again:
            await self.lookup.check_not_given(payment)
        plan = await self.plans.get(plan_id)
        if plan is None:
            raise Invalid(f"there is no plan {plan_id}")
        voucher = await self.vouchers.insert(
            vouchers.drawn_up(
                plan,
                router_id=self.router_id,
                payment_id=payment.id,
                now=self.clock.now(),
                device=payment.device,
            )
        )
        return await self._given(payment, voucher)

    async def with_voucher(
        self, payment_id: str, code: str, *, again: bool = False
    ) -> tuple[Payment, Voucher]:
        """Pay an unpaid voucher with it, such as the one that was underpaid.

        `again` is as for a plan.
        """
        payment = await self._waiting(payment_id)
        voucher = await self.vouchers.find("code", ids.typed_voucher_code(code))
        if voucher is None or voucher.state is not State.UNPAID:
            raise Invalid("there is no unpaid voucher with this code")
        other = None if voucher.payment_id in {None, payment.id} else voucher.payment_id
        if other is not None and (await load(self.payments, other)).receipt is not None:
            raise Invalid(f"this voucher has its own payment {other}: decide about that one")
        if not again:
            await self.lookup.check_not_given(payment, other)
        return await self._given(payment, voucher)

    async def as_refunded(self, payment_id: str, note: str) -> Payment:
        """Write down that a person gave the money back."""
        payment = await self._waiting(payment_id)
        now = self.clock.now()
        return await self._decided(payment, lambda p: reversals.by_hand(p, note, now))

    async def _waiting(self, payment_id: str) -> Payment:
        payment = await self.payments.get(payment_id)
        if payment is None:
            raise Invalid(f"there is no payment {payment_id}")
        return to_decide(payment)

    async def _given(self, payment: Payment, voucher: Voucher) -> tuple[Payment, Voucher]:
        now = self.clock.now()
        voucher = await evolve(self.vouchers, voucher, lambda v: v.given_to(payment.id))
        after = await self._decided(payment, lambda p: p.given_for(voucher, now))
        await self.settlement.conclude(after)
        after = await load(self.payments, after.id)
        if after.state is not Paid.PAID or after.voucher_id != voucher.id:
            raise Invalid("this voucher was paid by another payment meanwhile: decide again")
        return after, await self._due_now(await load(self.vouchers, voucher.id))

    async def _due_now(self, voucher: Voucher) -> Voucher:
        """Let whichever process opens gates here do it at once, not when our lease runs out."""
        lease, now = voucher.owed.lease_until if voucher.owed else None, self.clock.now()
        return await evolve(self.vouchers, voucher, lambda v: v.put_off(lease, now, "decided"))

    async def _decided(self, payment: Payment, step: Callable[[Payment], Payment]) -> Payment:
        """Store the decision, unless somebody else decided meanwhile."""
        decided = await evolve(self.payments, payment, lambda p: step(to_decide(p)))
        log.info("decided by a person payment=%s state=%s", decided.id, decided.state)
        return decided
