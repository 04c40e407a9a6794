"""The embedded default: documents as JSON in one SQLite file under `data_dir`."""

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from appliance.domain.errors import Conflict, Duplicate
from appliance.domain.queries import Cursor, Moment
from appliance.store.codec import at, put
from appliance.store.port import Document, Shelf
from appliance.store.schema import COLLECTIONS, Collection
from appliance.store.thread import ConnectionThread

_DATE = "$date"
_IN_DOC = "coalesce(json_extract(doc, ?), json_extract(doc, ?))"
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
        await store._writer.do(_create_all)
        return store

    async def insert(self, collection: str, document: Document) -> None:
        """Add a document."""
        keys = _keys(COLLECTIONS[collection], document)
        names = ", ".join(("_id", "doc", *map(_quoted, keys)))
        marks = ", ".join("?" * (len(keys) + 2))
        statement = f"INSERT INTO {collection} ({names}) VALUES ({marks})"  # noqa: S608 # our own names
        row = (document["_id"], dump(document), *keys.values())

        def work(connection: sqlite3.Connection) -> None:
            _unique(collection, connection, statement, row)

        await self._writer.do(work)

    async def get(self, collection: str, key: str, value: str) -> Document | None:
        """Return the document with this unique key."""
        _declared((*COLLECTIONS[collection].unique, "_id"), key)
        where = f"{_quoted(key)} = ?"
        found = await self._select(collection, where, (value,), "_id", 1)
        return found[0] if found else None

    async def change(
        self, collection: str, record_id: str, changes: Mapping[str, Any], when: Mapping[str, Any]
    ) -> None:
        """Set these paths if all of `when` still holds."""

        def work(connection: sqlite3.Connection) -> None:
            query = f"SELECT doc FROM {collection} WHERE _id = ?"  # noqa: S608
            row = connection.execute(query, (record_id,)).fetchone()
            document = load(row[0]) if row else {}
            if not row or any(at(document, path) != value for path, value in when.items()):
                raise Conflict(f"{collection} {record_id}")
            before = _keys(COLLECTIONS[collection], document)
            for path, value in changes.items():
                put(document, path.split("."), value)
            # Only the columns that changed: SQLite then leaves every other index alone.
            after = _keys(COLLECTIONS[collection], document)
            moved = {path: value for path, value in after.items() if value != before[path]}
            names = "".join(f", {_quoted(path)} = ?" for path in moved)
            statement = f"UPDATE {collection} SET doc = ?{names} WHERE _id = ?"  # noqa: S608
            _unique(collection, connection, statement, (dump(document), *moved.values(), record_id))

        await self._writer.do(work)

    async def due(
        self, collection: str, now: datetime, limit: int, scope: str | None = None
    ) -> list[Document]:
        """Return documents whose debt is due."""
        column, path = _quoted("owed.at"), COLLECTIONS[collection].scope
        where, values = f"{column} <= ?", (_ms(now),)
        if scope is None or path is None:
            return await self._select(collection, where, values, column, limit)
        where = f"{_quoted(path)} = ? AND {where}"
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
        newest = _quoted(declared.newest)
        if index is not None:
            _declared([fields[0].lstrip("-") for fields in declared.indexes], index)
            where[f"{_quoted(index)} = ?"] = (value,)
        if before is not None or since is not None:
            declared.refuse_bounds()
        if since is not None:
            where[f"{newest} >= ?"] = (_plain(since),)
        if before is not None:
            at = _plain(before.at)
            where[f"{newest} <= ? AND ({newest} < ? OR _id < ?)"] = (at, at, before.id)
        values = tuple(value for given in where.values() for value in given)
        order = f"{newest} DESC, _id DESC"
        return await self._select(collection, " AND ".join(where) or "TRUE", values, order, limit)

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
            there = _indexes_there(connection, declared)
            wanted = _indexes(declared).items()
            lacking = tuple(label for label, made in wanted if there.get(label) != made)
            return Shelf(connection.execute(count).fetchone()[0], lacking)

        return await self._reader.do(work)

    async def prune(self, collection: str, path: str, before: datetime) -> int:
        """Remove what is older and owes nothing."""

        def work(connection: sqlite3.Connection) -> int:
            statement = (
                f"DELETE FROM {collection} WHERE {_quoted(path)} < ? "  # noqa: S608
                f"AND {_quoted('owed.at')} IS NULL"
            )
            return connection.execute(statement, (_ms(before),)).rowcount

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


def _create_all(connection: sqlite3.Connection) -> None:
    for collection in COLLECTIONS.values():
        _create(connection, collection)


