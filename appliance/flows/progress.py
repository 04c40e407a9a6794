"""How a purchase stands, as its customer should see it."""

from dataclasses import dataclass
from datetime import datetime

from appliance.domain import payments
from appliance.domain.debts import Kind
from appliance.domain.payments import Payment
from appliance.domain.vouchers import State, Voucher
from appliance.ports import Clock, Payments, Vouchers

_WAITING = {"router_away": "paid_router_away", "device_absent": "paid_device_absent"}
_NAMES = {
    payments.State.INITIATING: ("pending", "check_phone"),
    payments.State.PENDING: ("pending", "check_phone"),
    payments.State.UNKNOWN: ("unknown", "checking"),
    payments.State.DISPUTED: ("unknown", "wrong_amount"),
    payments.State.FAILED: ("failed", "not_completed"),
    payments.State.CANCELLED: ("cancelled", "cancelled"),
    # Paid, and yet not for the voucher of this page.
    payments.State.PAID: ("unknown", "person_looks"),
    payments.State.UNMATCHED: ("unknown", "person_looks"),
    payments.State.MERGED: ("unknown", "person_looks"),
    payments.State.REVERSING: ("unknown", "person_looks"),
    payments.State.REFUNDED: ("failed", "refunded"),
}
# What a person wrote down, or must look at, is not for the customer's eyes.
_BY_A_PERSON = frozenset(
    {
        payments.State.UNMATCHED,
        payments.State.MERGED,
        payments.State.REVERSING,
        payments.State.REFUNDED,
        payments.State.PAID,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One look at a purchase; `state` is one of the portal's six words."""

    state: str
    reason: str
    voucher: Voucher
    payment: Payment | None
    seconds_left: int
    """Of the voucher's time when paid, else until a second try becomes safe; 0 when it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Look a purchase up by the token in its page's address."""

    payments: Payments
    vouchers: Vouchers
    clock: Clock

    async def look(self, token: str) -> Progress | None:
        """Return how the purchase stands; None for a token nobody was given."""
        voucher = await self.vouchers.find("token", token)
        if voucher is None:
            return None
        payment = await self.payments.get(voucher.payment_id) if voucher.payment_id else None
        if payment is not None and payment.voucher_id not in {"", voucher.id}:
            # A person gave the money another voucher than the one it was for.
            voucher = await self.vouchers.get(payment.voucher_id) or voucher
        return self.of(voucher, payment)

    async def undecided(self, known: list[Voucher]) -> Voucher | None:
        """Return the newest of a device's vouchers while it is being paid for."""
        newest = known[0] if known else None
        if newest is None or newest.state is not State.UNPAID or newest.payment_id is None:
            return None
        payment = await self.payments.get(newest.payment_id)
        return newest if payment is not None and payment.open_phone is not None else None

    def of(self, voucher: Voucher, payment: Payment | None) -> Progress:
        """Return how this purchase stands."""
        if voucher.state is State.UNPAID and payment is not None:
            if payment.state is not payments.State.PAID or payment.voucher_id != voucher.id:
                return self._undecided(voucher, payment, self.clock.now())
            seconds = int(voucher.length.total_seconds())  # it is about to be paid
            state, reason, left = "paid", "paid_connecting", seconds
        else:
            certain = self.clock.certain()
            state, reason = _state(voucher, certain)
            left = voucher.seconds_left(certain)
        return Progress(
            state=state, reason=reason, voucher=voucher, payment=payment, seconds_left=left
        )

    def _undecided(self, voucher: Voucher, payment: Payment, now: datetime) -> Progress:
        state, reason = _NAMES[payment.state]
        wait = (payment.locked_until - now).total_seconds() if payment.open_phone else 0
        return Progress(
            state=state,
            reason=reason if payment.state in _BY_A_PERSON else payment.reason or reason,
            voucher=voucher,
            payment=payment,
            seconds_left=max(0, int(wait)),
        )


def _state(voucher: Voucher, now: datetime | None) -> tuple[str, str]:
    if voucher.state is State.REVOKED:
        return "failed", "revoked"
    if not voucher.usable(now):
        return "failed", "used_up"
    if voucher.owed is not None and voucher.owed.kind is Kind.GRANT:
        return "paid", _WAITING.get(voucher.owed.last_error or "", "paid_connecting")
    return ("online", "online") if voucher.state is State.ACTIVE else ("paid", "paid_kept")
