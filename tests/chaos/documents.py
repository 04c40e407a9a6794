"""The raw documents, read with sqlite3 and pymongo themselves."""

import asyncio
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


class of_mongodb:  # noqa: N801 # beside its twin
    """Reads and forgets databases of a server."""

    @staticmethod
    async def read(uri: str, database: str) -> Documents | None:
        return await asyncio.to_thread(_read, uri, database)

    @staticmethod
    async def forget(uri: str, database: str) -> None:
        await asyncio.to_thread(_client(uri).drop_database, database)


@cache
def _client(uri: str) -> MongoClient[Document]:
    return MongoClient(uri, serverSelectionTimeoutMS=2000, timeoutMS=4000)


def _read(uri: str, database: str) -> Documents | None:
    try:
        return _by_id([list(_client(uri)[database][name].find()) for name in _NAMES])
    except PyMongoError:
        return None


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
