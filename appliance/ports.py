"""What flows need from outside, each with its promise."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from appliance.domain.audit import Entry as AuditEntry
from appliance.domain.debts import Owed
from appliance.domain.devices import Device, Entry, HotspotUser, Seat, Session
from appliance.domain.evidence import Evidence, Received, StatusResult
from appliance.domain.health import RouterHealth
from appliance.domain.messages import Message, Sent
from appliance.domain.paybills import Paybill, RouterRecord, User
from appliance.domain.payments import Payment
from appliance.domain.plans import Plan
from appliance.domain.queries import Cursor, Moment, Slots, Tally
from appliance.domain.records import Backlog, Initiation, PutAside, Spooled, WebhookLog
from appliance.domain.reversals import Result as ReversalResult
from appliance.domain.vouchers import Voucher


class Record(Protocol):
    """Anything stored: named, and counted up at every change."""

    @property
    def id(self) -> str: ...
    @property
    def version(self) -> int: ...


class Owing(Record, Protocol):
    """A record that may owe something."""

    @property
    def owed(self) -> Owed | None: ...


R = TypeVar("R", bound=Record)


class Records(Protocol[R]):
    """One collection of typed documents. Every write is on the disk when its call returns.

    Every method raises `StoreUnavailable` when the database does not answer.
    """

    async def insert(self, record: R) -> R:
        """Store a new record; raise `Duplicate` when a unique key is taken."""
        ...

    async def get(self, record_id: str) -> R | None: ...

    async def recall(self, record_id: str) -> R | None:
        """Return the record as last seen here, perhaps not the latest: only to change it."""
        ...

    async def find(self, key: str, value: str) -> R | None:
        """Return the record with this declared unique key."""
        ...

    async def change(self, before: R, after: R) -> R:
        """Store what differs and return it, one version on.

        Raise `Conflict` if anybody was faster, `Duplicate` when a unique key is taken.
        """
        ...

    async def due(self, now: datetime, limit: int) -> list[R]:
        """Return records whose debt is due, the oldest first."""
        ...

    async def owing(self, limit: int) -> list[R]:
        """Return records that owe anything, whenever it is due, the soonest first."""
        ...

    async def page(
        self,
        index: str | None,
        value: object,
        limit: int,
        *,
        before: Cursor | None = None,
        since: Moment | None = None,
    ) -> list[R]:
        """Return records with this value of a declared index, the newest first; fewer are all.

        Without an index, of all records. The next page is what is `before` the cursor of the last
        record, its moment and its id; nothing is twice on two pages or on none. `since` is of it.
        """
        ...

    async def tally(
        self,
        by: Sequence[str],
        since: datetime,
        until: datetime,
        total: str | None = None,
        *,
        slots: Slots | None = None,
    ) -> list[Tally]:
        """Count the records from `since` until before `until`, by what they hold at these paths.

        A path that ends in `?` stands for whether they hold anything there. `total` is a path of
        whole numbers to add up. In no order to rely on.
        """
        ...


class Entries(Protocol):
    """The audit log: nothing in it is ever changed."""

    async def insert(self, record: AuditEntry) -> AuditEntry:
        """Add an entry; raise `Duplicate` when its place is taken."""
        ...

    async def page(
        self,
        index: str | None,
        value: object,
        limit: int,
        *,
        before: Cursor | None = None,
        since: Moment | None = None,
    ) -> list[AuditEntry]:
        """Return entries as `Records.page` does, the highest place first."""
        ...


Payments = Records[Payment]
Vouchers = Records[Voucher]
Seats = Records[Seat]
Initiations = Records[Initiation]
WebhookLogs = Records[WebhookLog]
Paybills = Records[Paybill]
Plans = Records[Plan]
Users = Records[User]
Routers = Records[RouterRecord]
Messages = Records[Message]


class Spool(Protocol):
    """Calls kept on this box while the shared database is away. Every write is on the disk.

    Every method raises `StoreUnavailable` when the disk does not take or give them.
    """

    @property
    def waiting(self) -> bool:
        """Say whether any call waits, as far as is known: at start one may."""
        ...

    async def keep(self, webhook: WebhookLog, token_hash: str | None) -> None:
        """Keep a call behind the others; raise `StoreUnavailable` where there is no room."""
        ...

    async def oldest(self, limit: int) -> list[Spooled]:
        """Return the calls that have waited longest, in their order."""
        ...

    async def remove(self, places: Collection[int]) -> None:
        """Forget what the database has."""
        ...

    async def park(self, place: int, reason: str) -> None:
        """Put a call aside, so that it is in nobody's way."""
        ...

    async def parked(self) -> list[PutAside]:
        """Return the calls that were put aside, in their order."""
        ...

    async def unpark(self, place: int | None = None) -> None:
        """Have one call that was put aside tried again, or every one."""
        ...

    async def backlog(self) -> Backlog:
        """Return how much there is."""
        ...


class Clock(Protocol):
    """The time, which a box without a battery may get wrong, and seconds that only grow."""

    def now(self) -> datetime:
        """Return the time, aware and in UTC, in whole milliseconds: the best that is known."""
        ...

    def certain(self) -> datetime | None:
        """Return the time where it is beyond doubt; while it is None, nothing may expire."""
        ...

    def monotonic(self) -> float: ...


