"""Typed collections over any store: compare-and-set on `version`, so a stale save is a conflict."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from appliance.domain.audit import Entry
from appliance.domain.devices import Seat
from appliance.domain.errors import Conflict, Unreadable
from appliance.domain.paybills import Paybill, RouterRecord, User
from appliance.domain.payments import Payment
from appliance.domain.plans import Plan
from appliance.domain.queries import Cursor, Moment, Slots, Tally
from appliance.domain.records import Initiation, WebhookLog
from appliance.domain.vouchers import Voucher
from appliance.ports import Record, Spool
from appliance.store import codec, schema
from appliance.store.port import Document, Store

log = logging.getLogger(__name__)

_RECENT = 512
_EVER = datetime(9999, 1, 1, tzinfo=UTC)
# A later version on another box may read it, and its customer waits: not for too long.
_PARKED = timedelta(minutes=10)

R = TypeVar("R", bound=Record)
Observer = Callable[[Record | None, Record], None]
"""Is told of every write that was made: what was there, if anything, and what is there now."""


class StoredRecords(Generic[R]):
    """One collection of one type of record."""

    def __init__(
        self,
        store: Store,
        collection: schema.Collection,
        kind: type[R],
        scope: str | None = None,
        observe: Observer | None = None,
    ) -> None:
        """Take what `due` is limited to, where several boxes share the collection."""
        self._store = store
        self._name, self._newest = collection.name, collection.newest
        self._kind = kind
        self._scope = scope
        self._observe = observe
        self._guards = collection.guards
        self._unreadable: set[str] = set()
        self._recent: OrderedDict[str, R] = OrderedDict()

    async def insert(self, record: R) -> R:
        """Store a new record."""
        await self._store.insert(self._name, codec.document(record))
        return self._stored(None, record)

    async def get(self, record_id: str) -> R | None:
        """Return the record with this id."""
        return await self.find("_id", record_id)

    async def recall(self, record_id: str) -> R | None:
        """Return the record as last seen here; whoever changes a stale one meets `Conflict`."""
        recent = self._recent.get(record_id)
        return await self.get(record_id) if recent is None else recent

    async def find(self, key: str, value: str) -> R | None:
        """Return the record with this unique key."""
        if not _storable(value):
            return None
        found = await self._store.get(self._name, key, value)
        if found is None:
            return None
        try:
            return self._seen(self._read(found))
        except codec.MISSHAPEN as error:
            raise Unreadable(f"{self._name} {found['_id']}") from error

    async def change(self, before: R, after: R) -> R:
        """Store what differs if `before` is still the latest."""
        newer = cast("R", replace(cast("Any", after), version=before.version + 1))
        old = codec.document(before)
        changes = codec.changes(old, codec.document(newer))
        guarded = {path: codec.at(old, path) for path in self._guards}
        when = {"version": before.version or None} | guarded
        self._recent.pop(before.id, None)
        await self._store.change(self._name, before.id, changes, when)
        return self._stored(before, newer)

    async def due(self, now: datetime, limit: int) -> list[R]:
        """Return records whose debt is due; what cannot be read is parked, out of their way."""
        while True:
            documents = await self._store.due(self._name, now, limit, self._scope)
            found = self._readable(documents)
            there = {record.id for record in found}
            strange = [document for document in documents if str(document["_id"]) not in there]
            parked = [await self._park(document, now) for document in strange]
            if found or not any(parked) or len(documents) < limit:
                return found

    async def owing(self, limit: int) -> list[R]:
        """Return records that owe anything, whenever it is due, the soonest first."""
        return self._readable(await self._store.due(self._name, _EVER, limit, self._scope))

    async def page(
        self,
        index: str | None,
        value: object,
        limit: int,
        *,
        before: Cursor | None = None,
        since: Moment | None = None,
    ) -> list[R]:
        """Return records with this value, the newest first; what cannot be read takes no room."""
        found = list[R]()
        while True:
            wanted = limit - len(found)
            documents = await self._store.page(
                self._name, index, value, wanted, before=before, since=since
            )
            found += self._readable(documents)
            last = codec.at(documents[-1], self._newest) if documents else None
            full = len(found) == limit or len(documents) < wanted
            if full or not isinstance(last, datetime | int):
                return found
            before = Cursor(last, str(documents[-1]["_id"]))

    async def tally(
        self,
        by: Sequence[str],
        since: datetime,
        until: datetime,
        total: str | None = None,
        *,
        slots: Slots | None = None,
    ) -> list[Tally]:
        """Count records of this time by what they hold."""
        return await self._store.tally(self._name, by, since, until, total, slots=slots)

    def _read(self, document: Document) -> R:
        record = codec.record(self._kind, document)
        if not isinstance(record.version, int):
            raise TypeError("a version is a number")
        return record

    async def unreadable(self) -> list[str]:
        """Return the ids of what this version cannot read; every document is looked at."""
        found = []
        async for document in self._store.every(self._name):
            try:
                self._read(document)
            except codec.MISSHAPEN:
                found.append(str(document["_id"]))
        return found

    async def _park(self, document: Document, now: datetime) -> bool:
        """Put a debt off with its reason, unless who can read it was faster."""
        since = codec.at(document, "owed.parkedAt") or now
        later = {
            "owed.at": now + _PARKED,
            "owed.lastError": Unreadable.code,
            "owed.parkedAt": since,
            "owed.leaseUntil": None,
        }
        as_read = {"owed.at": codec.at(document, "owed.at"), "version": document.get("version")}
        try:
            await self._store.change(self._name, str(document["_id"]), later, as_read)
        except Conflict:
            return False
        return True

    def _stored(self, before: R | None, after: R) -> R:
        if self._observe is not None:
            self._observe(before, after)
        return self._seen(after)

    def _seen(self, record: R) -> R:
        self._recent[record.id] = record
        self._recent.move_to_end(record.id)
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return record

    def _readable(self, documents: list[Document]) -> list[R]:
        """Return the records of a list; one that cannot be read never hides the others."""
        found = []
        for document in documents:
            try:
                found.append(self._read(document))
            except codec.MISSHAPEN:
                if document["_id"] not in self._unreadable:
                    self._unreadable.add(document["_id"])
                    log.exception("left out, unreadable %s=%s", self._name, document["_id"])
        return found


def _storable(text: str) -> bool:
    """Say whether any database could hold this text: half a character is in none."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Books:
    """Every collection of the product, and what keeps calls while they are away."""

    payments: StoredRecords[Payment]
    vouchers: StoredRecords[Voucher]
    seats: StoredRecords[Seat]
    initiations: StoredRecords[Initiation]
    webhooks: StoredRecords[WebhookLog]
    paybills: StoredRecords[Paybill]
    plans: StoredRecords[Plan]
    users: StoredRecords[User]
    routers: StoredRecords[RouterRecord]
    audit: StoredRecords[Entry]
    spool: Spool | None = None


def books(store: Store, router_id: str | None = None, observe: Observer | None = None) -> Books:
    """Open every collection on this store; only this router's vouchers ever fall due."""
    return Books(
        payments=StoredRecords(store, schema.PAYMENTS, Payment, observe=observe),
        vouchers=StoredRecords(store, schema.VOUCHERS, Voucher, router_id, observe),
        seats=StoredRecords(store, schema.SEATS, Seat),
        initiations=StoredRecords(store, schema.INITIATIONS, Initiation),
        webhooks=StoredRecords(store, schema.WEBHOOKS, WebhookLog, observe=observe),
        paybills=StoredRecords(store, schema.PAYBILLS, Paybill),
        plans=StoredRecords(store, schema.PLANS, Plan),
        users=StoredRecords(store, schema.USERS, User),
        routers=StoredRecords(store, schema.ROUTERS, RouterRecord),
        audit=StoredRecords(store, schema.AUDIT, Entry),
    )
