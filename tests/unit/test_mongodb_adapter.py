"""What the MongoDB adapter makes of its driver's habits."""

import asyncio

import pytest
from pymongo.errors import AutoReconnect

from appliance.domain.errors import StoreUnavailable
from appliance.store.mongodb import _translated


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
