"""The shared store: MongoDB 4.4 and later, acknowledged and journaled writes.

Only what every server and stand-in agrees on is used: flat filters, `update_one` with a guard,
partial unique indexes (`facts` of each choice are in the contract tests).
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from bson import ObjectId
from pymongo import ASCENDING, AsyncMongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection

from appliance.domain.errors import Conflict
from appliance.domain.queries import Cursor, Moment, Slots, Tally
from appliance.store import mongo_indexes
from appliance.store.mongo_calls import Calls
from appliance.store.mongo_pages import Pages, stored_id
from appliance.store.mongo_tally import pipeline, tallied
from appliance.store.port import Document, Shelf
from appliance.store.schema import COLLECTIONS

log = logging.getLogger(__name__)

_AWAY_AFTER_MS = 2500
_GIVE_UP_AFTER_MS = 8000
# What is under way when the store is closed; a server that is away is given up by then.
_LAST_SECONDS = 3.0
_AT_ONCE = 100
_EPOCH = datetime.fromtimestamp(0, UTC)

Target = AsyncCollection[Document]
T = TypeVar("T")


class MongoStore:
    """One database of one server or replica set."""

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        self._client = client
        self._calls = Calls()
        self._database = client.get_database(
            database, write_concern=WriteConcern(w="majority", j=True)
        )
        self._preparing: asyncio.Future[None] | None = None
        self._prepared = False

    @classmethod
    def connect(cls, uri: str, database: str) -> "MongoStore":
        """Return the store; nothing is sent before the first verb, so start-up never waits."""
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            uri,
            tz_aware=True,
            serverSelectionTimeoutMS=_AWAY_AFTER_MS,
            # Not `timeoutMS`: it would also be how long a server that is away is looked for.
            socketTimeoutMS=_GIVE_UP_AFTER_MS,
            appname="hotspot-appliance",
        )
        return cls(client, database)

    async def insert(self, collection: str, document: Document) -> None:
        """Add a document."""
        stored = _stored(collection, document)
        await self._ask(collection, lambda target: target.insert_one(stored))

    async def get(self, collection: str, key: str, value: str) -> Document | None:
        """Return the document with this unique key."""
        if key not in {*COLLECTIONS[collection].unique, "_id"}:
            raise KeyError(key)
        where = {key: stored_id(value) if key == "_id" else value}
        found = await self._ask(collection, lambda target: target.find_one(where))
        return None if found is None else _loaded(found)

    async def change(
        self, collection: str, record_id: str, changes: Mapping[str, Any], when: Mapping[str, Any]
    ) -> None:
        """Set these paths if all of `when` still holds."""
        COLLECTIONS[collection].refuse_change()
        stored = {path: _value(collection, path, value) for path, value in changes.items()}
        gone = {path: "" for path, value in stored.items() if value is None}
        update: Document = {"$set": {p: v for p, v in stored.items() if v is not None}}
        if gone:
            update["$unset"] = gone
        which = {"_id": stored_id(record_id), **when}
        result = await self._ask(collection, lambda target: target.update_one(which, update))
        if result.matched_count == 0:
            raise Conflict(f"{collection} {record_id}")

    async def due(
        self, collection: str, now: datetime, limit: int, scope: str | None = None
    ) -> list[Document]:
        """Return documents whose debt is due."""
        where: Document = {"owed.at": {"$gte": _EPOCH, "$lte": now}}  # not what owes nothing
        path = COLLECTIONS[collection].scope
        if scope is not None and path is not None:
            where = {path: _value(collection, path, scope), **where}

        async def due(target: Target) -> list[Document]:
            cursor = target.find(where).sort("owed.at", ASCENDING).limit(limit)
            return [_loaded(document) async for document in cursor]

        return await self._ask(collection, due)

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
        """Return documents with this value, the newest first."""
        declared = COLLECTIONS[collection]
        if index not in {None, *(fields[0].lstrip("-") for fields in declared.indexes)}:
            raise KeyError(index)
        if before is not None or since is not None:
            declared.refuse_bounds()
        where = {} if index is None else {index: _value(collection, index, value)}

        def page(target: Target) -> Awaitable[list[Document]]:
            return Pages(target, where, declared.newest).page(limit, before, since)

        return [_loaded(document) for document in await self._ask(collection, page)]

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
        """Count by what there is at these paths."""
        declared = COLLECTIONS[collection]
        declared.refuse_times()
        stages = pipeline(declared.newest, by, (since, until), total, slots)

        async def tally(target: Target) -> list[Tally]:
            groups = await target.aggregate(stages)
            return [tallied(_loaded(group), by, slots) async for group in groups]

        return await self._ask(collection, tally)

    async def every(self, collection: str) -> AsyncIterator[Document]:
        """Yield every document."""
        cursor = self._database.get_collection(collection).find({})
        while some := await self._calls.ask(collection, cursor.to_list(_AT_ONCE), None):
            for document in some:
                yield _loaded(document)

    async def inspect(self, collection: str) -> Shelf:
        """Return what is there as it is: looking makes no index."""
        target = self._database.get_collection(collection)

        async def look() -> tuple[int, list[mongo_indexes.Index]]:
            count = await target.estimated_document_count()
            return count, await mongo_indexes.missing(target, COLLECTIONS[collection])

        count, lacking = await self._calls.ask(collection, look(), _GIVE_UP_AFTER_MS / 1000)
        unguarded = any(index.options.get("unique") for index in lacking)
        return Shelf(count, tuple(index.name for index in lacking), unguarded)

    async def prune(self, collection: str, path: str, before: datetime) -> int:
        """Remove what is older and owes nothing; the server's own TTL index does the rest."""
        COLLECTIONS[collection].refuse_change()
        absent = {"$exists": False}
        stale = {path: {"$lt": before}, "owed.at": absent, "undated": absent}
        result = await self._ask(collection, lambda target: target.delete_many(stale))
        return result.deleted_count

    async def ping(self) -> None:
        """Return when the server answers."""

        async def pong() -> None:
            await self._of("payments")
            await self._client.admin.command("ping")

        await self._calls.ask("", pong(), None)  # the first time it makes every index

    async def close(self) -> None:
        """Close every connection, once what is under way has ended or took too long."""
        await self._calls.over(_LAST_SECONDS)
        await self._client.close()

    async def _ask(self, collection: str, work: Callable[[Target], Awaitable[T]]) -> T:
        """Return what this makes of a collection; a server that hangs is away too."""

        async def call() -> T:
            return await work(await self._of(collection))

        return await self._calls.ask(collection, call(), _GIVE_UP_AFTER_MS / 1000)

    async def _of(self, collection: str) -> Target:
        """Return a collection whose unique keys hold: without them one receipt could pay twice."""
        if not self._prepared:
            if self._preparing is None:
                self._preparing = asyncio.ensure_future(self._prepare_all())
                self._preparing.add_done_callback(self._prepared_or_not)
            await asyncio.shield(self._preparing)  # all who wait share one try and its fate
        return self._database.get_collection(collection)

    async def _prepare_all(self) -> None:
        await mongo_indexes.prepare_all(self._database)
        self._prepared = True

    def _prepared_or_not(self, done: "asyncio.Future[None]") -> None:
        self._preparing = None
        if not done.cancelled() and done.exception() is not None:
            log.warning("the database is not prepared yet why=%s", type(done.exception()).__name__)


def _value(collection: str, path: str, value: Any) -> Any:
    """Return a value as stored at this path: our hex ids are ObjectIds there."""
    if isinstance(value, dict):
        return {name: _value(collection, f"{path}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, str) and path in COLLECTIONS[collection].ids:
        return stored_id(value)
    return value


def _stored(collection: str, document: Document) -> Document:
    made = {name: _value(collection, name, value) for name, value in document.items()}
    return {**made, "_id": stored_id(document["_id"])}


def _loaded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _loaded(inner) for name, inner in value.items() if inner is not None}
    return str(value) if isinstance(value, ObjectId) else value
