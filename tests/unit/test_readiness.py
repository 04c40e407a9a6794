"""What a box needs to be ready, and what is told without being needed."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from appliance.app import readiness
from appliance.app.readiness import Facts, Room, Schema
from appliance.store.open import EMBEDDED, opened
from appliance.store.port import Shelf
from appliance.store.schema import COLLECTIONS
from appliance.web.health import NotReady
from tests.conftest import HandClock
from tests.memory_store import MemoryStore
from tests.unit.test_router_health import WELL


class Disk(NamedTuple):
    total: int
    used: int
    free: int


MB, GB = 2**20, 2**30


@pytest.mark.parametrize(("total", "bound"), [(2 * GB, 103 * MB), (500 * GB, 256 * MB)])
async def test_a_disk_is_full_at_a_twentieth_and_a_large_one_at_what_a_release_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, bound: int
) -> None:
    room = Room(tmp_path / "to" / "be" / "made")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(total, total - bound, bound))
    await room.check()
    less = bound - MB
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(total, total - less, less))
    with pytest.raises(NotReady, match=f"only {less // MB} MB of the disk are free"):
        await room.check()


async def test_a_database_that_hangs_is_not_said_to_lack_indexes(
    clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "_LONGEST_LOOK", 0.01)
    hangs = MemoryStore()
    monkeypatch.setattr(hangs, "inspect", lambda _: asyncio.sleep(60))
    await Schema(hangs, clock).check()


async def test_a_key_that_could_be_there_twice_is_said(tmp_path: Path, clock: HandClock) -> None:
    async with opened(uri=None, database="x", data_dir=tmp_path) as store:
        schema = Schema(store, clock)
        _drop(tmp_path, lambda index: "UNIQUE" not in index)
        await schema.check()  # a slow question is no reason
        _drop(tmp_path, lambda index: "payments" in index)
        await schema.check()  # what was found lately is good enough
        clock.pass_by(timedelta(hours=1))
        for _ in range(2):  # what is wrong is looked at each time
            with pytest.raises(NotReady, match="unique indexes are missing in payments"):
                await schema.check()


async def test_whoever_asks_often_costs_the_database_nothing(clock: HandClock) -> None:
    looks = Counter[str]()

    class Watched(MemoryStore):
        async def inspect(self, collection: str) -> Shelf:
            looks[collection] += 1
            return await super().inspect(collection)

    schema = Schema(Watched(), clock)
    for _ in range(10):
        await schema.check()
    assert looks == Counter(list(COLLECTIONS))


def test_the_router_and_the_clock_are_told_of() -> None:
    clock = HandClock()
    facts = Facts(clock)
    assert facts.told() == {"routerAnsweredSecondsAgo": None, "clockTrusted": True}
    facts.router(WELL)
    clock.pass_by(timedelta(seconds=90))
    facts.router(None)
    clock.sure = False
    assert facts.told() == {"routerAnsweredSecondsAgo": 90, "clockTrusted": False}


def _drop(folder: Path, wanted: Callable[[str], bool]) -> None:
    with sqlite3.connect(folder / EMBEDDED) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        for name, made in connection.execute(query).fetchall():
            if wanted(made):
                connection.execute(f'DROP INDEX "{name}"')
    connection.close()
