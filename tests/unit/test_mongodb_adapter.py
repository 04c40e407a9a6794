"""What the MongoDB adapter makes of its driver's habits."""

import asyncio
import time

import pytest
from pymongo.errors import AutoReconnect, WriteError

from appliance.domain.errors import StoreUnavailable, Unstorable
from appliance.store import mongodb
from appliance.store.mongodb import MongoStore, _translated
from tests.servers import Secantus, free_port


@pytest.mark.parametrize("then", [None, AutoReconnect("cut")])
async def test_a_cancellation_that_the_driver_swallows_still_ends_the_task(
    then: Exception | None,
) -> None:
    async def driver() -> None:
        async with _translated("payments"):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if then is not None:
                    raise then from None

    task = asyncio.ensure_future(driver())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_server_that_is_away_is_the_database_away() -> None:
    with pytest.raises(StoreUnavailable):
        async with _translated("payments"):
            raise AutoReconnect("cut")


async def test_a_document_that_alone_is_refused_is_no_database_that_is_away() -> None:
    with pytest.raises(Unstorable):
        async with _translated("webhook_logs"):
            raise WriteError("document failed validation", 121)
    with pytest.raises(StoreUnavailable) as away:
        async with _translated("webhook_logs"):
            raise WriteError("interrupted at shutdown", 11600)
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
