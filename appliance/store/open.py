"""Open the store the settings name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from appliance.store.hold import refuse_on_hold
from appliance.store.port import Store
from appliance.store.spool import FileSpool
from appliance.store.sqlite import SqliteStore

EMBEDDED = "appliance.sqlite3"
SPOOL_FILE = "spool.sqlite3"
"""The files under `data_dir`."""


@asynccontextmanager
async def opened(*, uri: str | None, database: str, data_dir: Path) -> AsyncIterator[Store]:
    """Yield the shared MongoDB where there is a URI, else the file under `data_dir`."""
    store = await _open(uri, database, data_dir)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def opened_spool(*, uri: str | None, data_dir: Path) -> AsyncIterator[FileSpool | None]:
    """Yield where calls wait for a shared database; None where the database is on this box."""
    if uri is None:
        yield None
        return
    spool = FileSpool(data_dir / SPOOL_FILE)
    try:
        yield spool
    finally:
        await spool.close()


async def _open(uri: str | None, database: str, data_dir: Path) -> Store:
    if uri is None:
        await asyncio.to_thread(refuse_on_hold, data_dir)
        return await SqliteStore.open(data_dir / EMBEDDED)
    return await asyncio.to_thread(_shared, uri, database)


def _shared(uri: str, database: str) -> Store:
    """Return the shared store; its driver costs memory that a box on SQLite need not spend."""
    from appliance.store.mongodb import MongoStore  # noqa: PLC0415

    return MongoStore.connect(uri, database)
