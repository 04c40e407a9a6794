"""The code reaches the phone by SMS, and nobody waits for that."""

import asyncio
from typing import Any

import httpx

from appliance.domain.messages import State
from appliance.store.records import books
from tests.world import PATIENCE, Customer, World


async def inbox(world: World, customer: Customer) -> list[dict[str, Any]]:
    """Return what this phone got from the shop."""
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"http://127.0.0.1:{world.ports.daraja}/phone/messages")
    mine = [one for one in answer.json() if one["phone"] == customer.phone]
    return [one for one in mine if one["from"] != "MPESA"]


async def test_with_the_provider_away_one_is_online_and_the_code_comes_when_it_is_back(
    world: World, customer: Customer
) -> None:
    world.near.daraja.sms_faults.set({"send": "away"})
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    assert await customer.is_online()
    async with asyncio.timeout(PATIENCE), world.store() as store:
        while not (waiting := await books(store).messages.page("status", State.QUEUED.value, 9)):
            await asyncio.sleep(0.05)
    assert [message.payment_id for message in waiting] == [bought["paymentId"]]
    assert await inbox(world, customer) == []

    world.near.daraja.sms_faults.set({})
    async with asyncio.timeout(PATIENCE):
        while not (came := await inbox(world, customer)):
            await asyncio.sleep(0.05)
    assert bought["voucherCode"] in came[0]["text"]
    async with asyncio.timeout(PATIENCE), world.store() as store:
        while not (sent := await books(store).messages.page("status", State.SENT.value, 9)):
            await asyncio.sleep(0.05)
    assert [message.cost_cents for message in sent] == [80]
    assert len(await inbox(world, customer)) == 1
