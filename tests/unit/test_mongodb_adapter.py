"""What the MongoDB adapter makes of its driver's habits."""

import asyncio
import time
from contextlib import suppress

import pytest
from pymongo.errors import AutoReconnect, WriteError

from appliance.domain.errors import StoreUnavailable, Unstorable
from appliance.store import mongodb
from appliance.store.mongo_calls import Calls
from appliance.store.mongodb import MongoStore
from tests.chaos.pipes import Pipe
from tests.servers import Secantus, free_port


async def raising(error: Exception) -> None:
    raise error


async def test_who_waits_may_go_and_the_call_is_not_broken_off() -> None:
    calls, ended = Calls(), asyncio.Event()

    async def call() -> None:
        await asyncio.sleep(0.05)
        ended.set()

    task = asyncio.ensure_future(calls.ask("payments", call(), None))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(StoreUnavailable, match="no answer in time"):
        await calls.ask("payments", asyncio.sleep(0.05), 0.01)
    await calls.over(10)
    assert ended.is_set()


async def test_callers_that_give_up_leave_a_driver_that_serves_again(
    secantus: Secantus, database: str
) -> None:
    """Cancelled while it looks for a server, the driver itself never served anybody again."""
    pipe = Pipe("127.0.0.1", 0, ("127.0.0.1", secantus.port), mongodb=True)
    uri = f"mongodb://127.0.0.1:{await pipe.open()}/?directConnection=true"
    store = MongoStore.connect(uri, database)
    await store.ping()
    pipe.set("not_primary")

    async def impatient(seconds: float) -> None:
        with suppress(TimeoutError, StoreUnavailable):
            async with asyncio.timeout(seconds):
                await store.get("payments", "_id", "x")

    # The driver looks twice a second: some go in the very moment in which it does.
    for _ in range(3):
        await asyncio.gather(*(impatient(0.49 + n / 2500) for n in range(100)))
    pipe.set("open")
    async with asyncio.timeout(20):
        while True:
            with suppress(StoreUnavailable):
                assert await store.get("payments", "_id", "x") is None
                break
    await store.close()
    await pipe.close()


async def test_a_server_that_is_away_is_the_database_away() -> None:
    with pytest.raises(StoreUnavailable):
        await Calls().ask("payments", raising(AutoReconnect("cut")), None)


async def test_a_document_that_alone_is_refused_is_no_database_that_is_away() -> None:
    refused = WriteError("document failed validation", 121)
    with pytest.raises(Unstorable):
        await Calls().ask("webhook_logs", raising(refused), None)
    interrupted = WriteError("interrupted at shutdown", 11600)
    with pytest.raises(StoreUnavailable) as away:
        await Calls().ask("webhook_logs", raising(interrupted), None)
    assert not isinstance(away.value, Unstorable)


async def test_a_server_that_is_away_is_not_looked_for_as_long_as_one_may_think(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mongodb, "_AWAY_AFTER_MS", 100)
    store = MongoStore.connect(f"mongodb://127.0.0.1:{free_port()}/", "nothing")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="ServerSelection"):
        await store.get("payments", "_id", "x")
    assert time.monotonic() - began < mongodb._GIVE_UP_AFTER_MS / 1000 / 2
    await store.close()


async def test_a_server_that_hangs_is_given_up_and_serves_again_when_it_goes_on(
    secantus: Secantus, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MongoStore.connect(secantus.uri, database)
    await store.ping()
    monkeypatch.setattr(mongodb, "_GIVE_UP_AFTER_MS", 300)
    with secantus.hanging(), pytest.raises(StoreUnavailable):
        await store.get("payments", "_id", "x")
    monkeypatch.undo()
    assert await store.get("payments", "_id", "x") is None
    await store.close()
