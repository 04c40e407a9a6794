"""The fault machine finds what is broken on purpose, and nothing where nothing is."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.breaks import BREAKS, Break
from tests.chaos.case import Violation
from tests.chaos.crew import ground, played

_AT_A_TIME = 4
_PATIENCE = 4.0
_TRIES = 3
"""On a busy machine what has to happen in a moment may come too late for it."""


async def _found(broken: Break, package: Path) -> list[Violation]:
    async with ground(package) as on:
        (outcome,) = [one async for one in played(on, [broken.schedule], 1, _PATIENCE)]
    return outcome.violations


@pytest.mark.timeout(300)
async def test_every_promise_that_is_broken_on_purpose_is_found_broken(tmp_path: Path) -> None:
    turn = asyncio.Semaphore(_AT_A_TIME)
    missed = []

    async def tried(number: int, broken: Break) -> None:
        async with turn:
            package = await asyncio.to_thread(broken.copied, tmp_path / str(number))
            for _ in range(_TRIES):
                if broken.promise in {one.promise for one in await _found(broken, package)}:
                    return
            missed.append((broken.promise, broken.name))

    await asyncio.gather(*(tried(*each) for each in enumerate(BREAKS)))
    assert missed == []


@pytest.mark.timeout(300)
async def test_without_the_breaks_the_same_schedules_break_nothing() -> None:
    async with ground() as on:
        schedules = [broken.schedule for broken in BREAKS]
        found = [one.violations async for one in played(on, schedules, _AT_A_TIME)]
    assert found == [[] for _ in BREAKS]
