"""What every test stands on: no blocking call hides in the event loop, and every store is real."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

from appliance.domain.ids import new_id
from appliance.store.open import opened
from appliance.store.port import Store
from tests.leaks import Eavesdropper, leaks
from tests.memory_store import MemoryStore
from tests.servers import Secantus
from tests.world import Customer, World

REAL_MONGODB = os.environ.get("APPLIANCE_TEST_MONGODB_URI")
STORES = ["sqlite", "secantus", *(["mongodb"] if REAL_MONGODB else [])]


settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.register_profile("usual", max_examples=120, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    if "browser" in request.path.parts:
        yield None  # Playwright's own loop blocks as it likes
        return
    with blockbuster_ctx("appliance") as guard:
        # pymongo looks once whether it runs in a container
        guard.functions["os.stat"].can_block_in("pool_options.py", "get_container_env_info")
        yield guard


@pytest.fixture(scope="session")
def eavesdropper() -> Iterator[Eavesdropper]:
    heard = Eavesdropper()
    logging.getLogger().addHandler(heard)
    yield heard
    logging.getLogger().removeHandler(heard)


@pytest.fixture(autouse=True)
def no_secret_in_a_log_line(eavesdropper: Eavesdropper) -> Iterator[None]:
    eavesdropper.lines.clear()
    logging.getLogger("appliance").setLevel(logging.DEBUG)  # a command under test may be quiet
    yield
    assert leaks(eavesdropper.lines) == []


@dataclass
class HandClock:
    """A clock that a test moves by hand."""

    moment: datetime = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    sure: bool = True

    def now(self) -> datetime:
        return self.moment

    def certain(self) -> datetime | None:
        return self.moment if self.sure else None

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def pass_by(self, time: timedelta) -> None:
        self.moment += time


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secantus]:
    server = Secantus(tmp_path_factory.mktemp("secantus"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=STORES)
def store_kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def mongodb_uri(request: pytest.FixtureRequest, store_kind: str) -> str | None:
    """The database of one run of a test: None where there is no server."""
    if store_kind in {"sqlite", "memory"}:
        return None
    if store_kind == "mongodb":
        return REAL_MONGODB
    server: Secantus = request.getfixturevalue("secantus")
    return server.uri


@pytest.fixture
def database() -> str:
    return f"test_{new_id()}"


@pytest.fixture
async def store(
    store_kind: str, mongodb_uri: str | None, database: str, tmp_path: Path
) -> AsyncIterator[Store]:
    if store_kind == "memory":
        yield MemoryStore()
        return
    async with opened(uri=mongodb_uri, database=database, data_dir=tmp_path) as opened_store:
        yield opened_store


@pytest.fixture
async def still_world(
    tmp_path: Path, mongodb_uri: str | None, database: str
) -> AsyncIterator[World]:
    """The neighbours are there; the daemon is not started yet."""
    made = await asyncio.to_thread(World, tmp_path, mongodb_uri, database)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@pytest.fixture
async def world(still_world: World) -> World:
    await still_world.start()
    return still_world


@pytest.fixture
async def customer(still_world: World) -> Customer:
    someone = still_world.customer()
    await someone.arrive()
    return someone
