"""A thread that owns one SQLite connection and works for everybody who waits."""

import asyncio
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from appliance.domain.errors import StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]
_Job = tuple[Work, "asyncio.Future[Any]", asyncio.AbstractEventLoop]

# More would make the first of a batch wait long for the last.
_BATCH = 128
# Another program on the box may hold the file for a moment; who waits behind us waits as long.
_PATIENCE_SECONDS = 2.0
_TROUBLE_OF_ONE = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
# A sale changes a few short rows and index entries: small pages write less around them.
_PAGE = 1024
# About a dozen pages each: seldom enough that what changes again and again is moved once.
_JOBS_BETWEEN_MOVES = 300
# Where no move is quite through, in a long rush, a commit makes it and the log begins anew.
_PAGES_AT_MOST = 16_000
_MODE = 0o600


class ConnectionThread:
    """Runs work in the order given.

    A writer commits once for all who wait together, so they share one fsync, and a future resolves
    only after the commit: what it promises is on the disk. Work that fails is undone alone and its
    neighbours are kept; only the file's own trouble fails them all.
    """

    def __init__(self, path: Path, *, writes: bool) -> None:
        self._path = path
        self._answer = _committed if writes else _read
        self._mover = Mover(path) if writes else None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        name = "sqlite-writer" if writes else "sqlite-reader"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what the work returns; of a writer, once it is on the disk."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put((work, future, loop))
        return await future

    async def close(self) -> None:
        """Finish what is queued and end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        if self._mover is not None:
            await asyncio.to_thread(self._mover.close)

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while (batch := self._next_batch()) is not None:
            try:
                connection = connection or connect(self._path)
                answers = self._answer(connection, batch)
            except Exception as error:  # who waits for a dead thread waits for ever
                if not isinstance(error, sqlite3.Error):
                    log.exception("the database failed, this is a bug")
                _close(connection)
                connection = None
                answers = [StoreUnavailable(str(error)) for _ in batch]
            _resolve(batch, answers)
            if self._mover is not None:
                self._mover.committed(len(batch))
        _close(connection)

    def _next_batch(self) -> list[_Job] | None:
        first = self._jobs.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < _BATCH and not self._jobs.empty():
            job = self._jobs.get()
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch


class Mover:
    """Moves what was committed out of the log into its place, so that no commit waits for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs = 0
        self._asked: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-mover", daemon=True)
        self._thread.start()

    def committed(self, jobs: int) -> None:
        """Count what the log took; now and then it is time to move it."""
        self._jobs += jobs
        if self._jobs >= _JOBS_BETWEEN_MOVES:
            self._asked.put(self._jobs)
            self._jobs = 0

    def close(self) -> None:
        """Finish what is under way."""
        self._asked.put(0)
        self._thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while self._asked.get():
            try:
                connection = connection or connect(self._path)
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error as error:
                log.warning("what was committed stays in the log why=%s", error)
                _close(connection)
                connection = None
        _close(connection)


def _make_private(path: Path) -> None:
    """Have the file readable for its owner alone; SQLite's other files follow it.

    One that root makes is its folder's owner's: the daemon must be able to write it.
    One that is there is never opened here: closing it again would free every lock that this
    process holds on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE))
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.chown(path, owner.st_uid, owner.st_gid)
    except FileExistsError:
        with suppress(OSError):
            path.chmod(_MODE)
    except OSError as error:
        raise sqlite3.OperationalError(str(error)) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for money: WAL, and every commit forced to the disk; nobody else reads it."""
    _make_private(path)
    connection = sqlite3.connect(
        path, isolation_level=None, timeout=_PATIENCE_SECONDS, cached_statements=256
    )
    connection.execute(f"PRAGMA page_size={_PAGE}")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_PAGES_AT_MOST}")
    return connection


def _read(connection: sqlite3.Connection, batch: list[_Job]) -> list[Any]:
    return [_attempt(connection, work) for work, _, _ in batch]


def _committed(connection: sqlite3.Connection, batch: list[_Job]) -> list[Any]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        answers = [_attempt_alone(connection, work) for work, _, _ in batch]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return answers


def _attempt_alone(connection: sqlite3.Connection, work: Work) -> Any:
    connection.execute("SAVEPOINT one")
    answer = _attempt(connection, work)
    if isinstance(answer, Exception):
        connection.execute("ROLLBACK TO one")
    connection.execute("RELEASE one")
    return answer


def _attempt(connection: sqlite3.Connection, work: Work) -> Any:
    """Return what the work returns or raises: whoever asked gets it, and the thread lives on."""
    try:
        return work(connection)
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not isinstance(error, _TROUBLE_OF_ONE):
            raise
        return error


def _close(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        connection.close()


def _resolve(batch: list[_Job], answers: list[Any]) -> None:
    """Wake everybody who waited, each loop once."""

    def settle(woken: asyncio.AbstractEventLoop) -> None:
        for (_, future, loop), answer in zip(batch, answers, strict=True):
            if loop is not woken or future.cancelled():
                continue
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    for loop in {loop for _, _, loop in batch if not loop.is_closed()}:
        loop.call_soon_threadsafe(settle, loop)