class Cipher(Protocol):
    """Keeps paybill secrets unreadable at rest; one that others wrote in clear is read as it is."""

    def seal(self, secret: str) -> str:
        """Return what to store of a secret."""
        ...

    def open(self, stored: str) -> str:
        """Return the secret; raise `SalesClosed` with the operator's reason where no key fits."""
        ...

    def is_current(self, stored: str) -> bool:
        """Say whether `seal` would only seal it again."""
        ...


class Gateway(Protocol):
    """Who collects the money."""

    async def push(
        self, payment: Payment, callback_token: str, not_after: float
    ) -> tuple[str, str]:
        """Prompt the customer's phone once; return CheckoutRequestID and MerchantRequestID.

        Raise `GatewayRefused` or `GatewayUnavailable` when no prompt was started, and
        `OutcomeUnknown` on silence. It never sends twice, and nothing once the clock's
        `monotonic` is past `not_after`.
        """
        ...

    async def query(self, payment: Payment) -> Evidence:
        """Ask what became of a push; `UNDECIDED` whenever the answer proves nothing.

        Raise `GatewayUnavailable` or `OutcomeUnknown` when there is no answer at all.
        """
        ...

    async def pull(self, paybill_number: str, start: datetime, end: datetime) -> list[Received]:
        """List the payments that this account received in a time, whoever asked for them."""
        ...

    async def ask_status(self, paybill_number: str, receipt: str, token: str) -> None:
        """Ask what became of a receipt; the answer comes later, as a webhook with this token.

        Raise `GatewayRefused` where this account may not ask, and what every question raises.
        """
        ...

    def read_status(self, body: str) -> tuple[StatusResult, dict[str, object]]:
        """Return what such an answer says, and its payload for the log; raise `Invalid`."""
        ...

    async def reverse(self, paybill_number: str, receipt: str, amount: int, token: str) -> None:
        """Order a payment back, once; how that ended comes later, as a webhook with this token.

        Raise `GatewayRefused` or `GatewayUnavailable` when nothing was ordered, and
        `OutcomeUnknown` on silence.
        """
        ...

    def read_reversal(self, body: str) -> tuple[ReversalResult, dict[str, object]]:
        """Return how such an order ended, and its payload for the log; raise `Invalid`."""
        ...

    def read_confirmation(self, body: str) -> tuple[Received, dict[str, object]]:
        """Return what a C2B message says, and its payload for the log; raise `Invalid`."""
        ...

    def read_callback(self, body: str) -> tuple[Evidence, dict[str, object]]:
        """Return what a callback says, and its payload for the log; raise `Invalid`."""
        ...


class Router(Protocol):
    """The hotspot. Raises `RouterUnreachable` (unknown: look again) or `RouterRefused`."""

    @property
    def way(self) -> str:
        """Return how this task's latest command went: `api` or `ssh`."""
        ...

    async def host(self, *, ip: str | None = None, mac: str | None = None) -> Device | None:
        """Return the device the router itself sees at this address."""
        ...

    async def ensure_user(self, user: HotspotUser) -> None:
        """Make the hotspot user exist; safe to repeat. One that exists keeps its limits."""
        ...

    async def users(self, *, name: str | None = None) -> list[Entry]:
        """Return the hotspot users that are ours, all of them or the one of exactly this name."""
        ...

    async def set_limits(self, user: HotspotUser) -> None:
        """Give our user of exactly this name these limits, and let it in; none there is no error.

        The router counts limits from its counters' zero. A running session keeps the old ones.
        """
        ...

    async def cut(self, user: str) -> None:
        """Shut a user of ours out and forget it; safe to repeat. Ask before who is in.

        When it returns, nobody is in with this name. Somebody else's user is not touched.
        """
        ...

    async def leave(self, user: str, mac: str) -> None:
        """Log one device of a user out, so that it does not come back by itself."""
        ...

    async def sessions(self, *, user: str | None = None, mac: str | None = None) -> list[Session]:
        """Return who is online now: by user, by device, or everybody."""
        ...

    async def login(self, user: str, device: Device) -> None:
        """Log the device in on the router's side; no browser is involved."""
        ...

    async def health(self) -> RouterHealth:
        """Return what the router says of itself."""
        ...


class Messenger(Protocol):
    """Who carries messages to phones."""

    async def send(self, to: str, text: str) -> Sent:
        """Send one message, once, to a number of 12 digits.

        Raise `SmsRefused` where it will never be sent, `SmsUnavailable` where nothing was sent
        now, and `OutcomeUnknown` on silence.
        """
        ...


class Wording(Protocol):
    """What messages say, in every language of the customers."""

    def text(self, language: str, key: str, **values: object) -> str:
        """Return a sentence with its blanks filled, no longer than one SMS where it can be.

        A `timedelta` and a `datetime` are said as people say them.
        """
        ...


Handover = Callable[[R], None]
"""Give a record whose debt was born leased to the worker in this process."""

Later = Callable[[Callable[[], Awaitable[object]]], None]
"""Have bookkeeping done soon, after the gates that wait; a stored debt makes up for its loss."""

Beat = Callable[[], None]
"""Say that a loop has come round."""

Watched = Callable[[str], Beat]
"""Have the loop of this name watched: from now on it must come round, busy or idle."""
