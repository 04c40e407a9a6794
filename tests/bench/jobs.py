"""The scheduled jobs, each run alone in a process of its own: what one turn takes, as JSON.

They are built from the daemon's settings by the daemon's own parts, and work on its database and
its router. A token is renewed each time and a backup is really made, which at most turns need not
be: what these two take is the most that it can be.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import psutil

from appliance import app, scheduler, settings
from appliance.app.backup import FILE_NAME
from appliance.app.jobs import jobs
from appliance.settings import Settings

_TURNS = 3
_APART_SECONDS = 1

Work = Callable[[], Awaitable[object]]


def _written() -> int:
    return int(psutil.Process().io_counters().write_bytes)


async def taken(work: Work, make_ready: Callable[[], None]) -> dict[str, float]:
    """Return what a turn takes on average, after a first one that only warms up."""
    spent, written = 0.0, 0
    for turn in range(_TURNS + 1):
        await asyncio.sleep(_APART_SECONDS)
        make_ready()
        cpu, before = time.process_time(), _written()
        await work()
        if turn:
            spent += time.process_time() - cpu
            written += _written() - before
    return {"cpu_ms": spent / _TURNS * 1000, "disk_bytes": written / _TURNS}


async def measure(loaded: Settings, file: Path, names: list[str]) -> dict[str, dict[str, float]]:
    """Return what each of these jobs takes."""
    assert loaded.backup.directory is not None
    backup = loaded.backup.directory / FILE_NAME
    async with AsyncExitStack() as stack:
        parts = await app._parts(stack, loaded, app._metrics(loaded), app._clock(loaded))
        work = scheduler._work(jobs(parts, file))
        work["refresh_tokens"] = partial(parts.mpesa.refresh_access_tokens, force=True)
        return {
            name: await taken(work[name], partial(backup.unlink, missing_ok=True)) for name in names
        }


def main() -> None:
    """Run the named jobs of the settings in the first word, with the daemon's own thrift."""
    file = Path(sys.argv[1])
    loaded = settings.load(file)
    sys.setswitchinterval(app._SWITCH_SECONDS)
    os.umask(0o077)
    gc.set_threshold(app._COLLECT_AFTER)
    print(json.dumps(asyncio.run(measure(loaded, file, sys.argv[2:]))))


if __name__ == "__main__":
    main()
