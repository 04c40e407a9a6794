"""The tables of the SQLite file: their columns and indexes, made, and fitted to this version."""

import sqlite3
from datetime import datetime
from functools import cache
from typing import Any

from appliance.store.codec import at
from appliance.store.port import Document
from appliance.store.schema import COLLECTIONS, Collection

UNIQUE = "CREATE UNIQUE "
"""How a unique index begins."""
DATE = "$date"
"""What stands for a moment in a document's JSON."""
IN_DOC = "coalesce(json_extract(doc, ?), json_extract(doc, ?))"
"""A value that has no column, by its `places`."""


def create_all(connection: sqlite3.Connection) -> None:
    """Make what is not there."""
    for collection in COLLECTIONS.values():
        _create(connection, collection)


def _create(connection: sqlite3.Connection, collection: Collection) -> None:
    name = collection.name
    columns = "".join(f", {quoted(path)}" for path in column_paths(collection))
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS {name} (_id TEXT PRIMARY KEY, doc TEXT NOT NULL{columns})"
    )
    wanted, there = indexes(collection), indexes_there(connection, collection)
    for label, made in there.items():
        if wanted.get(label) != made:
            connection.execute(f'DROP INDEX "{label}"')
    _fit_columns(connection, collection)
    for label, made in wanted.items():
        if there.get(label) != made:
            connection.execute(made)


def indexes(collection: Collection) -> dict[str, str]:
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
            quoted(path.lstrip("-")) + (" DESC" if path.startswith("-") else "") for path in fields
        )
        there = f" WHERE {quoted(where)} IS NOT NULL" if where else ""
        found[label] = f'CREATE {unique}INDEX "{label}" ON {collection.name} ({columns}){there}'
    return found


def indexes_there(connection: sqlite3.Connection, collection: Collection) -> dict[str, str]:
    """Return how each index of the file was made."""
    ours = "type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
    query = f"SELECT name, sql FROM sqlite_master WHERE {ours}"  # noqa: S608
    return dict(connection.execute(query, (collection.name,)).fetchall())


def _fit_columns(connection: sqlite3.Connection, collection: Collection) -> None:
    """Give a file of another version the columns it lacks, filled, and take what none fills."""
    name = collection.name
    there = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
    for path in there - {"_id", "doc", *column_paths(collection)}:
        connection.execute(f"ALTER TABLE {name} DROP COLUMN {quoted(path)}")
    missing = [path for path in column_paths(collection) if path not in there]
    for path in missing:
        connection.execute(f"ALTER TABLE {name} ADD COLUMN {quoted(path)}")
    if missing:
        names = ", ".join(f"{quoted(path)} = {IN_DOC}" for path in missing)
        marks = [place for path in missing for place in places(path)]
        connection.execute(f"UPDATE {name} SET {names}", marks)  # noqa: S608 # our own names


def places(path: str) -> tuple[str, str]:
    """Return where JSON has a path's value: as a date, else as it is."""
    place = "$." + ".".join(map(quoted, path.split(".")))
    return f"{place}.{quoted(DATE)}", place


@cache
def column_paths(collection: Collection) -> tuple[str, ...]:
    """Return what has a column of its own: whatever is searched or ordered by."""
    indexed = [path.lstrip("-") for fields in collection.indexes for path in fields]
    debts = list(collection.debts)
    forgotten = [path.lstrip("-") for path in collection.ttl]
    searched = [*collection.unique, *indexed, *forgotten, collection.newest, *debts]
    return tuple(dict.fromkeys(path for path in searched if path != "_id"))


def column_values(collection: Collection, document: Document) -> dict[str, object]:
    """Return the columns' values, beside the document that holds them too."""
    found = {path: at(document, path) for path in column_paths(collection)}
    return {path: plain(value) for path, value in found.items()}


def quoted(path: str) -> str:
    """Return a path as the name of its column."""
    return f'"{path}"'


def plain(value: Any) -> Any:
    """Return a value as a column holds it."""
    return ms(value) if isinstance(value, datetime) else value


def ms(moment: datetime) -> int:
    """Return a moment as milliseconds."""
    return round(moment.timestamp() * 1000)
