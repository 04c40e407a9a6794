"""What else is written down: the push as the owner's programs know it, and every webhook."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from appliance.domain import payments
from appliance.domain.debts import Owed


class InitiationStatus(StrEnum):
    """A push's life in the shared collection."""

    INITIATING = "initiating"
    INITIATED = "initiated"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"


_CONCLUSIONS = {
    payments.State.INITIATING: InitiationStatus.INITIATING,
    payments.State.PENDING: InitiationStatus.INITIATED,
    payments.State.UNKNOWN: InitiationStatus.UNKNOWN,
    payments.State.PAID: InitiationStatus.COMPLETED,
    payments.State.DISPUTED: InitiationStatus.COMPLETED,
    payments.State.UNMATCHED: InitiationStatus.COMPLETED,
    payments.State.MERGED: InitiationStatus.COMPLETED,
    payments.State.REVERSING: InitiationStatus.COMPLETED,
    payments.State.REFUNDED: InitiationStatus.COMPLETED,
    payments.State.FAILED: InitiationStatus.FAILED,
    payments.State.CANCELLED: InitiationStatus.CANCELLED,
}
_TIMEOUTS = frozenset({"no_answer", "expired"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiation:
    """One STK push, stored before it leaves."""

    id: str
    account_reference: str
    phone_number: str
    amount: int
    paybill_number: str
    router_id: str
    voucher_id: str
    payment_id: str
    created_at: datetime
    status: InitiationStatus = InitiationStatus.INITIATING
    checkout_request_id: str | None = None
    merchant_request_id: str | None = None
    version: int = 0

    def prompted(self, checkout_request_id: str, merchant_request_id: str) -> "Initiation":
        """Return the initiation with Safaricom's names for the push it took."""
        initiating = self.status is InitiationStatus.INITIATING
        return replace(
            self,
            status=InitiationStatus.INITIATED if initiating else self.status,
            checkout_request_id=checkout_request_id,
            merchant_request_id=merchant_request_id,
        )

    def follows(self, payment: payments.Payment) -> "Initiation":
        """Return the initiation as its payment's state makes it; completed absorbs."""
        if self.status is InitiationStatus.COMPLETED:
            return self
        status = _CONCLUSIONS[payment.state]
        if payment.reason in _TIMEOUTS and status is InitiationStatus.FAILED:
            status = InitiationStatus.TIMEOUT
        known = self.checkout_request_id or payment.checkout_request_id
        return replace(self, status=status, checkout_request_id=known)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMetadata:
    """What a reader searches webhooks by."""

    checkout_request_id: str | None = None
    merchant_request_id: str | None = None
    result_code: int | str | None = None
    result_desc: str | None = None
    trans_id: str | None = None
    bill_ref_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookLog:
    """One incoming call, its raw body stored before it is answered."""

    id: str
    source: str
    type: str
    timestamp: datetime
    raw_body: str
    undated: bool | None = None
    """Whether the clock was in doubt when it came: then its date does not tell its age."""
    payment_id: str | None = None
    asked: str | None = None
    """The account and the receipt of the question that this answers."""
    proved: bool = True
    """Whether it came on an address that only Safaricom knows; else it is no more than a hint."""
    doubted: bool = False
    """Whether it came there with a secret that was replaced, or from where Safaricom is not."""
    remote_ip: str | None = None
    listed: bool | None = None
    """Whether the caller's address is one of Safaricom's; None where none can be seen."""
    status: str = "received"
    payload: dict[str, object] | None = None
    metadata: WebhookMetadata = WebhookMetadata()
    processing_time: int | None = None
    """Milliseconds from arrival to decision."""
    owed: Owed | None = None
    version: int = 0

    def dated(self, now: datetime, keep: timedelta) -> "WebhookLog":
        """Return the call with a date: its own, unless that lies ahead or makes it old already."""
        possible = now - keep < self.timestamp <= now
        return replace(self, undated=None, timestamp=self.timestamp if possible else now)


@dataclass(frozen=True, slots=True)
class Spooled:
    """A call that waits on this box for the database."""

    place: int
    """Counts the calls as they came."""
    webhook: WebhookLog
    token_hash: str | None = None
    """Of the token it came with, where nobody could say yet whose that is."""


@dataclass(frozen=True, slots=True)
class PutAside:
    """A call in the spool that the database would not take; it is tried again every hour."""

    place: int
    arrived: datetime
    reason: str

    @property
    def id(self) -> str:
        """Return the name that it is shown and tried again under, among the debts."""
        return f"spool-{self.place}"


@dataclass(frozen=True, slots=True)
class Backlog:
    """What there is in the spool."""

    waiting: int
    parked: int
    """Calls that the database would not take, kept for a person."""
    oldest: datetime | None
    """When the first of those that wait arrived."""
