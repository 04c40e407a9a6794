"""A voucher: the right to time on the hotspot; every transition is pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from appliance.domain import batches, ids
from appliance.domain.batches import Batch
from appliance.domain.debts import LEASE, Kind, Owed, owing
from appliance.domain.devices import Device, Reading
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
ENDED = frozenset({State.EXPIRED, State.REVOKED})


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
    """The hotspot where it is good."""
    created_at: datetime
    state: State = State.UNPAID
    payment_id: str | None = None
    device: Device | None = None
    paid_at: datetime | None = None
    activated_at: datetime | None = None
    expires_at: datetime | None = None
    """By the clock; None while connected time is what counts, or the clock was in doubt."""
    granted_by: str | None = None
    """How the router was told to let it in: `api` or `ssh`."""
    used_seconds: int = 0
    """Connected time, all devices together; it never goes back."""
    used_bytes: int = 0
    router_seconds: int = 0
    """The router's own counter as last read; it starts again with the router."""
    router_bytes: int = 0
    extra_seconds: int = 0
    """What an operator added to the plan."""
    extra_bytes: int = 0
    moved_from: str | None = None
    """The hotspot where it was before, which may still know its code; see `homing`."""
    batch: Batch | None = None
    """Made to be sold on paper: no payment of ours belongs to it."""
    left_at: datetime | None = None
    """When it was first known to be off the router there."""
    left_seconds: int = 0
    left_bytes: int = 0
    """What that router's counters have added to what was used."""
    owed: Owed | None = None
    version: int = 0

    @property
    def length(self) -> timedelta:
        """Return the time that was sold, with what was added to it."""
        return self.plan.duration + timedelta(seconds=self.extra_seconds)

    @property
    def bytes_sold(self) -> int | None:
        """Return the data that was sold; None for any amount."""
        limit = self.plan.data_limit_bytes
        return None if limit is None else limit + self.extra_bytes

    @property
    def _passed(self) -> timedelta:
        """Return the time that has gone by as the router counted it, all devices together.

        By the clock, at least one of several was in for its share of it.
        """
        together = self.plan.devices if self.plan.clock is ClockKind.WALL else 1
        return timedelta(seconds=self.used_seconds) / max(1, together)

    @property
    def metered(self) -> bool:
        """Say whether its end depends on what the router counts."""
        by_clock = self.plan.clock is ClockKind.WALL and self.expires_at is not None
        return not by_clock or self.plan.data_limit_bytes is not None

    def usable(self, now: datetime | None) -> bool:
        """Say whether the voucher still buys time; None while nobody knows what time it is."""
        if now is None or self.expires_at is None:
            return self.state in USABLE
        return self.state in USABLE and now < self.expires_at

    def seconds_left(self, now: datetime | None) -> int:
        """Return what is left in whole seconds; time that has not started is left entirely.

        While nobody knows what time it is, that is what the router has not counted yet.
        """
        if not self.usable(now):
            return 0
        left = self.length - self._passed
        if now is not None and self.expires_at is not None:  # a clock that went back adds nothing
            left = min(self.length, self.expires_at - now)
        return max(0, int(left.total_seconds()))

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
        # A lease that ends later than any could was taken under a clock that was ahead.
        held = lease is not None and now < lease <= now + LEASE
        taken = held and self.device == device
        if taken or self.state not in USABLE:
            return self
        return replace(self, device=device, owed=owing(Kind.GRANT, now))

    def seen(self, device: Device) -> "Voucher":
        """Return the voucher after its device was seen at another address."""
        return replace(self, device=device) if _mac(self.device) == device.mac else self

    def left_by(self, mac: str, device: Device, now: datetime) -> "Voucher":
        """Return the running voucher as this device's, if it was the one of that MAC.

        What it still owed to that one is over; its end stays owed.
        """
        if self.state is not State.ACTIVE or _mac(self.device) != mac:
            return self
        owed = self.owed if _is_end(self.owed) else self.end_owed(now)
        return replace(self, device=device, owed=owed)

    @property
    def in_stock(self) -> bool:
        """Say whether it is of a batch and nobody has used it, or been let in with it, yet."""
        return self.batch is not None and self.device is None and self.state in USABLE

    def stocked(self) -> "Voucher":
        """Return a voucher that is nobody's yet as known to the router."""
        return self.on_router() if self.in_stock and self.owed is None else self

    def on_router(self) -> "Voucher":
        """Return the voucher as known to the router; its time still has not started."""
        return replace(self, state=State.READY) if self.state is State.PAID else self

    def online(
        self, now: datetime, device: Device, *, certain: bool = True, way: str | None = None
    ) -> "Voucher":
        """Return the voucher with this device online; time starts the first time only.

        While the clock is not certain the end stays open, see `timed`. One that was revoked or
        used up meanwhile stays so, and keeps what it owes.
        """
        if self.state not in USABLE:
            return self if _is_end(self.owed) else replace(self, owed=None)
        started = replace(self, granted_by=way or self.granted_by)
        if self.state is not State.ACTIVE:
            wall = certain and self.plan.clock is ClockKind.WALL
            expires_at = now + self.length - self._passed if wall else None
            started = replace(started, state=State.ACTIVE, activated_at=now, expires_at=expires_at)
        let_in = _mac(self.device) == _mac(device)
        return replace(started, owed=started.end_owed(now)) if let_in else started

    def found(self, since: datetime, device: Device, *, certain: bool) -> "Voucher":
        """Return a voucher kept for later as running: its code was typed at the router itself."""
        if self.state is not State.READY:
            return self
        return replace(self, device=device).online(since, device, certain=certain)

    def end_owed(self, now: datetime) -> Owed | None:
        """Return the debt that a running voucher is left with: its end, where the clock sets it."""
        if self.state is not State.ACTIVE or self.plan.clock is not ClockKind.WALL:
            return None
        return Owed(Kind.END, self.expires_at or now)

    def with_end(self, now: datetime) -> "Voucher":
        """Return a voucher that owes nothing owing its end, where the clock sets one."""
        return replace(self, owed=self.end_owed(now)) if self.owed is None else self

    def timed(self, now: datetime) -> "Voucher":
        """Return a voucher that started under a doubtful clock with its end, now that one knows.

        What the router counted meanwhile is the time that has passed.
        """
        open_end = self.state is State.ACTIVE and self.expires_at is None
        if not open_end or self.plan.clock is not ClockKind.WALL:
            return self
        expires_at = now + self.length - self._passed
        timed = replace(self, expires_at=expires_at)
        return replace(timed, owed=timed.end_owed(now)) if _is_end(self.owed) else timed

    def put_off(self, lease: datetime | None, until: datetime, error: str) -> "Voucher":
        """Return the voucher with its debt waiting, if the debt is still under this lease."""
        if self.owed is None:
            return self
        return replace(self, owed=self.owed.put_off(lease, until, error))

    def due_at(self, at: datetime) -> "Voucher":
        """Return the voucher with its debt left to whoever pays debts, from then on."""
        lease = None if self.owed is None else self.owed.lease_until
        return self.put_off(lease, at, "")

    def kept(self, device: Device | None, now: datetime) -> "Voucher":
        """Return the voucher ready on the router, owing this device nothing: it is used later.

        One whose end is owed already still owes that.
        """
        ready = self.on_router()
        ends = ready.owed is not None and ready.owed.kind is Kind.END
        if ends or ready.ended or _mac(ready.device) != _mac(device):
            return ready
        return replace(ready, owed=ready.end_owed(now))

    @property
    def ended(self) -> bool:
        """Say whether its time is over, or was taken away."""
        return self.state in ENDED

    def counted(self, reading: Reading, now: datetime) -> "Voucher":
        """Return the voucher after the router's counters were read; over, when all is used.

        A counter that shows less than before has lost what it knew: what was used stays used, and
        counting goes on from there.
        """
        if self.state not in USABLE:
            return self
        after = replace(
            self,
            used_seconds=self.used_seconds + max(0, reading.seconds - self.router_seconds),
            used_bytes=self.used_bytes + max(0, reading.moved - self.router_bytes),
            router_seconds=reading.seconds,
            router_bytes=reading.moved,
        )
        return after.over(now) if after.used_up else after

    @property
    def used_up(self) -> bool:
        """Say whether the connected time or the data that was sold has been used."""
        sold = self.bytes_sold
        # Where the clock sets the end, several devices count together towards nothing.
        late = self.expires_at is None and self._passed >= self.length
        return late or (sold is not None and self.used_bytes >= sold)

    def over(self, now: datetime) -> "Voucher":
        """Return the voucher at its end, owing the cut; one that was revoked stays revoked."""
        return self._ending(State.EXPIRED, now)

    def run_out(self, now: datetime) -> "Voucher":
        """Return the voucher at its end if that has come, else with the debt of it put right."""
        if not self.usable(now):
            return self.over(now)
        return replace(self, owed=self.end_owed(now)) if _is_end(self.owed) else self

    def revoked(self, now: datetime) -> "Voucher":
        """Return the voucher taken away by an operator, owing the cut.

        One that is not paid yet stays: money that is under way to it must find it.
        """
        return self._ending(State.REVOKED, now)

    def cut(self) -> "Voucher":
        """Return the ended voucher owing nothing: nobody is in with it any more."""
        return replace(self, owed=None) if self.ended else self

    def extended(self, time: timedelta, data: int, now: datetime) -> "Voucher":
        """Return the voucher with time and bytes added; one that has ended stays so."""
        if self.state not in USABLE:
            return self
        seconds = int(time.total_seconds())
        longer = replace(
            self,
            extra_seconds=self.extra_seconds + seconds,
            extra_bytes=self.extra_bytes + data,
            expires_at=self.expires_at and self.expires_at + timedelta(seconds=seconds),
        )
        return replace(longer, owed=longer.end_owed(now)) if _is_end(self.owed) else longer

    def _ending(self, state: State, now: datetime) -> "Voucher":
        """Return the usable voucher ended and owing the cut, to whoever holds its end already."""
        if self.state not in USABLE:
            return self
        held = _is_end(self.owed) and self.owed is not None and self.owed.lease_until is not None
        return replace(self, state=state, owed=self.owed if held else owing(Kind.END, now))


def drawn_up(
    plan: Plan,
    *,
    router_id: str,
    payment_id: str | None,
    now: datetime,
    device: Device | None = None,
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


def drawn_up_for_cash(plan: Plan, batch: Batch, *, router_id: str, now: datetime) -> Voucher:
    """Return a new voucher of a batch, good for whoever types its code first.

    Nothing is owed: nobody waits for it, and the next pass over the router puts it there.
    """
    return replace(
        drawn_up(plan, router_id=router_id, payment_id=None, now=now),
        id=batches.voucher_id(batch.id, batch.number),
        state=State.PAID,
        batch=batch,
    )


def _is_end(owed: Owed | None) -> bool:
    return owed is not None and owed.kind is Kind.END


def _mac(device: Device | None) -> str | None:
    return None if device is None else device.mac
