"""A store in memory, held to the same contract: for tests that run thousands of stories."""

import copy
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import bson

from appliance.domain.errors import Conflict, Duplicate
from appliance.domain.queries import Cursor, Moment, Slots, Tally
from appliance.store.port import Document, Shelf
from appliance.store.schema import COLLECTIONS, Collection

EPOCH = datetime.fromtimestamp(0, UTC)


class MemoryStore:
    """Documents in dictionaries; nothing survives the process."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Document]] = {name: {} for name in COLLECTIONS}

    async def insert(self, collection: str, document: Document) -> None:
        there = self.collections[collection]
        bson.encode(document)  # what no database takes is not taken here
        if document["_id"] in there:
            raise Duplicate(collection, "_id")
        self._refuse_twins(COLLECTIONS[collection], document)
        there[document["_id"]] = copy.deepcopy(document)

    async def get(self, collection: str, key: str, value: str) -> Document | None:
        if key not in {*COLLECTIONS[collection].unique, "_id"}:
            raise KeyError(key)
        return self._copy(d for d in self._all(collection) if _at(d, key) == value)

    async def change(
        self, collection: str, record_id: str, changes: Mapping[str, Any], when: Mapping[str, Any]
    ) -> None:
        COLLECTIONS[collection].refuse_change()
        there = self.collections[collection].get(record_id)
        if there is None or any(_at(there, path) != value for path, value in when.items()):
            raise Conflict(record_id)
        bson.encode(dict(changes))
        newer = copy.deepcopy(there)
        for path, value in changes.items():
            _put(newer, path.split("."), copy.deepcopy(value))
        self._refuse_twins(COLLECTIONS[collection], newer)
        self.collections[collection][record_id] = newer

    async def due(
        self, collection: str, now: datetime, limit: int, scope: str | None = None
    ) -> list[Document]:
        path = COLLECTIONS[collection].scope
        found = [
            document
            for document in self._all(collection)
            if (at := _at(document, "owed.at")) is not None
            and at <= now
            and (scope is None or path is None or _at(document, path) == scope)
        ]
        found.sort(key=lambda document: _at(document, "owed.at"))
        return copy.deepcopy(found[:limit])

    async def page(
        self,
        collection: str,
        index: str | None,
        value: object,
        limit: int,
        *,
        before: Cursor | None = None,
        since: Moment | None = None,
    ) -> list[Document]:
        declared = COLLECTIONS[collection]
        if index not in {None, *(fields[0].lstrip("-") for fields in declared.indexes)}:
            raise KeyError(index)
        if before is not None or since is not None:
            declared.refuse_bounds()

        def place(document: Document) -> tuple[Any, ...]:
            moment = _at(document, declared.newest)
            return (moment is not None, moment or 0, document["_id"])

        found = [d for d in self._all(collection) if index is None or _at(d, index) == value]
        if since is not None:
            found = [d for d in found if place(d) >= (True, since, "")]
        if before is not None:
            found = [d for d in found if place(d)[0] and place(d) < (True, before.at, before.id)]
        found.sort(key=place, reverse=True)
        return copy.deepcopy(found[:limit])

    async def tally(
        self,
        collection: str,
        by: Sequence[str],
        since: datetime,
        until: datetime,
        total: str | None = None,
        *,
        slots: Slots | None = None,
    ) -> list[Tally]:
        declared = COLLECTIONS[collection]
        declared.refuse_times()
        found: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        for document in self._all(collection):
            moment = _at(document, declared.newest)
            if moment is None or not since <= moment < until:
                continue
            held = [_at(document, path.rstrip("?")) for path in by]
            group = tuple(
                value is not None if path.endswith("?") else value
                for path, value in zip(by, held, strict=True)
            )
            slot = (
                None if slots is None else moment - (moment + slots.offset - EPOCH) % slots.length
            )
            found[group, slot].append(0 if total is None else _at(document, total) or 0)
        return [
            Tally(group, len(every), sum(every), slot) for (group, slot), every in found.items()
        ]

    async def every(self, collection: str) -> AsyncIterator[Document]:
        for document in copy.deepcopy(self._all(collection)):
            yield document

    async def inspect(self, collection: str) -> Shelf:
        return Shelf(len(self.collections[collection]))

    async def prune(self, collection: str, path: str, before: datetime) -> int:
        COLLECTIONS[collection].refuse_change()
        old = [
            document["_id"]
            for document in self._all(collection)
            if _at(document, path) < before and _at(document, "owed.at") is None
        ]
        for record_id in old:
            del self.collections[collection][record_id]
        return len(old)

    async def ping(self) -> None:
        """Nothing can be away."""

    async def close(self) -> None:
        """Nothing is open."""

    def _all(self, collection: str) -> list[Document]:
        return list(self.collections[collection].values())

    def _refuse_twins(self, collection: Collection, document: Document) -> None:
        for key in collection.unique:
            value = _at(document, key)
            for other in self._all(collection.name) if isinstance(value, str) else ():
                if other["_id"] != document["_id"] and _at(other, key) == value:
                    raise Duplicate(collection.name, key)

    @staticmethod
    def _copy(found: Any) -> Document | None:
        return copy.deepcopy(next(iter(found), None))


class AmbushedStore(MemoryStore):
    """A store where something may happen between a look and the write that follows from it."""

    ambush: Callable[[], Awaitable[None]] | None = None

    async def change(
        self, collection: str, record_id: str, changes: Mapping[str, Any], when: Mapping[str, Any]
    ) -> None:
        if self.ambush is not None:
            ambush, self.ambush = self.ambush, None
            await ambush()
        await super().change(collection, record_id, changes, when)


def _at(document: Document, path: str) -> Any:
    found: Any = document
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _put(document: Document, path: list[str], value: Any) -> None:
    head, *rest = path
    if rest:
        _put(document.setdefault(head, {}), rest, value)
    elif value is None:
        document.pop(head, None)
    else:
        document[head] = value