def _create(connection: sqlite3.Connection, collection: Collection) -> None:
    name = collection.name
    columns = "".join(f", {_quoted(path)}" for path in _paths(collection))
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {name} (_id TEXT PRIMARY KEY, doc TEXT NOT NULL{columns})"
    )
    wanted, there = _indexes(collection), _indexes_there(connection, collection)
    for label, made in there.items():
        if wanted.get(label) != made:
            connection.execute(f'DROP INDEX "{label}"')
    _fit_columns(connection, collection)
    for label, made in wanted.items():
        if there.get(label) != made:
            connection.execute(made)


def _indexes(collection: Collection) -> dict[str, str]:
    """Return how each index is made; one that says where holds nothing of those without."""
    keys: list[tuple[str, tuple[str, ...], str]] = []
    keys += [("UNIQUE ", (path,), path) for path in collection.unique]
    keys += [("", fields, "") for fields in collection.indexes]
    keys += [("", (path,), "") for path in collection.ttl]
    keys += [("", collection.debts, "owed.at")] if collection.debts else []
    found = {}
    for unique, fields, where in keys:
        label = "_".join((collection.name, *fields)).replace(".", "_").replace("-", "")
        columns = ", ".join(
            _quoted(path.lstrip("-")) + (" DESC" if path.startswith("-") else "") for path in fields
        )
        there = f" WHERE {_quoted(where)} IS NOT NULL" if where else ""
        found[label] = f'CREATE {unique}INDEX "{label}" ON {collection.name} ({columns}){there}'
    return found


def _indexes_there(connection: sqlite3.Connection, collection: Collection) -> dict[str, str]:
    """Return how each index of the file was made."""
    ours = "type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
    query = f"SELECT name, sql FROM sqlite_master WHERE {ours}"  # noqa: S608
    return dict(connection.execute(query, (collection.name,)).fetchall())


def _fit_columns(connection: sqlite3.Connection, collection: Collection) -> None:
    """Give a file of another version the columns it lacks, filled, and take what none fills."""
    name = collection.name
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
    for path in there - {"_id", "doc", *_paths(collection)}:
        connection.execute(f"ALTER TABLE {name} DROP COLUMN {_quoted(path)}")
    missing = [path for path in _paths(collection) if path not in there]
    for path in missing:
        connection.execute(f"ALTER TABLE {name} ADD COLUMN {_quoted(path)}")
    if missing:
        names = ", ".join(f"{_quoted(path)} = {_IN_DOC}" for path in missing)
        places = [place for path in missing for place in _places(path)]
        connection.execute(f"UPDATE {name} SET {names}", places)  # noqa: S608 # our own names


def _places(path: str) -> tuple[str, str]:
    """Return where JSON has a path's value: as a date, else as it is."""
    place = "$." + ".".join(map(_quoted, path.split(".")))
    return f"{place}.{_quoted(_DATE)}", place


@cache
def _paths(collection: Collection) -> tuple[str, ...]:
    """Return what has a column of its own: whatever is searched or ordered by."""
    indexed = [path.lstrip("-") for fields in collection.indexes for path in fields]
    debts = list(collection.debts)
    forgotten = [path.lstrip("-") for path in collection.ttl]
    searched = [*collection.unique, *indexed, *forgotten, collection.newest, *debts]
    return tuple(dict.fromkeys(path for path in searched if path != "_id"))


def _keys(collection: Collection, document: Document) -> dict[str, object]:
    """Return the columns' values, beside the document that holds them too."""
    found = {path: at(document, path) for path in _paths(collection)}
    return {path: _plain(value) for path, value in found.items()}


def _quoted(path: str) -> str:
    return f'"{path}"'


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


def _plain(value: Any) -> Any:
    """Return a value as a column holds it."""
    return _ms(value) if isinstance(value, datetime) else value


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def dump(document: Document) -> str:
    """Return a document as text."""
    return _ENCODER.encode(document)


def load(text: str) -> Document:
    """Return the document of a text."""
    document: Document = _DECODER.decode(text)
    return document


def _wrap_date(value: object) -> dict[str, int]:
    if isinstance(value, datetime):
        return {_DATE: _ms(value)}
    raise TypeError(type(value).__name__)


def _unwrap_date(value: dict[str, Any]) -> Any:
    if len(value) == 1 and _DATE in value:
        return datetime.fromtimestamp(value[_DATE] / 1000, UTC)
    return value


_ENCODER = json.JSONEncoder(default=_wrap_date, separators=(",", ":"))
_DECODER = json.JSONDecoder(object_hook=_unwrap_date)
