"""Many worlds at once in one process, and what a failure comes down to."""

import asyncio
import logging
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from appliance.sandbox.addresses import HOST
from tests.chaos.case import Violation
from tests.chaos.machine import ROOT, Zygote
from tests.chaos.play import PATIENCE, Outcome, play
from tests.chaos.schedule import Schedule
from tests.chaos.site import Ground
from tests.servers import Secantus

log = logging.getLogger(__name__)

_LONGEST = 180.0
"""Seconds; a schedule takes some two of them, on a busy machine ten."""
_TRIES = 2
"""A schedule is not the same twice: without a step, it has to go well this often."""


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def ground(package: Path = ROOT) -> AsyncIterator[Ground]:
    """Yield a place for worlds; what failed there stays on the disk."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="chaos-"))
    server = Secantus(folder / "secantus")
    server.port = _any_port()  # those of the tests are shared by all processes of one run
    made = Ground(folder, Zygote(package), server)
    try:
        await made.open()
        yield made
    finally:
        await made.close()
        await asyncio.to_thread(_tidied, folder)


def _tidied(folder: Path) -> None:
    """Leave nothing but what failed."""
    for own in (folder / "secantus", *folder.glob("seeded-*")):
        shutil.rmtree(own, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()


async def played(
    on: Ground, schedules: Iterable[Schedule], places: int, patience: float = PATIENCE
) -> AsyncIterator[Outcome]:
    """Yield what came of each schedule, so many worlds at a time."""
    waiting, done = iter(schedules), asyncio.Queue[Outcome | None]()

    async def work(place: int) -> None:
        try:
            for schedule in waiting:
                await done.put(await _tried(on, place, schedule, patience))
        finally:
            await done.put(None)

    async with asyncio.TaskGroup() as group:
        for place in range(places):
            group.create_task(work(place))
        left = places
        while left:
            outcome = await done.get()
            if outcome is None:
                left -= 1
            else:
                yield outcome


async def _tried(on: Ground, place: int, schedule: Schedule, patience: float) -> Outcome:
    """Return what came of it; that the machine itself failed or hangs counts as broken too."""
    playing = asyncio.create_task(play(on, place, schedule, patience))
    try:
        await asyncio.wait({playing}, timeout=_LONGEST)
        if not playing.done():
            _show_where(schedule.seed)
            playing.cancel()
            await asyncio.wait({playing}, timeout=_LONGEST)
            return Outcome(schedule, [Violation(0, "it did not end", waits=True)])
        return playing.result()
    except Exception as error:
        log.exception("seed %d could not be played", schedule.seed)
        return Outcome(schedule, [Violation(0, f"the machine failed: {error!r}", waits=True)])
    finally:
        playing.cancel()


def _show_where(seed: int) -> None:
    """Print what every task waits for."""
    print(f"seed {seed} did not end", file=sys.stderr)
    for task in asyncio.all_tasks():
        task.print_stack(limit=8, file=sys.stderr)


async def shrunk(on: Ground, schedule: Schedule, promise: int, seconds: float) -> Schedule:
    """Return the schedule without the steps that are not needed to break this promise."""
    until, size = time.monotonic() + seconds, max(1, len(schedule.steps) // 2)
    while time.monotonic() < until:
        smaller = await _without_some(on, schedule, promise, size, until)
        if smaller is not None:
            schedule = smaller
        elif size == 1:
            break
        else:
            size = size // 2
    return schedule


async def _without_some(
    on: Ground, schedule: Schedule, promise: int, size: int, until: float
) -> Schedule | None:
    for start in range(0, len(schedule.steps), size):
        if time.monotonic() > until:
            return None
        kept = schedule.steps[:start] + schedule.steps[start + size :]
        smaller = replace(schedule, steps=kept)
        for _ in range(_TRIES):
            outcome = await _tried(on, 0, smaller, PATIENCE)
            if any(violation.promise == promise for violation in outcome.violations):
                return smaller
    return None
