"""What waits and what is parked, of every collection: read as stored, whatever its shape.

A debt in a document that no type of ours can read is one of those that a person must see.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from appliance.domain.debts import LONGEST_PUT_OFF, Kind
from appliance.domain.errors import Conflict, Invalid
from appliance.store.codec import at
from appliance.store.port import Document, Store
from appliance.store.schema import COLLECTIONS

MOST = 1000
"""Looked at of one collection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """One debt that is not paid though its time has come, or that was tried and put off."""

    collection: str
    id: str
    kind: str
    at: datetime
    """When it is tried next."""
    since: datetime | None
    attempts: int
    last_error: str | None
    parked_at: datetime | None
    """Since when it waits for a person; None where it is tried again by itself."""
    being_paid: bool


class Debts:
    """Looks at debts without taking any, and brings one forward."""

    def __init__(self, store: Store, router_id: str | None) -> None:
        """Take whose vouchers are meant; None for every box's."""
        self._store = store
        self._router_id = router_id

    async def outstanding(self, now: datetime) -> list[Debt]:
        """Return what waits or is parked, whatever was to happen first at the top.

        What is only planned, such as the end of a voucher that runs, is not among it.
        """
        found = [debt async for debt in self._all(now)]
        return sorted(found, key=lambda debt: debt.since or debt.at)

    async def retry(self, record_id: str, now: datetime) -> Debt:
        """Have it tried at once by whichever process pays here; raise `Invalid` in words."""
        collection, document = await self._owing(record_id)
        debt = _debt(collection, document, now)
        if debt.being_paid:
            raise Invalid("it is being tried just now")
        changes = {"owed.at": now, "version": _version(document) + 1}
        as_read = {"owed.at": at(document, "owed.at"), "version": document.get("version")}
        try:
            await self._store.change(collection, record_id, changes, as_read)
        except Conflict as error:
            raise Invalid("it has moved on by itself meanwhile") from error
        return debt

    async def _all(self, now: datetime) -> AsyncIterator[Debt]:
        for name, collection in COLLECTIONS.items():
            if not collection.owes:
                continue
            horizon = now + LONGEST_PUT_OFF
            for document in await self._store.due(name, horizon, MOST, self._router_id):
                debt = _debt(name, document, now)
                if debt.at <= now or debt.being_paid or debt.last_error is not None:
                    yield debt

    async def _owing(self, record_id: str) -> tuple[str, Document]:
        for name, collection in COLLECTIONS.items():
            document = await self._store.get(name, "_id", record_id) if collection.owes else None
            if document is not None and isinstance(at(document, "owed.at"), datetime):
                return name, document
        raise Invalid(f"nothing is owed under the id {record_id}")


def _debt(collection: str, document: Document, now: datetime) -> Debt:
    owed = document["owed"]
    lease = _time(owed.get("leaseUntil"))
    kind, error = owed.get("kind"), owed.get("lastError")
    return Debt(
        collection=collection,
        id=str(document["_id"]),
        kind=kind if isinstance(kind, str) and kind in set(Kind) else "unknown",
        at=owed["at"],
        since=_time(owed.get("since")),
        attempts=_number(owed.get("attempts")),
        last_error=None if error is None or error == "" else str(error),
        parked_at=_time(owed.get("parkedAt")),
        being_paid=lease is not None and lease > now,
    )


def _time(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _version(document: Document) -> int:
    return _number(document.get("version"))
