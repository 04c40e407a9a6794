"""The embedded default: documents as JSON in one SQLite file under `data_dir`."""

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from appliance.domain.errors import Conflict, Duplicate
from appliance.domain.queries import Cursor, Moment, Slots, Tally
from appliance.store.codec import at, put
from appliance.store.port import Document, Shelf
from appliance.store.schema import COLLECTIONS
from appliance.store.sqlite_tables import (
    DATE,
    UNIQUE,
    column_paths,
    column_values,
    create_all,
    indexes,
    indexes_there,
    ms,
    plain,
    quoted,
)
from appliance.store.sqlite_tally import tallied, tally_query
from appliance.store.thread import ConnectionThread

_BATCH = 200


class SqliteStore:
    """Writes share commits through one thread; reads have a thread of their own."""

    def __init__(self, path: Path) -> None:
        self._writer = ConnectionThread(path, writes=True)
        self._reader = ConnectionThread(path, writes=False)

    @classmethod
    async def open(cls, path: Path) -> "SqliteStore":
        """Open the file, made with its indexes where it is new."""
        store = cls(path)
        await store._writer.do(create_all)
        return store

    async def insert(self, collection: str, document: Document) -> None:
        """Add a document."""
        keys = column_values(COLLECTIONS[collection], document)
        names = ", ".join(("_id", "doc", *map(quoted, keys)))
        marks = ", ".join("?" * (len(keys) + 2))
        statement = f"INSERT INTO {collection} ({names}) VALUES ({marks})"  # noqa: S608 # our own names
        row = (document["_id"], dump(document), *keys.values())

        def work(connection: sqlite3.Connection) -> None:
            _unique(collection, connection, statement, row)

        await self._writer.do(work)

    async def get(self, collection: str, key: str, value: str) -> Document | None:
        """Return the document with this unique key."""
        _declared((*COLLECTIONS[collection].unique, "_id"), key)
        where = f"{quoted(key)} = ?"
        found = await self._select(collection, where, (value,), "_id", 1)
        return found[0] if found else None

    async def change(
        self, collection: str, record_id: str, changes: Mapping[str, Any], when: Mapping[str, Any]
    ) -> None:
        """Set these paths if all of `when` still holds."""
        COLLECTIONS[collection].refuse_change()

        def work(connection: sqlite3.Connection) -> None:
            query = f"SELECT doc FROM {collection} WHERE _id = ?"  # noqa: S608
            row = connection.execute(query, (record_id,)).fetchone()
            document = load(row[0]) if row else {}
            if not row or any(at(document, path) != value for path, value in when.items()):
                raise Conflict(f"{collection} {record_id}")
            before = column_values(COLLECTIONS[collection], document)
            for path, value in changes.items():
                put(document, path.split("."), value)
            # Only the columns that changed: SQLite then leaves every other index alone.
            after = column_values(COLLECTIONS[collection], document)
            moved = {path: value for path, value in after.items() if value != before[path]}
            names = "".join(f", {quoted(path)} = ?" for path in moved)
            statement = f"UPDATE {collection} SET doc = ?{names} WHERE _id = ?"  # noqa: S608
            _unique(collection, connection, statement, (dump(document), *moved.values(), record_id))

        await self._writer.do(work)

    async def due(
        self, collection: str, now: datetime, limit: int, scope: str | None = None
    ) -> list[Document]:
        """Return documents whose debt is due."""
        column, path = quoted("owed.at"), COLLECTIONS[collection].scope
        where, values = f"{column} <= ?", (ms(now),)
        if scope is None or path is None:
            return await self._select(collection, where, values, column, limit)
        where = f"{quoted(path)} = ? AND {where}"
        return await self._select(collection, where, (scope, *values), column, limit)

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
        declared, where = COLLECTIONS[collection], dict[str, tuple[object, ...]]()
        newest = quoted(declared.newest)
        if index is not None:
            _declared([fields[0].lstrip("-") for fields in declared.indexes], index)
            where[f"{quoted(index)} = ?"] = (value,)
        if before is not None or since is not None:
            declared.refuse_bounds()
        if since is not None:
            where[f"{newest} >= ?"] = (plain(since),)
        if before is not None:
            at = plain(before.at)
            where[f"{newest} <= ? AND ({newest} < ? OR _id < ?)"] = (at, at, before.id)
        values = tuple(value for given in where.values() for value in given)
        order = f"{newest} DESC, _id DESC"
        return await self._select(collection, " AND ".join(where) or "TRUE", values, order, limit)

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
        query, values = tally_query(declared, by, (since, until), total, slots)

        def work(connection: sqlite3.Connection) -> list[Tally]:
            return [tallied(declared, row, by, slots) for row in connection.execute(query, values)]

        return await self._reader.do(work)

    async def every(self, collection: str) -> AsyncIterator[Document]:
        """Yield every document."""
        last = ""
        while batch := await self._select(collection, "_id > ?", (last,), "_id", _BATCH):
            for document in batch:
                yield document
            last = batch[-1]["_id"]

    async def inspect(self, collection: str) -> Shelf:
        """Return what is there."""

        def work(connection: sqlite3.Connection) -> Shelf:
            count = f"SELECT count(*) FROM {collection}"  # noqa: S608 # our own names
            declared = COLLECTIONS[collection]
            there = indexes_there(connection, declared)
            wanted = indexes(declared).items()
            lacking = {label: made for label, made in wanted if there.get(label) != made}
            unguarded = any(made.startswith(UNIQUE) for made in lacking.values())
            return Shelf(connection.execute(count).fetchone()[0], tuple(lacking), unguarded)

        return await self._reader.do(work)

    async def prune(self, collection: str, path: str, before: datetime) -> int:
        """Remove what is older, owes nothing and is not undated."""
        declared = COLLECTIONS[collection]
        declared.refuse_change()
        known = [path for path in ("owed.at", "undated") if path in column_paths(declared)]

        def work(connection: sqlite3.Connection) -> int:
            absent = "".join(f" AND {quoted(path)} IS NULL" for path in known)
            statement = f"DELETE FROM {collection} WHERE {quoted(path)} < ?{absent}"  # noqa: S608
            return connection.execute(statement, (ms(before),)).rowcount

        return await self._writer.do(work)

    async def ping(self) -> None:
        """Return when a read and a write would go through."""
        for thread in (self._reader, self._writer):
            await thread.do(lambda connection: connection.execute("SELECT 1").fetchone())

    async def close(self) -> None:
        """Finish what is queued."""
        await self._reader.close()
        await self._writer.close()

    async def _select(
        self, collection: str, where: str, values: tuple[object, ...], order: str, limit: int
    ) -> list[Document]:
        query = f"SELECT doc FROM {collection} WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608

        def work(connection: sqlite3.Connection) -> list[Document]:
            rows = connection.execute(query, (*values, limit)).fetchall()
            return [load(row[0]) for row in rows]

        return await self._reader.do(work)


def _declared(known: tuple[str, ...] | list[str], path: str) -> None:
    if path not in known:
        raise KeyError(path)


def _unique(
    collection: str, connection: sqlite3.Connection, statement: str, row: tuple[object, ...]
) -> None:
    try:
        connection.execute(statement, row)
    except sqlite3.IntegrityError as error:
        raise Duplicate(collection, str(error)) from error


def dump(document: Document) -> str:
    """Return a document as text."""
    return _ENCODER.encode(document)


def load(text: str) -> Document:
    """Return the document of a text."""
    document: Document = _DECODER.decode(text)
    return document


def _wrap_date(value: object) -> dict[str, int]:
    if isinstance(value, datetime):
        return {DATE: ms(value)}
    raise TypeError(type(value).__name__)


def _unwrap_date(value: dict[str, Any]) -> Any:
    if len(value) == 1 and DATE in value:
        return datetime.fromtimestamp(value[DATE] / 1000, UTC)
    return value


_ENCODER = json.JSONEncoder(default=_wrap_date, separators=(",", ":"))
_DECODER = json.JSONDecoder(object_hook=_unwrap_date)
