"""The database goes away in the middle of a purchase and comes back."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from tests.servers import Secantus
from tests.world import Customer, World

Outage = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
def outage(request: pytest.FixtureRequest, mongodb_uri: str | None, world: World) -> Outage:
    """Return what takes this run's database away for the length of a block."""
    if mongodb_uri is None:
        return lambda: _locked(world)
    server: Secantus = request.getfixturevalue("secantus")
    if mongodb_uri != server.uri:
        pytest.skip("a real MongoDB is not ours to stop")
    return lambda: _killed(server)


@asynccontextmanager
async def _locked(world: World) -> AsyncIterator[None]:
    """Hold the file's only write lock: whoever wants to write gives up after a while."""
    file = world.folder / "appliance.sqlite3"
    held = await asyncio.to_thread(sqlite3.connect, file, check_same_thread=False)
    await asyncio.to_thread(held.execute, "BEGIN IMMEDIATE")
    try:
        yield
    finally:
        await asyncio.to_thread(held.rollback)
        held.close()


@asynccontextmanager
async def _killed(server: Secantus) -> AsyncIterator[None]:
    await asyncio.to_thread(server.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


async def test_what_was_paid_while_the_database_was_gone_is_delivered_when_it_is_back(
    world: World, customer: Customer, outage: Outage
) -> None:
    bought = await customer.buy()
    other = world.customer(6)
    await other.arrive()
    async with outage():
        await customer.phone_does("pay")
        await world.near.daraja.ledger.wait_for(lambda ledger: bool(ledger.callbacks), timeout=20)
        (call,) = world.near.daraja.ledger.callbacks
        assert call.status == 503  # nothing is claimed stored that was not
        refused = await other.ask()
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "database_away"
        assert not world.prompts_of(other)
    await customer.until(bought["token"], "online")
    assert world.logins(customer) == world.paid(customer) == 1
    later = await other.buy()
    await other.phone_does("pay")
    await other.until(later["token"], "online")


async def test_a_daemon_that_starts_before_its_database_serves_when_it_is_there(
    world: World, customer: Customer, outage: Outage
) -> None:
    await world.stop()
    async with outage():
        if world.mongodb is not None:  # a locked file is no reason to start: nothing can be made
            await world.start()
            assert (await customer.ask()).status_code == 503
    if world.mongodb is None:
        await world.start()
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
