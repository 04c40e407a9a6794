"""What the box itself pays: processor, disk and memory, at rest and for each sale.

At rest it is watched for a minute and an hour is reckoned from that: what happens more rarely, such
as the backup of the day, is not in it.
Memory is of this environment: a box lacks the 3 MB of `rich`, which httpx takes where it is there.
"""

import asyncio
from pathlib import Path
from typing import Any

from appliance.store.open import opened
from tests.bench.daemon import Daemon
from tests.bench.sales import Market, market

_SETTLES_SECONDS = 10
_WATCHED_SECONDS = 60
_HOUR_SECONDS = 3600
_SALES = 400


async def measure(mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return the figures of one daemon: first nobody comes, then many, then what is left."""
    async with market(mongodb, folder) as here:
        await asyncio.sleep(_SETTLES_SECONDS)
        rest = await _at_rest(here.daemon)
        idle = here.daemon.resident_mb()
        sale = await _sold(here, mongodb, folder)
        loaded = here.daemon.resident_mb()
    return {
        "idle": rest,
        "per_sale": sale,
        "resident_mb": {"idle": round(idle, 1), "loaded": round(loaded, 1)},
    }


async def _at_rest(daemon: Daemon) -> dict[str, Any]:
    cpu, written = daemon.cpu_seconds(), daemon.written_bytes()
    await asyncio.sleep(_WATCHED_SECONDS)
    hours = _WATCHED_SECONDS / _HOUR_SECONDS
    return {
        "watched_s": _WATCHED_SECONDS,
        "cpu_s_per_hour": round((daemon.cpu_seconds() - cpu) / hours, 1),
        "disk_bytes_per_hour": round((daemon.written_bytes() - written) / hours),
    }


async def _sold(here: Market, mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Sell to many until each is online and written down as that."""
    cpu, written = here.daemon.cpu_seconds(), here.daemon.written_bytes()
    await here.deliver([await here.order() for _ in range(_SALES)])
    async with opened(uri=mongodb, database=here.database, data_dir=folder) as store:
        async with asyncio.timeout(120):
            while [one async for one in store.every("vouchers") if one["status"] != "active"]:
                await asyncio.sleep(0.2)
    return {
        "sales": _SALES,
        "cpu_ms": round((here.daemon.cpu_seconds() - cpu) / _SALES * 1000, 1),
        "disk_bytes": (here.daemon.written_bytes() - written) // _SALES,
    }
