"""Money arrived that may be anybody's: find whose it is, or keep it for a person."""

import logging
from dataclasses import dataclass, replace
from decimal import Decimal

from appliance.domain import ids, vouchers
from appliance.domain.errors import Duplicate, Unreadable
from appliance.domain.evidence import Evidence, Received, Source
from appliance.domain.payments import (
    PERHAPS_KNOWN,
    UNDECIDED,
    Decided,
    NotOurs,
    Payment,
    SecondPayment,
    State,
)
from appliance.domain.plans import Plan
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import evolve
from appliance.flows.lookup import Lookup
from appliance.flows.settlement import Settlement
from appliance.ports import Clock, Payments, Vouchers

log = logging.getLogger(__name__)

# A hint that fits many purchases is nobody's: it makes us ask about a few of them at most.
_MOST_ASKED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What every kind of news about arrived money goes through; all of it is safe to repeat."""

    payments: Payments
    vouchers: Vouchers
    lookup: Lookup
    settlement: Settlement
    clock: Clock
    router_id: str

    async def arrived(self, money: Received) -> tuple[str, Payment]:
        """Return the decision's name and the payment that has the receipt from now on."""
        try:
            return await self._placed(money)
        except Unreadable as error:
            log.error("money names a document of another program why=%s", error)
            return await self._for_a_person(money, "unreadable")

    async def hinted(self, money: Received) -> str:
        """Ask Safaricom about the purchases that unproved news fits; it decides nothing itself."""
        found = await self.lookup.purchases(money)
        open_ones = [payment for payment in found.fitting if payment.state in UNDECIDED]
        for payment in open_ones[:_MOST_ASKED]:
            await self.settlement.ask_early(payment)
        return "asked" if open_ones else "unproved"

    async def doubted(self, money: Received) -> str:
        """Ask about the purchases it fits; where that proves none of them, a person decides."""
        if await self.payments.find("mpesaReceiptNumber", money.receipt) is not None:
            return "already_known"
        await self.hinted(money)
        found = await self.lookup.purchases(money)
        for payment in found.fitting:
            after = await evolve(self.payments, payment, lambda p: p.hinted(money.receipt))
            if money.receipt == (after.receipt or after.doubted_receipt):
                return "asked"
        reason = PERHAPS_KNOWN if found.known else "doubted"
        decision, _ = await self._for_a_person(money, reason)
        return decision

    async def believe(self, payment: Payment, evidence: Evidence) -> Payment:
        """Hear evidence; money that was unmatched until now gives its receipt to its purchase.

        Raises what `Settlement.hear` raises; the money then is where it was before.
        """
        await self._give_up_hint(payment, evidence)
        try:
            return await self.settlement.hear(payment, evidence)
        except Duplicate as error:
            receipt = evidence.receipt or ""
            holder = await self.payments.find("mpesaReceiptNumber", receipt)
            if holder is None:
                raise
            try:
                # A death after this leaves the receipt free, and whoever told of it tells again.
                merged = await evolve(self.payments, holder, Payment.merged)
            except Decided:
                raise error from None
        try:
            return await self.settlement.hear(payment, evidence)
        except (SecondPayment, NotOurs):
            await evolve(self.payments, merged, lambda p: p.unmerged(receipt))
            raise

    async def _give_up_hint(self, payment: Payment, evidence: Evidence) -> None:
        """Leave to a person the receipt in doubt of a purchase that is about to get another."""
        hint = payment.doubted_receipt
        if hint is None or payment.receipt or evidence.receipt in {None, hint}:
            return
        if await self.payments.find("mpesaReceiptNumber", hint) is not None:
            return
        money = Received(
            source=Source.C2B,
            receipt=hint,
            amount=Decimal(payment.amount),
            short_code=payment.paybill_number,
            reference=payment.voucher_code,
        )
        await self._for_a_person(money, "doubted")

    async def _placed(self, money: Received) -> tuple[str, Payment]:
        known = await self.payments.find("mpesaReceiptNumber", money.receipt)
        if known is not None and (known.state is not State.UNMATCHED or known.asked_for):
            return "already_known", known
        found = await self.lookup.purchases(money)
        if found.only is not None:
            paid = await self._believed(found.only, money)
            if paid is not None:
                return "completed", paid
        if known is not None:
            return "already_known", known
        if found.only is None and (found.fitting or found.doubtful):
            return await self._for_a_person(money, PERHAPS_KNOWN if found.known else "several_fit")
        return await self._nobodys(money)

    async def _believed(self, payment: Payment, money: Received) -> Payment | None:
        """Return the purchase with this receipt; None when the money is not for it after all."""
        try:
            return await self.believe(payment, money.about(payment.checkout_request_id))
        except (SecondPayment, NotOurs):
            return None
        except Duplicate:  # somebody told of this receipt a moment faster
            return await self.payments.find("mpesaReceiptNumber", money.receipt)

    async def _nobodys(self, money: Received) -> tuple[str, Payment]:
        """Sell a plan to somebody who never opened the portal, or keep the money for a person."""
        account = await self.lookup.account(money)
        if account is None:
            return await self._for_a_person(money, "unknown_shortcode")
        payment = self._unasked(money, account)
        free = await self._claimed_voucher(money, payment.id)
        if free is not None:
            return await self._keep(payment.given_for(free, self.clock.now()), "completed")
        plans = await self.lookup.sold_by_hand(money)
        priced = [plan for plan in plans if plan.price == money.amount]
        if len(priced) == 1:
            drawn_up = vouchers.drawn_up(
                priced[0],
                router_id=self.router_id,
                payment_id=payment.id,
                now=payment.created_at,
            )
            voucher = await self.vouchers.insert(drawn_up)
            return await self._keep(payment.given_for(voucher, self.clock.now()), "completed")
        return await self._for_a_person(money, await self._why(money, plans))

    async def _for_a_person(self, money: Received, reason: str) -> tuple[str, Payment]:
        try:
            account = await self.lookup.account(money)
        except Unreadable:
            account = None
        payment = replace(self._unasked(money, account or money.short_code), reason=reason)
        kept = await self._keep(payment, "unmatched")
        log.warning("money waits for a person payment=%s why=%s", payment.id, reason)
        return kept

    async def _why(self, money: Received, plans: list[Plan]) -> str:
        named = await self.lookup.named(money.reference)
        if named is not None:
            if named.receipt is not None or named.state is State.PAID:
                return "paid_already"
            return "underpaid" if money.amount < named.amount else "overpaid"
        if plans:
            dearest = max(plan.price for plan in plans)
            return "overpaid" if money.amount > dearest else "no_plan_at_this_price"
        return "unknown_account"

    async def _claimed_voucher(self, money: Received, payment_id: str) -> Voucher | None:
        """Return the unpaid voucher without a purchase that this money is for, claimed for it."""
        voucher = await self.lookup.unpaid_voucher(money.reference)
        if voucher is None or voucher.plan.price != money.amount:
            return None
        claimed = await evolve(self.vouchers, voucher, lambda v: v.claimed(payment_id))
        return claimed if claimed.payment_id == payment_id else None

    async def _keep(self, payment: Payment, decision: str) -> tuple[str, Payment]:
        """Store money that nobody asked for, unless its receipt is in a place already."""
        receipt = payment.receipt or ""
        try:
            kept = await self.payments.insert(payment)
        except Duplicate:
            known = await self.payments.find("mpesaReceiptNumber", receipt)
            if known is not None:
                return "already_known", known
            # It gave its receipt to a purchase that did not take it.
            before = await self.payments.get(payment.id)
            if before is None:
                raise
            return "unmatched", await evolve(self.payments, before, lambda p: p.unmerged(receipt))
        if kept.state is State.PAID:
            await self.settlement.carry_out(kept)
        return decision, kept

    def _unasked(self, money: Received, account: str) -> Payment:
        now, whole = self.clock.now(), int(money.amount)
        return Payment(
            id=ids.of_receipt(money.receipt),
            token=ids.new_token(),
            amount=whole,
            received=None if money.amount == whole else str(money.amount),
            voucher_code=money.reference[: ids.LONGEST],
            msisdn=money.msisdn or None,
            paybill_number=account,
            router_id=self.router_id,
            created_at=now,
            paid_at=money.at or now,
            state=State.UNMATCHED,
            receipt=money.receipt,
        )
