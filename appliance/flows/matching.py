"""Money arrived that may be anybody's: find whose it is, or keep it for a person."""

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from appliance.domain import ids, phones, vouchers
from appliance.domain.errors import Duplicate
from appliance.domain.evidence import Evidence, Received
from appliance.domain.payments import UNDECIDED, NotOurs, Payment, SecondPayment, State
from appliance.domain.plans import Plan
from appliance.domain.vouchers import State as VoucherState
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import evolve, load
from appliance.flows.settlement import Settlement
from appliance.ports import Clock, Initiations, Paybills, Payments, Plans, Vouchers

log = logging.getLogger(__name__)

# A prompt lives three minutes, and its money is told of within a few more.
_WINDOW = timedelta(minutes=10)
# A list of past payments reaches back two days, and its times are in a zone nobody has established.
_LONG_WINDOW = timedelta(hours=48)
_MOST_CANDIDATES = 200
_MOST_PLANS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What every kind of news about arrived money goes through; all of it is safe to repeat."""

    payments: Payments
    vouchers: Vouchers
    initiations: Initiations
    plans: Plans
    paybills: Paybills
    settlement: Settlement
    clock: Clock
    router_id: str

    async def arrived(self, money: Received, *, proved: bool = True) -> tuple[str, Payment]:
        """Return the decision's name and the payment that has the receipt from now on.

        What is not proved opens nothing: it only makes us ask Safaricom about the purchase.
        """
        known = await self.payments.find("mpesaReceiptNumber", money.receipt)
        if known is not None and known.state is not State.UNMATCHED:
            return "already_known", known
        fitting = await self._fitting(money)
        if len(fitting) == 1:
            paid = await self._believed(fitting[0], money, proved=proved)
            if paid is not None:
                return "completed", paid
        if known is not None:
            return "already_known", known
        if not proved or len(fitting) > 1:
            reason = "several_fit" if proved else "unproved"
            return await self._for_a_person(money, reason)
        return await self._nobodys(money)

    async def believe(self, payment: Payment, evidence: Evidence) -> Payment:
        """Hear evidence; money that was unmatched until now gives its receipt to its purchase."""
        try:
            return await self.settlement.hear(payment, evidence)
        except Duplicate:
            holder = await self.payments.find("mpesaReceiptNumber", evidence.receipt or "")
            if holder is None or holder.state is not State.UNMATCHED:
                raise
        # A death in between leaves the receipt free, and whoever told of it tells again.
        await evolve(self.payments, holder, Payment.merged)
        return await self.settlement.hear(payment, evidence)

    async def expected(self, money: Received) -> str | None:
        """Return what speaks against letting this money in: account, amount, or nothing."""
        if await self._account(money) is None:
            return "shortcode"
        payment = await self._named(money.reference)
        if payment is not None:
            if payment.state is State.PAID:
                return "account"
            return None if money.amount == payment.amount else "amount"
        voucher = await self._unpaid_voucher(money.reference)
        if voucher is not None:
            return None if money.amount == voucher.plan.price else "amount"
        plans = await self._sold_by_hand(money.reference)
        if any(plan.price == money.amount for plan in plans):
            return None
        return "amount" if plans or not money.reference else "account"

    async def _fitting(self, money: Received) -> list[Payment]:
        """Return the purchases that this money can be for; usually one, or none."""
        named = await self._named(money.reference)
        if named is not None:
            return [named] if named.amount == money.amount else []
        return [] if money.reference else await self._waiting(money)

    async def _believed(self, payment: Payment, money: Received, *, proved: bool) -> Payment | None:
        """Return the purchase with this receipt; None when the money is not for it after all."""
        if not proved:
            await self.settlement.ask(payment)
            payment = await load(self.payments, payment.id)
            if payment.state is not State.PAID:
                return None
        try:
            return await self.believe(payment, money.about(payment.checkout_request_id))
        except (SecondPayment, NotOurs):
            return None
        except Duplicate:  # somebody told of this receipt a moment faster
            return await self.payments.find("mpesaReceiptNumber", money.receipt)

    async def _named(self, reference: str) -> Payment | None:
        """Return the purchase whose code was given as account: by its push, else by its voucher."""
        for code in ids.readings(reference) if reference else ():
            for initiation in await self.initiations.page("AccountReference", code, 1):
                return await self.payments.get(initiation.payment_id)
            voucher = await self.vouchers.find("code", code)
            if voucher is not None and voucher.payment_id is not None:
                purchase = await self.payments.get(voucher.payment_id)
                if purchase is not None:
                    return purchase
        return None

    async def _waiting(self, money: Received) -> list[Payment]:
        """Return the purchases on this account that fit by amount, time and payer.

        Of several that are known to be paid and only lack a receipt, one is as right as the next.
        """
        account = await self._account(money)
        at = money.at or self.clock.now()
        window = _WINDOW if money.at is not None else _LONG_WINDOW
        fitting = [
            payment
            for state in (*UNDECIDED, State.PAID)
            for payment in await self.payments.page("status", state.value, _MOST_CANDIDATES)
            if payment.receipt is None
            and payment.paybill_number == account
            and payment.amount == money.amount
            and -window <= at - payment.created_at <= window
            and (not money.msisdn or phones.fits(payment.phone, money.msisdn))
        ]
        paid = [payment for payment in fitting if payment.state is State.PAID]
        return paid[-1:] if paid and money.msisdn else fitting

    async def _account(self, money: Received) -> str | None:
        """Return our paybill or till of this short code; a till is also known by its store."""
        paybill = await self.paybills.find("paybillInfo.number", money.short_code)
        if paybill is not None:
            return paybill.paybill_info.number
        for store in await self.paybills.page("paybillInfo.storeNumber", money.short_code, 1):
            return store.paybill_info.number
        return None

    async def _sold_by_hand(self, reference: str) -> list[Plan]:
        """Return the plans that this account word buys; a till has no word, so any of them."""
        active = await self.plans.page("active", value=True, limit=_MOST_PLANS)
        words = [plan for plan in active if plan.account_word]
        typed = "".join(reference.split()).casefold()
        if not typed:
            return words
        return [plan for plan in words if (plan.account_word or "").casefold() == typed]

    async def _nobodys(self, money: Received) -> tuple[str, Payment]:
        """Sell a plan to somebody who never opened the portal, or keep the money for a person."""
        account = await self._account(money)
        if account is None:
            return await self._for_a_person(money, "unknown_shortcode")
        payment = self._unasked(money, account)
        free = await self._claimed_voucher(money, payment.id)
        if free is not None:
            return await self._keep(payment.given_for(free, self.clock.now()), "completed")
        plans = await self._sold_by_hand(money.reference)
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
        account = await self._account(money)
        payment = replace(self._unasked(money, account or money.short_code), reason=reason)
        log.warning("money waits for a person payment=%s why=%s", payment.id, reason)
        return await self._keep(payment, "unmatched")

    async def _why(self, money: Received, plans: list[Plan]) -> str:
        named = await self._named(money.reference)
        if named is not None:
            if named.receipt is not None or named.state is State.PAID:
                return "paid_already"
            return "underpaid" if money.amount < named.amount else "overpaid"
        if plans:
            dearest = max(plan.price for plan in plans)
            return "overpaid" if money.amount > Decimal(dearest) else "no_plan_at_this_price"
        return "unknown_account"

    async def _unpaid_voucher(self, reference: str) -> Voucher | None:
        """Return the unpaid voucher that this reference names."""
        for code in ids.readings(reference) if reference else ():
            voucher = await self.vouchers.find("code", code)
            if voucher is not None:
                return voucher if voucher.state is VoucherState.UNPAID else None
        return None

    async def _claimed_voucher(self, money: Received, payment_id: str) -> Voucher | None:
        """Return the unpaid voucher without a purchase that this money is for, claimed for it."""
        voucher = await self._unpaid_voucher(money.reference)
        if voucher is None or voucher.plan.price != money.amount:
            return None
        claimed = await evolve(self.vouchers, voucher, lambda v: v.claimed(payment_id))
        return claimed if claimed.payment_id == payment_id else None

    async def _keep(self, payment: Payment, decision: str) -> tuple[str, Payment]:
        try:
            kept = await self.payments.insert(payment)
        except Duplicate:
            known = await self.payments.find("mpesaReceiptNumber", payment.receipt or "")
            if known is None:
                raise
            return "already_known", known
        if kept.state is State.PAID:
            await self.settlement.carry_out(kept)
        return decision, kept

    def _unasked(self, money: Received, account: str) -> Payment:
        now = self.clock.now()
        return Payment(
            id=ids.of_receipt(money.receipt),
            token=ids.new_token(),
            amount=int(money.amount),
            voucher_code=money.reference[: ids.LONGEST],
            msisdn=money.msisdn or None,
            paybill_number=account,
            router_id=self.router_id,
            created_at=now,
            paid_at=money.at or now,
            state=State.UNMATCHED,
            receipt=money.receipt,
        )
