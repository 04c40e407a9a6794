"""The raw documents, read with sqlite3 and pymongo themselves."""

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo import MongoClient
from pymongo.errors import PyMongoError

Document = dict[str, Any]
_NAMES = ("payments", "vouchers", "stk_initiations", "webhook_logs")


@dataclass(frozen=True)
class Documents:
    """What is stored, by `_id`; dates are milliseconds."""

    payments: dict[str, Document]
    vouchers: dict[str, Document]
    initiations: dict[str, Document]
    webhooks: dict[str, Document]


def of_sqlite(file: Path) -> Documents | None:
    """Read the file; None while that cannot be done."""
    try:
        connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=0.2)
    except sqlite3.Error:
        return None
    try:
        connection.execute("BEGIN")
        found = [
            [json.loads(row[0]) for row in connection.execute(f"SELECT doc FROM {name}")]  # noqa: S608
            for name in _NAMES
        ]
    except sqlite3.Error:
        return None
    finally:
        connection.close()
    return _by_id(found)


def of_mongodb(uri: str, database: str) -> Documents | None:
    """Read a database; None while that cannot be done."""
    try:
        return _by_id([list(_client(uri)[database][name].find()) for name in _NAMES])
    except PyMongoError:
        return None


def paybills(uri: str, database: str) -> list[Document]:
    """Return the paybills as they are."""
    return list(_client(uri)[database]["paybills"].find())


def empty(uri: str, database: str, before: list[Document]) -> None:
    """Leave nothing of what was sold, and the paybills as they were before."""
    there = _client(uri)[database]
    for name in (*_NAMES, "seats"):
        there[name].delete_many({})
    for paybill in before:
        there["paybills"].replace_one({"_id": paybill["_id"]}, paybill)


@cache
def _client(uri: str) -> MongoClient[Document]:
    return MongoClient(uri, serverSelectionTimeoutMS=2000, timeoutMS=4000)


def _by_id(found: list[list[Document]]) -> Documents:
    return Documents(*({one["_id"]: one for one in map(_plain, many)} for many in found))


def _plain(value: Any) -> Any:
    """Return the value alike from both stores."""
    match value:
        case {"$date": int(moment)}:
            return moment
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case datetime():
            return round(value.timestamp() * 1000)
        case ObjectId():
            return str(value)
        case _:
            return value
