"""How a purchase stands, as its customer should see it."""

from dataclasses import dataclass

from appliance.domain import payments
from appliance.domain.payments import Payment
from appliance.domain.vouchers import State, Voucher
from appliance.ports import Clock, Payments, Vouchers

_WAITING = {"router_away": "paid_router_away", "device_absent": "paid_device_absent"}
_NAMES = {
    payments.State.INITIATING: ("pending", "check_phone"),
    payments.State.PENDING: ("pending", "check_phone"),
    payments.State.UNKNOWN: ("unknown", "checking"),
    payments.State.PAID: ("paid", "paid_connecting"),
    payments.State.DISPUTED: ("unknown", "wrong_amount"),
    payments.State.FAILED: ("failed", "not_completed"),
    payments.State.CANCELLED: ("cancelled", "cancelled"),
}


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
        state, reason = _state(voucher, payment)
        now = self.clock.now()
        left = voucher.seconds_left(now)
        if voucher.state is State.UNPAID and payment is not None:
            undecided = payment.open_phone is not None
            wait = (payment.locked_until - now).total_seconds()
            left = max(0, int(wait)) if undecided else 0
        return Progress(
            state=state, reason=reason, voucher=voucher, payment=payment, seconds_left=left
        )


def _state(voucher: Voucher, payment: Payment | None) -> tuple[str, str]:
    if voucher.state is State.ACTIVE and voucher.owed is None:
        return "online", "online"
    if voucher.state in {State.PAID, State.READY, State.ACTIVE}:
        if voucher.owed is None:
            return "paid", "paid_kept"
        return "paid", _WAITING.get(voucher.owed.last_error or "", "paid_connecting")
    if voucher.state is State.UNPAID and payment is not None:
        state, reason = _NAMES[payment.state]
        return state, payment.reason or reason
    return "failed", "used_up"
