"""The database goes away in the middle of a purchase and comes back."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from typing import Any

import httpx
import pytest

from appliance.domain import ids
from appliance.sandbox.daraja.accounts import MERCHANTS
from appliance.sandbox.daraja.ledger import Callback
from appliance.store.open import opened_spool
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
        # Nothing is claimed stored that was not; beside a shared database there is the spool.
        assert call.status == (503 if world.mongodb is None else 200)
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


@contextmanager
def full_disk(world: World) -> Iterator[None]:
    """Let the daemon write to no file; the disk of everybody else has room."""
    before = resource.prlimit(world.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(world.pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(world.pid, resource.RLIMIT_FSIZE, before)


async def test_with_a_full_disk_nothing_is_claimed_stored_and_with_room_all_goes_on(
    world: World, customer: Customer, outage: Outage
) -> None:
    bought = await customer.buy()
    other = world.customer(6)
    await other.arrive()
    callbacks = world.near.daraja.ledger.callbacks
    with full_disk(world):
        if world.mongodb is None:
            assert (await other.ask()).json()["error"]["code"] == "database_away"
        async with AsyncExitStack() as stack:
            if world.mongodb is not None:  # else the disk is the database's too
                await stack.enter_async_context(outage())
            await customer.phone_does("pay")
            await world.near.daraja.ledger.wait_for(lambda ledger: bool(ledger.callbacks), 20)
            assert [call.status for call in callbacks] == [503]
        assert world.alive
    await customer.until(bought["token"], "online")
    await other.buy()
    await other.phone_does("pay")
    await world.near.daraja.ledger.wait_for(lambda ledger: len(ledger.callbacks) == 2, 20)
    assert callbacks[1].status == 200


async def post(world: World, path: str, body: Any) -> int:
    async with httpx.AsyncClient() as http:
        url = f"http://127.0.0.1:{world.ports.webhooks}{path}"
        return (await http.post(url, json=body, timeout=8)).status_code


@pytest.mark.parametrize("store_kind", ["secantus"])
async def test_what_comes_while_the_shared_database_is_away_is_kept_through_a_restart(
    world: World, customer: Customer, outage: Outage
) -> None:
    await world.register_c2b(MERCHANTS[0])
    await world.faults(query="never", c2b="after")
    bought = await customer.buy()
    ledger = world.near.daraja.ledger
    async with outage():
        await customer.phone_does("pay")
        await ledger.wait_for(lambda ledger: bool(ledger.confirmations), timeout=20)
        (callback,), (confirmation,) = ledger.callbacks, ledger.confirmations
        assert (callback.status, confirmation.status) == (200, 200)

        await world.kill()
        await world.start()
        await _forge(world, callback)
        assert await backlog(world) == 3
        await _look_around(world, customer, bought["token"])
    await customer.until(bought["token"], "online")
    assert world.logins(customer) == world.paid(customer) == 1
    assert len(await world.payments_in("paid")) == 1
    assert await world.payments_in("unmatched") == []
    called = await world.webhooks_from("mpesa_stk_callback")
    assert sorted(webhook.status for webhook in called) == ["completed", "refused"]
    (confirmed,) = await world.webhooks_from("mpesa_confirmation")
    assert confirmed.status in {"completed", "already_known"}
    assert await backlog(world) == 0


async def _look_around(world: World, customer: Customer, token: str) -> None:
    """Read the pages as somebody who just paid, who would pay, and who has a code."""
    carry = {"link_login": f"http://127.0.0.1:{world.ports.router_web}/login", "lang": "en"}
    order = {"plan": "hour", "phone": "0712 345 009", **carry}
    with_code = {"code": "ABC123DEF4", **carry}
    for method, path, sentence in (
        ("GET", "/", "please do not pay again"),
        ("GET", f"/wait/{token}", "please do not pay again"),
        ("POST", "/purchase", "You were not charged"),
        ("POST", "/redeem", "Nothing is lost"),
    ):
        body = with_code if path == "/redeem" else order
        more = {"params": carry} if method == "GET" else {"data": body}
        page = await customer.portal(method, path, **more)
        assert page.status_code == 503
        assert sentence in page.text
        assert f'href="{carry["link_login"]}?var=voucher"' in page.text


async def _forge(world: World, callback: Callback) -> None:
    """Try what somebody may who knows too little, and somebody who knows the path's secret."""
    hooks, token = callback.url.partition("/hooks/")[2].split("/stk/")
    wrong = hooks[:-1] + ("0" if hooks[-1] != "0" else "1")
    assert await post(world, f"/hooks/{wrong}/stk/{token}", callback.body) == 404
    assert await post(world, f"/hooks/{hooks}/stk/no_token", callback.body) == 404
    assert await post(world, f"/hooks/{hooks}/stk/{ids.new_token()}", callback.body) == 200


async def backlog(world: World) -> int:
    async with opened_spool(uri=world.mongodb, data_dir=world.folder) as spool:
        assert spool is not None
        return (await spool.backlog()).waiting
