"""Every collection, its unique keys and its indexes; the same names on both stores.

`paybills`, `stk_initiations` and `webhook_logs` are shared with the owner's other programs, so
their names, fields and indexes are the ones those programs know.
"""

from dataclasses import dataclass
from datetime import timedelta

KEEP_WEBHOOKS = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What a store must know of a collection."""

    name: str
    unique: tuple[str, ...] = ()
    """Paths that are unique where they hold text."""
    indexes: tuple[tuple[str, ...], ...] = ()
    """What is asked for: paths in order; a leading `-` means descending."""
    theirs: tuple[str, ...] = ()
    """Paths that only the owner's other programs ask for: indexed where the database is shared."""
    ids: frozenset[str] = frozenset()
    """Paths that hold an ObjectId on MongoDB."""
    newest: str = "createdAt"
    """The path that orders a page, newest first; where that is `_id`, no page has bounds."""
    owes: bool = False
    scope: str | None = None
    """The path that says which box pays what a document owes; without one, any box does."""
    append_only: bool = False
    """Whether nothing in it may ever be changed or removed."""
    guards: tuple[str, ...] = ()
    """Paths that must not have moved either: other programs write them without our `version`."""
    ttl: tuple[str, ...] = ()
    """Paths whose documents are forgotten after `KEEP_WEBHOOKS`."""

    def refuse_change(self) -> None:
        """Raise where what is there stays as it is."""
        if self.append_only:
            raise TypeError(f"{self.name} is only added to")

    def refuse_times(self) -> None:
        """Raise where it is no time that orders a page."""
        if self.newest in {"_id", "order", "place"}:
            raise KeyError(f"{self.name} have no time")

    def refuse_bounds(self) -> None:
        """Raise where no moment orders a page, so that there is none to begin or end at."""
        if self.newest == "_id":
            raise KeyError(f"{self.name} are in no order of time")

    @property
    def debts(self) -> tuple[str, ...]:
        """Return the paths of the index that finds what is due; empty where nothing is owed."""
        if not self.owes:
            return ()
        return ("owed.at",) if self.scope is None else (self.scope, "owed.at")


PAYBILLS = Collection(
    name="paybills",
    unique=("paybillInfo.number",),
    indexes=(("status",), ("paybillInfo.storeNumber",), ("config.c2bShortCode",)),
    ids=frozenset({"userId"}),
    newest="_id",
    guards=("credentials.accessToken",),
)
INITIATIONS = Collection(
    name="stk_initiations",
    unique=("CheckoutRequestID",),
    indexes=(("AccountReference",), ("status", "-createdAt"), ("-createdAt",)),
    theirs=("MerchantRequestID", "PhoneNumber", "paybillNumber", "status"),
    ids=frozenset({"routerId", "voucherId", "paymentId"}),
    guards=("status",),
)
"""An initiation bears its payment's id."""
WEBHOOKS = Collection(
    name="webhook_logs",
    indexes=(("source", "-timestamp"), ("paymentId",), ("undated", "-timestamp")),
    theirs=("source", "metadata.TransID", "metadata.BillRefNumber"),
    ids=frozenset({"paymentId"}),
    newest="timestamp",
    owes=True,
    ttl=("-timestamp",),
)
USERS = Collection(name="users", newest="_id")
ROUTERS = Collection(name="routers", ids=frozenset({"userId"}), newest="_id")
PLANS = Collection(name="plans", indexes=(("active", "-order"),), newest="order")
PAYMENTS = Collection(
    name="payments",
    unique=("mpesaReceiptNumber", "callbackHash", "openPhone"),
    indexes=(
        ("-createdAt",),
        ("status", "-createdAt"),
        ("phoneNumber", "-createdAt"),
        ("awaits", "-createdAt"),
        ("voucherId",),
    ),
    ids=frozenset({"routerId", "voucherId", "planId"}),
    owes=True,
)
VOUCHERS = Collection(
    name="vouchers",
    unique=("code", "token"),
    indexes=(
        ("-createdAt",),
        ("device.mac", "-createdAt"),
        ("status", "-createdAt"),
        ("plan.id", "-createdAt"),
        ("paymentId",),
        ("batch.number", "-createdAt"),
    ),
    ids=frozenset({"routerId", "movedFrom", "paymentId", "plan.id"}),
    owes=True,
    scope="routerId",
)
SEATS = Collection(name="seats", ids=frozenset({"voucherId"}), newest="_id")
AUDIT = Collection(name="audit", indexes=(("box", "-place"),), newest="place", append_only=True)
"""Who did what; an entry's id is its box and its place there, so no two can be in one place."""
MESSAGES = Collection(
    name="messages",
    unique=("about",),
    indexes=(("routerId", "-createdAt"), ("alertOf", "-createdAt"), ("status", "-createdAt")),
    ids=frozenset({"routerId", "voucherId", "paymentId"}),
    owes=True,
    scope="routerId",
    ttl=("-createdAt",),
)
MIGRATIONS = Collection(name="migrations", newest="appliedAt")
"""What has been done to the documents of earlier versions and other programs."""

COLLECTIONS = {
    collection.name: collection
    for collection in (
        PAYBILLS,
        INITIATIONS,
        WEBHOOKS,
        USERS,
        ROUTERS,
        PLANS,
        PAYMENTS,
        VOUCHERS,
        SEATS,
        AUDIT,
        MESSAGES,
        MIGRATIONS,
    )
}
