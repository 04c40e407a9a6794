"""What the box itself pays: processor, disk and memory, at rest and for each sale.

At rest nobody comes and nothing was sold. What happens every minute or more often is watched for
two minutes; what is rarer is run by itself, each job some times, and counted by its interval. An
hour is reckoned from both. A canary is not in it: none is sent unless the settings say so.
Memory is of this environment: a box lacks the 3 MB of `rich`, which httpx takes where it is there.
"""

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import psutil

from appliance.scheduler import TURNS
from appliance.store.open import opened
from tests.bench.daemon import Daemon
from tests.bench.sales import Market, market

_SETTLES_SECONDS = 10
_WATCHED_SECONDS = 120
_HOUR_SECONDS = 3600
_SALES = 400
_FREQUENT_SECONDS = 60
_DAY_SECONDS = 23 * 3600
"""When the newest backup is a day old; at its other turns the job only looks."""
_TRIED_BYTES = 2**20

RARE = {
    name: _DAY_SECONDS if name == "backup" else turn.every.total_seconds()
    for name, turn in TURNS.items()
    if turn.every.total_seconds() > _FREQUENT_SECONDS
}
"""The jobs that two minutes do not show, and after how many seconds each works again."""


async def measure(mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return the figures of one daemon: first nobody comes, then many, then what is left."""
    async with market(mongodb, folder) as here:
        counted = _disk_is_counted(folder)
        await asyncio.sleep(_SETTLES_SECONDS)
        watched = await _watched(here.daemon)
        idle = here.daemon.resident_mb()
        jobs = await _jobs(folder, here.database)
        sale = await _sold(here, mongodb, folder)
        loaded = here.daemon.resident_mb()
    found = {
        "idle": {"measured": {**watched, "one_turn": jobs}, "calculated": an_hour(watched, jobs)},
        "per_sale": sale,
        "resident_mb": {"idle": round(idle, 1), "loaded": round(loaded, 1)},
    }
    if counted:
        return found
    print(f"disk_bytes are null: the system counts none at {folder}; try TMPDIR", file=sys.stderr)
    return without_disk(found)


def _disk_is_counted(folder: Path) -> bool:
    """See whether what is written here shows in the counters: in memory it does not."""
    before = psutil.Process().io_counters().write_bytes
    with (folder / "tried").open("wb") as file:
        file.write(os.urandom(_TRIED_BYTES))
        os.fsync(file.fileno())
    (folder / "tried").unlink()
    return bool(psutil.Process().io_counters().write_bytes - before >= _TRIED_BYTES)


def without_disk(found: dict[str, Any]) -> dict[str, Any]:
    """Return the figures with null for what was written to the disk."""
    return {
        key: without_disk(value)
        if isinstance(value, dict)
        else None
        if key.startswith("disk_bytes")
        else value
        for key, value in found.items()
    }


async def _watched(daemon: Daemon) -> dict[str, Any]:
    cpu, written = daemon.cpu_seconds(), daemon.written_bytes()
    await asyncio.sleep(_WATCHED_SECONDS)
    return {
        "watched_s": _WATCHED_SECONDS,
        "cpu_s": round(daemon.cpu_seconds() - cpu, 3),
        "disk_bytes": daemon.written_bytes() - written,
    }


async def _jobs(folder: Path, database: str) -> dict[str, dict[str, float]]:
    """Return what one turn of each rare job takes, and how often it comes."""
    (folder / "backups").mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.jobs",
        str(folder / "appliance.toml"),
        *RARE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={
            **os.environ,
            "APPLIANCE_MONGODB__DATABASE": database,
            "APPLIANCE_BACKUP__DIRECTORY": str(folder / "backups"),
            "APPLIANCE_BACKUP__KEY": secrets.token_hex(32),
        },
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, "the jobs could not be run"
    taken: dict[str, dict[str, float]] = json.loads(said)
    return {
        name: {
            "every_s": RARE[name],
            "cpu_ms": round(turn["cpu_ms"], 1),
            "disk_bytes": round(turn["disk_bytes"]),
        }
        for name, turn in taken.items()
    }


def an_hour(watched: dict[str, Any], jobs: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Reckon an hour from what was watched, and every rare job's share of an hour."""
    windows = _HOUR_SECONDS / watched["watched_s"]
    often = {job: _HOUR_SECONDS / turn["every_s"] for job, turn in jobs.items()}
    cpu = sum(turn["cpu_ms"] / 1000 * often[job] for job, turn in jobs.items())
    written = sum(turn["disk_bytes"] * often[job] for job, turn in jobs.items())
    return {
        "cpu_s_per_hour": round(watched["cpu_s"] * windows + cpu, 1),
        "cpu_s_of_it_rare_jobs": round(cpu, 1),
        "disk_bytes_per_hour": round(watched["disk_bytes"] * windows + written),
        "disk_bytes_of_it_rare_jobs": round(written),
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
