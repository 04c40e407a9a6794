"""The router has two ways in, API and SSH; customers hardly notice when one of them is out."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest

from appliance.store.records import books
from tests.world import PATIENCE, Customer, World

_CROWD = 50
_QUEUE = 10
# So many gates are opened at once, each at its own pace.
_AT_ONCE = 8
_OUT = 3
"""Seconds for which both ways are out while everybody waits."""


async def router(world: World, **faults: Any) -> None:
    async with httpx.AsyncClient() as http:
        url = f"http://127.0.0.1:{world.ports.router_web}/faults"
        assert (await http.put(url, json=faults)).status_code == 200


async def arrived(world: World, number: int) -> Customer:
    customer = world.customer(number)
    await customer.arrive()
    return customer


async def served(customer: Customer) -> None:
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")


@pytest.mark.parametrize("store_kind", ["sqlite"])
async def test_while_the_api_is_dead_ssh_lets_everybody_in(still_world: World) -> None:
    world = still_world
    await world.start(SEND_WITHIN="5")
    await router(world, refuse=True)
    crowd = [await arrived(world, number) for number in range(10, 10 + _CROWD)]
    for start in range(0, _CROWD, 10):
        await asyncio.gather(*map(served, crowd[start : start + 10]))
    assert all(world.logins(customer) == 1 for customer in crowd)
    async with world.store() as store:
        sold = await books(store).vouchers.page("status", "active", 100)
    assert Counter(voucher.granted_by for voucher in sold) == {"ssh": _CROWD}
    await router(world)
    await served(await arrived(world, 9))


async def test_after_both_were_out_all_are_let_in_as_they_paid_each_with_the_full_time(
    world: World,
) -> None:
    queue = [await arrived(world, number) for number in range(10, 10 + _QUEUE)]
    tokens = [(await customer.buy())["token"] for customer in queue]
    await router(world, refuse=True, ssh_refuse=True)
    for customer, token in zip(queue, tokens, strict=True):
        await customer.phone_does("pay")
        assert (await customer.until(token, "paid"))["secondsRemaining"] == 3600
    late = await arrived(world, 9)  # nobody can say which device this is, but its page can
    bought = await late.buy()
    await late.phone_does("pay")
    await asyncio.sleep(_OUT)
    await router(world)
    async with asyncio.timeout(PATIENCE):
        while not all(world.logins(customer) for customer in queue):
            await asyncio.sleep(0.05)
    macs = [login.mac for login in world.near.router.hotspot.logins]
    assert len(macs) == _QUEUE
    for place, (customer, token) in enumerate(zip(queue, tokens, strict=True)):
        assert abs(macs.index(customer.mac) - place) < _AT_ONCE
        left = (await customer.until(token, "online"))["secondsRemaining"]
        assert 3600 - PATIENCE < left <= 3600
    await late.until(bought["token"], "online")
