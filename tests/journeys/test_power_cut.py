"""The daemon is killed with SIGKILL at every boundary; what was paid for is delivered, once."""

import asyncio
from contextlib import suppress

import httpx
import pytest

from appliance.domain.payments import Payment
from appliance.domain.vouchers import Voucher
from appliance.store.records import books
from tests.world import PATIENCE, Customer, World

# Each side of every write, router command and Daraja call of one purchase, and a few beyond, where
# the process outlives the purchase.
BOUNDARIES = range(1, 51)


async def order_and_pay(world: World, customer: Customer) -> None:
    """Be a customer who orders, approves the prompt, and orders again where nothing rang."""
    if not world.prompts_of(customer):
        try:
            await customer.ask()
        except httpx.TransportError:
            return  # the box died: the prompt, if there is one, is answered when it is back
    for prompt in world.prompts_of(customer):
        await world.near.daraja.answer(prompt.id, "pay", pin="1234")


async def what_was_bought(world: World) -> list[tuple[Payment, Voucher | None]]:
    async with world.store() as store:
        kept = books(store)
        paid = await kept.payments.page("status", "paid", 10)
        return [(payment, await kept.vouchers.get(payment.voucher_id)) for payment in paid]


def delivered(bought: list[tuple[Payment, Voucher | None]]) -> bool:
    return bool(bought) and all(
        payment.owed is None and voucher is not None and voucher.activated_at is not None
        for payment, voucher in bought
    )


@pytest.mark.parametrize("boundary", BOUNDARIES)
async def test_no_money_is_lost_wherever_the_process_dies(
    still_world: World, customer: Customer, boundary: int
) -> None:
    world = still_world
    await world.start(DIE_AT=str(boundary))
    await order_and_pay(world, customer)
    with suppress(TimeoutError):
        async with asyncio.timeout(2):
            while world.alive and not delivered(await what_was_bought(world)):
                await asyncio.sleep(0.05)
    await world.kill()

    await world.start()
    async with asyncio.timeout(PATIENCE):
        while not world.paid(customer):
            await order_and_pay(world, customer)
            await asyncio.sleep(0.05)
        while not delivered(bought := await what_was_bought(world)):
            await asyncio.sleep(0.05)

    assert world.paid(customer) == len(bought) == 1
    assert world.logins(customer) == 1
    assert await customer.is_online()
