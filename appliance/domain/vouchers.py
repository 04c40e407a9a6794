"""A voucher: the right to time on the hotspot; every transition is pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from appliance.domain import ids
from appliance.domain.debts import Kind, Owed, owing
from appliance.domain.devices import Device, HotspotUser
from appliance.domain.plans import ClockKind, Plan


class State(StrEnum):
    """What the voucher is good for."""

    UNPAID = "unpaid"
    PAID = "paid"
    """Paid; the router does not know it yet."""
    READY = "ready"
    """On the router; its time has not started."""
    ACTIVE = "active"
    """Its time has started."""
    EXPIRED = "expired"
    REVOKED = "revoked"


USABLE = frozenset({State.PAID, State.READY, State.ACTIVE})


class PaidByAnother(Exception):
    """The voucher belongs to another payment: this money bought nothing yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """The access side of one purchase; its code is also the hotspot user's name and password."""

    id: str
    code: str
    token: str
    """Names the customer's pages."""
    plan: Plan
    router_id: str
    created_at: datetime
    state: State = State.UNPAID
    payment_id: str | None = None
    device: Device | None = None
    paid_at: datetime | None = None
    activated_at: datetime | None = None
    expires_at: datetime | None = None
    owed: Owed | None = None
    version: int = 0

    def usable(self, now: datetime) -> bool:
        """Say whether the voucher still buys time."""
        return self.state in USABLE and (self.expires_at is None or now < self.expires_at)

    def seconds_left(self, now: datetime) -> int:
        """Return what is left in whole seconds; time that has not started is left entirely."""
        if not self.usable(now):
            return 0
        if self.expires_at is None:
            return int(self.plan.duration.total_seconds())
        return max(0, int((self.expires_at - now).total_seconds()))

    def claimed(self, payment_id: str) -> "Voucher":
        """Return the voucher as the one that this payment is for, unless it is another's."""
        return self if self.payment_id is not None else replace(self, payment_id=payment_id)

    def given_to(self, payment_id: str) -> "Voucher":
        """Return the unpaid voucher as another payment's: a person decided so."""
        return replace(self, payment_id=payment_id) if self.state is State.UNPAID else self

    def paid(self, now: datetime, payment_id: str, device: Device | None = None) -> "Voucher":
        """Return the voucher as paid and owing access; hearing it again changes nothing.

        `device` is whose it becomes if it has none: the one it was bought for. Raises
        `PaidByAnother` when it belongs to another payment.
        """
        if self.payment_id not in {None, payment_id}:
            raise PaidByAnother
        if self.state is not State.UNPAID:
            return self
        return replace(
            self,
            state=State.PAID,
            payment_id=payment_id,
            paid_at=now,
            device=self.device or device,
            owed=owing(Kind.GRANT, now),
        )

    def wanted_by(self, device: Device, now: datetime) -> "Voucher":
        """Return the voucher owing access to this device, unless it is being let in right now."""
        lease = self.owed.lease_until if self.owed is not None else None
        taken = lease is not None and now < lease and self.device == device
        if taken or self.state not in USABLE:
            return self
        return replace(self, device=device, owed=owing(Kind.GRANT, now))

    def seen(self, device: Device) -> "Voucher":
        """Return the voucher after its device was seen at another address."""
        return replace(self, device=device) if _mac(self.device) == device.mac else self

    def on_router(self) -> "Voucher":
        """Return the voucher as known to the router; its time still has not started."""
        return replace(self, state=State.READY) if self.state is State.PAID else self

    def online(self, now: datetime, device: Device) -> "Voucher":
        """Return the voucher with this device online; time starts the first time only.

        One that was revoked or used up meanwhile stays so.
        """
        if self.state not in USABLE:
            return replace(self, owed=None)
        owed = None if _mac(self.device) == _mac(device) else self.owed
        if self.state is State.ACTIVE:
            return replace(self, owed=owed)
        wall = self.plan.clock is ClockKind.WALL
        expires_at = now + self.plan.duration if wall else None
        return replace(self, state=State.ACTIVE, activated_at=now, expires_at=expires_at, owed=owed)

    def put_off(self, lease: datetime | None, until: datetime, error: str) -> "Voucher":
        """Return the voucher with its debt waiting, if the debt is still under this lease."""
        if self.owed is None:
            return self
        return replace(self, owed=self.owed.put_off(lease, until, error))

    def kept(self, device: Device | None) -> "Voucher":
        """Return the voucher ready on the router, owing this device nothing: it is used later."""
        ready = self.on_router()
        same = _mac(ready.device) == _mac(device)
        return replace(ready, owed=None) if same else ready

    def over(self) -> "Voucher":
        """Return the voucher after its end was noticed; one that was revoked stays revoked."""
        state = State.EXPIRED if self.state in USABLE else self.state
        return replace(self, state=state, owed=None)

    def account(self) -> HotspotUser:
        """Return the hotspot user this voucher becomes.

        The router's own limit is the plan's length: connected time never exceeds what was sold,
        even while the box is off.
        """
        return HotspotUser(
            name=self.code,
            profile=self.plan.profile,
            limit_uptime=self.plan.duration,
            limit_bytes_total=self.plan.data_limit_bytes,
            rate_limit=self.plan.rate_limit,
            shared_users=self.plan.devices,
        )


def drawn_up(
    plan: Plan, *, router_id: str, payment_id: str, now: datetime, device: Device | None = None
) -> Voucher:
    """Return a new voucher, unpaid, with a code and a page of its own."""
    return Voucher(
        id=ids.new_id(),
        code=ids.new_voucher_code(),
        token=ids.new_token(),
        plan=plan,
        router_id=router_id,
        created_at=now,
        payment_id=payment_id,
        device=device,
    )


def _mac(device: Device | None) -> str | None:
    return None if device is None else device.mac
