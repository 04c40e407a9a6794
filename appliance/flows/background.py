"""What a person should know before deciding about money, besides the money's own story."""

from dataclasses import dataclass

from appliance.domain import ids
from appliance.domain.audit import Entry
from appliance.domain.payments import Payment, State, awaiting
from appliance.domain.vouchers import Voucher
from appliance.flows.audit import Audit
from appliance.ports import Payments, Vouchers

_MOST = 20
_MOST_DEEDS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What else there is that has to do with a payment."""

    named: Voucher | None = None
    """Of money without a voucher, the one whose code its payer typed."""
    others: tuple[Payment, ...] = ()
    """Other payments for the same voucher."""
    perhaps: tuple[Payment, ...] = ()
    """Paid purchases without a receipt, whose money this may be."""
    deeds: tuple[Entry, ...] = ()
    """What people did about it, of what this box wrote down lately; the first first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Reads and decides nothing."""

    payments: Payments
    vouchers: Vouchers
    audit: Audit

    async def about(self, payment: Payment) -> Background:
        """Return what else there is about this payment."""
        named = None if payment.voucher_id else await self._named(payment)
        voucher_id = payment.voucher_id or (named.id if named else "")
        others = await self.payments.page("voucherId", voucher_id, _MOST) if voucher_id else []
        return Background(
            named=named,
            others=tuple(other for other in others if other.id != payment.id),
            perhaps=await self._perhaps(payment),
            deeds=await self._deeds(payment),
        )

    async def found(self, text: str) -> Payment | None:
        """Return the payment with this receipt, or the one of this voucher's code."""
        payment = await self.payments.find("mpesaReceiptNumber", text.strip().upper())
        if payment is not None:
            return payment
        voucher = await self.vouchers.find("code", ids.typed_voucher_code(text))
        if voucher is None or voucher.payment_id is None:
            return None
        return await self.payments.get(voucher.payment_id)

    async def _deeds(self, payment: Payment) -> tuple[Entry, ...]:
        subjects = {payment.id, payment.receipt}
        latest = await self.audit.page(_MOST_DEEDS)
        return tuple(entry for entry in reversed(latest) if entry.subject in subjects)

    async def _named(self, payment: Payment) -> Voucher | None:
        for code in ids.readings(payment.voucher_code) if payment.voucher_code else ():
            voucher = await self.vouchers.find("code", code)
            if voucher is not None:
                return voucher
        return None

    async def _perhaps(self, payment: Payment) -> tuple[Payment, ...]:
        if payment.asked_for or payment.state is not State.UNMATCHED:
            return ()
        key = awaiting(payment.paybill_number, payment.amount)
        waiting = await self.payments.page("awaits", key, _MOST)
        return tuple(other for other in waiting if other.state is State.PAID)
