"""One SMS: stored before it is sent, and sent once."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from appliance.domain.debts import Kind as Debt
from appliance.domain.debts import Owed, owing
from appliance.domain.errors import Invalid


class Kind(StrEnum):
    """What it is sent for."""

    RECEIPT = "receipt"
    """A customer's code, after the payment."""
    REMINDER = "reminder"
    """A customer's time is nearly over."""
    ALERT = "alert"
    """The operator must know of something."""


class State(StrEnum):
    """How far it got."""

    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    """It was not sent, and is not tried again by itself."""
    UNKNOWN = "unknown"
    """It may have been sent: nobody sends it a second time unasked."""


HELPS_FOR = {
    Kind.RECEIPT: timedelta(hours=2),
    Kind.REMINDER: timedelta(minutes=10),
    Kind.ALERT: timedelta(hours=1),
}
"""A message that could not leave for so long helps nobody any more."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the provider says of a message that it took."""

    id: str | None
    cost_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one phone; every transition is pure."""

    id: str
    about: str
    """What there is one message about: a unique key."""
    kind: Kind
    router_id: str
    """Whose box sends it."""
    to: str = field(repr=False)
    text: str = field(repr=False)
    language: str
    created_at: datetime
    until: datetime
    """It is not sent later than this."""
    subject: str | None = None
    """Of an alert, what it tells."""
    alert_of: str | None = None
    """Of an alert, the router's name once more: by this a box finds its own."""
    voucher_id: str | None = None
    payment_id: str | None = None
    state: State = State.QUEUED
    reason: str | None = None
    """Why it failed, is unknown, or has not left yet."""
    attempts: int = 0
    """How often it was on its way to the provider."""
    leaving_at: datetime | None = None
    """Since when it is on its way: written before it leaves, so that it leaves once."""
    sent_at: datetime | None = None
    provider_id: str | None = None
    cost_cents: int | None = None
    """Hundredths of a shilling."""
    owed: Owed | None = None
    version: int = 0

    def leaving(self, now: datetime, lease: datetime | None) -> "Message":
        """Return the message as on its way, if it is still held by whoever has this lease."""
        held = self.owed is not None and self.owed.lease_until == lease
        if self.state is not State.QUEUED or self.leaving_at is not None or not held:
            return self
        return replace(self, leaving_at=now, attempts=self.attempts + 1)

    def stayed(self, reason: str) -> "Message":
        """Return the message as certainly not sent; it goes on owing that."""
        return replace(self, leaving_at=None, reason=reason)

    def sent(self, sent: Sent, now: datetime) -> "Message":
        """Return the message as taken by the provider."""
        done = self._ended(State.SENT, None)
        return replace(done, sent_at=now, provider_id=sent.id, cost_cents=sent.cost_cents)

    def failed(self, reason: str) -> "Message":
        """Return the message as never to be sent by itself."""
        return self._ended(State.FAILED, reason)

    def unknown(self, reason: str) -> "Message":
        """Return the message as sent or not sent."""
        return self._ended(State.UNKNOWN, reason)

    def again(self, now: datetime) -> "Message":
        """Return the message queued anew, as a person wants it; raise `Invalid` in words."""
        if self.state not in {State.FAILED, State.UNKNOWN}:
            raise Invalid("only a message that failed, or may have, is sent again")
        until = now + HELPS_FOR[self.kind]
        owed = owing(Debt.SEND, now)
        return replace(
            self, state=State.QUEUED, reason=None, leaving_at=None, until=until, owed=owed
        )

    def put_off(self, lease: datetime | None, until: datetime, why: str) -> "Message":
        """Return the message waiting until then, if it is still under this lease."""
        if self.owed is None:
            return self
        return replace(self, owed=self.owed.put_off(lease, until, why))

    def _ended(self, state: State, reason: str | None) -> "Message":
        return replace(self, state=state, reason=reason, leaving_at=None, owed=None)
