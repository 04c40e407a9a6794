"""Calls that wait on this box for the shared database, in a SQLite file of their own."""

import logging
import sqlite3
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from appliance.domain.errors import StoreUnavailable
from appliance.domain.records import Backlog, PutAside, Spooled, WebhookLog
from appliance.store import codec
from appliance.store.sqlite import dump, load
from appliance.store.thread import ConnectionThread

log = logging.getLogger(__name__)

T = TypeVar("T")

MOST_CALLS = 20_000
MOST_BYTES = 32 * 1024 * 1024
# One part in so many for addresses that anybody can guess: a flood there leaves room for the rest.
_SHARE = 10

_TABLE = """CREATE TABLE IF NOT EXISTS spooled (
    place INTEGER PRIMARY KEY AUTOINCREMENT, arrived INTEGER NOT NULL, proved INTEGER NOT NULL,
    size INTEGER NOT NULL, parked TEXT, token_hash TEXT, doc TEXT NOT NULL)"""
# Counting looks at this alone, and never at the calls themselves.
_INDEX = "CREATE INDEX IF NOT EXISTS spooled_room ON spooled (parked, arrived, proved, size)"


class FileSpool:
    """A spool in a file; whatever is wrong with it, only who uses it is told."""

    def __init__(self, path: Path) -> None:
        self._thread = ConnectionThread(path, writes=True)
        self._waiting = True

    @property
    def waiting(self) -> bool:
        """Say whether any call waits, as far as is known."""
        return self._waiting

    async def keep(self, webhook: WebhookLog, token_hash: str | None) -> None:
        """Keep a call behind the others."""
        text = dump(codec.document(webhook))
        size, proved = len(text.encode()), webhook.proved
        arrived = round(webhook.timestamp.timestamp() * 1000)

        def work(connection: sqlite3.Connection) -> None:
            _check_room(connection, size, proved=proved)
            connection.execute(
                "INSERT INTO spooled (arrived, proved, size, token_hash, doc)"
                " VALUES (?, ?, ?, ?, ?)",
                (arrived, proved, size, token_hash, text),
            )

        await self._do(work)
        self._waiting = True

    async def oldest(self, limit: int) -> list[Spooled]:
        """Return the calls that have waited longest."""

        def work(connection: sqlite3.Connection) -> list[tuple[int, str, str | None]]:
            return connection.execute(
                "SELECT place, doc, token_hash FROM spooled"
                " WHERE parked IS NULL ORDER BY place LIMIT ?",
                (limit,),
            ).fetchall()

        found = await self._do(work)
        self._waiting = bool(found)
        calls = []
        for place, text, token_hash in found:
            try:
                calls.append(Spooled(place, codec.record(WebhookLog, load(text)), token_hash))
            except codec.MISSHAPEN:
                log.exception("a spooled call is parked, it cannot be read place=%d", place)
                await self.park(place, "unreadable")
        return calls

    async def remove(self, places: Collection[int]) -> None:
        """Forget these calls."""
        rows = [(place,) for place in places]
        await self._do(
            lambda connection: connection.executemany("DELETE FROM spooled WHERE place = ?", rows)
        )

    async def park(self, place: int, reason: str) -> None:
        """Put a call aside."""
        statement, row = "UPDATE spooled SET parked = ? WHERE place = ?", (reason[:200], place)
        await self._do(lambda connection: connection.execute(statement, row))

    async def parked(self) -> list[PutAside]:
        """Return the calls that were put aside; what they say is not looked at."""
        query = "SELECT place, arrived, parked FROM spooled WHERE parked IS NOT NULL ORDER BY place"
        found = await self._do(lambda connection: connection.execute(query).fetchall())
        return [PutAside(place, _time(arrived), reason) for place, arrived, reason in found]

    async def unpark(self, place: int | None = None) -> None:
        """Have every call that was put aside tried again, or this one."""
        statement = "UPDATE spooled SET parked = NULL WHERE parked IS NOT NULL"
        one, row = ("", ()) if place is None else (" AND place = ?", (place,))
        await self._do(lambda connection: connection.execute(statement + one, row))
        self._waiting = True

    async def backlog(self) -> Backlog:
        """Return how much there is; another process may have had one tried again."""

        def work(connection: sqlite3.Connection) -> tuple[int, int, int | None]:
            waiting, oldest = connection.execute(
                "SELECT count(*), min(arrived) FROM spooled WHERE parked IS NULL"
            ).fetchone()
            query = "SELECT count(*) FROM spooled WHERE parked IS NOT NULL"
            return waiting, connection.execute(query).fetchone()[0], oldest

        waiting, parked, oldest = await self._do(work)
        self._waiting = self._waiting or waiting > 0
        return Backlog(waiting, parked, None if oldest is None else _time(oldest))

    async def close(self) -> None:
        """Finish what is queued."""
        await self._thread.close()

    async def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def prepared(connection: sqlite3.Connection) -> T:
            connection.execute(_TABLE)
            connection.execute(_INDEX)
            return work(connection)

        return await self._thread.do(prepared)


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _check_room(connection: sqlite3.Connection, size: int, *, proved: bool) -> None:
    """Raise `StoreUnavailable` where one more would be too many: the disk is not ours alone."""
    shares = [("proved >= 0", 1)] if proved else [("proved >= 0", 1), ("proved = 0", _SHARE)]
    for which, share in shares:
        query = f"SELECT count(*), coalesce(sum(size), 0) FROM spooled WHERE {which}"  # noqa: S608
        count, taken = connection.execute(query).fetchone()
        if count >= MOST_CALLS // share or taken + size > MOST_BYTES // share:
            raise StoreUnavailable("the spool is full")
