"""Typed collections over any store: compare-and-set on `version`, so a stale save is a conflict."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar, cast

from appliance.domain.paybills import Paybill, RouterRecord, User
from appliance.domain.payments import Payment
from appliance.domain.plans import Plan
from appliance.domain.records import Initiation, WebhookLog
from appliance.domain.vouchers import Voucher
from appliance.ports import Record
from appliance.store import codec, schema
from appliance.store.port import Store

R = TypeVar("R", bound=Record)


class StoredRecords(Generic[R]):
    """One collection of one type of record."""

    def __init__(self, store: Store, collection: schema.Collection, kind: type[R]) -> None:
        self._store = store
        self._name = collection.name
        self._kind = kind

    async def insert(self, record: R) -> R:
        """Store a new record."""
        await self._store.insert(self._name, codec.document(record))
        return record

    async def get(self, record_id: str) -> R | None:
        """Return the record with this id."""
        return await self.find("_id", record_id)

    async def find(self, key: str, value: str) -> R | None:
        """Return the record with this unique key."""
        found = await self._store.get(self._name, key, value)
        return None if found is None else codec.record(self._kind, found)

    async def change(self, before: R, after: R) -> R:
        """Store what differs if `before` is still the latest."""
        newer = cast("R", replace(cast("Any", after), version=before.version + 1))
        changes = codec.changes(codec.document(before), codec.document(newer))
        when = {"version": before.version or None}
        await self._store.change(self._name, before.id, changes, when)
        return newer

    async def due(self, now: datetime, limit: int) -> list[R]:
        """Return records whose debt is due."""
        found = await self._store.due(self._name, now, limit)
        return [codec.record(self._kind, document) for document in found]

    async def page(self, index: str, value: object, limit: int) -> list[R]:
        """Return records with this value, the newest first."""
        found = await self._store.page(self._name, index, value, limit)
        return [codec.record(self._kind, document) for document in found]


@dataclass(frozen=True, slots=True)
class Books:
    """Every collection of the product."""

    payments: StoredRecords[Payment]
    vouchers: StoredRecords[Voucher]
    initiations: StoredRecords[Initiation]
    webhooks: StoredRecords[WebhookLog]
    paybills: StoredRecords[Paybill]
    plans: StoredRecords[Plan]
    users: StoredRecords[User]
    routers: StoredRecords[RouterRecord]


def books(store: Store) -> Books:
    """Open every collection on this store."""
    return Books(
        payments=StoredRecords(store, schema.PAYMENTS, Payment),
        vouchers=StoredRecords(store, schema.VOUCHERS, Voucher),
        initiations=StoredRecords(store, schema.INITIATIONS, Initiation),
        webhooks=StoredRecords(store, schema.WEBHOOKS, WebhookLog),
        paybills=StoredRecords(store, schema.PAYBILLS, Paybill),
        plans=StoredRecords(store, schema.PLANS, Plan),
        users=StoredRecords(store, schema.USERS, User),
        routers=StoredRecords(store, schema.ROUTERS, RouterRecord),
    )
