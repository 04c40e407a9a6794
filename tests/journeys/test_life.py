"""A voucher's life with the real daemon: it starts, moves, ends and is renewed by itself."""

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest

from appliance.domain.vouchers import State
from tests.journeys.commands import as_json, command
from tests.world import PATIENCE, Customer, World

SHORT = 3
"""Seconds of the plan that these customers buy."""


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await true():
            await asyncio.sleep(0.05)


async def offline(customer: Customer) -> None:
    async def gone() -> bool:
        return not await customer.is_online()

    await until(gone)


@pytest.fixture
async def short_plans(still_world: World) -> World:
    """A world that sells seconds by the name of an hour."""
    text = still_world.seed.read_text(encoding="utf-8")
    still_world.seed.write_text(
        text.replace("durationSeconds = 3600", f"durationSeconds = {SHORT}"), encoding="utf-8"
    )
    await still_world.fill()
    await still_world.start()
    return still_world


async def online(customer: Customer, plan: str = "hour") -> str:
    """Buy, and return the voucher's code."""
    bought = await customer.buy(plan)
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    code: str = bought["voucherCode"]
    return code


async def test_time_ends_and_nothing_of_it_is_left_on_the_router(
    short_plans: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    await offline(customer)
    status = await customer.until(bought["token"], "failed")
    assert "used up" in status["message"]

    async def forgotten() -> bool:
        names = {user.name for user in short_plans.near.router.hotspot.users}
        return bought["voucherCode"] not in names

    await until(forgotten)
    (voucher,) = await short_plans.vouchers_of(customer)
    assert voucher.state is State.EXPIRED


async def test_an_end_that_came_while_the_box_was_off_is_caught_up_with(
    short_plans: World, customer: Customer
) -> None:
    world = short_plans
    await online(customer)
    await world.kill()
    await asyncio.sleep(SHORT)
    await world.start()
    await offline(customer)


async def test_a_second_purchase_goes_on_where_the_first_ends(
    short_plans: World, customer: Customer
) -> None:
    await online(customer)
    second = await customer.buy("day")
    await customer.phone_does("pay")

    async def goes_on() -> bool:
        sessions = short_plans.near.router.hotspot.sessions
        return [session.user for session in sessions] == [second["voucherCode"]]

    await until(goes_on)
    await customer.until(second["token"], "online")
    assert await customer.is_online()


async def test_a_code_in_use_is_moved_with_one_more_press(world: World, customer: Customer) -> None:
    code = await online(customer)
    other = world.customer(6)
    await other.arrive()
    refused = await other.portal("POST", "/redeem", data={"code": code})
    assert refused.status_code == 409
    assert "Use it here instead" in refused.text
    assert not await other.is_online()
    form = re.search(r'<form class="card" id="move".*?</form>', refused.text, re.DOTALL)
    assert form is not None
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
    assert fields == {"move": "yes", "code": code, "lang": "en"}
    answer = await other.portal("POST", "/redeem", data=fields)
    assert answer.status_code == 303
    assert await other.is_online()
    assert not await customer.is_online()


async def test_a_receipt_moves_its_voucher_as_well(world: World, customer: Customer) -> None:
    await online(customer)
    (payment,) = await world.payments_in("paid")
    other = world.customer(6)
    await other.arrive()
    typed = {"receipt": payment.receipt or "", "phone": customer.phone}
    refused = await other.portal("POST", "/recover", data=typed)
    assert refused.status_code == 409
    assert 'action="/recover"' in refused.text
    answer = await other.portal("POST", "/recover", data=typed | {"move": "yes"})
    assert answer.status_code == 303
    assert await other.is_online()
    assert not await customer.is_online()


async def test_a_router_that_was_reset_has_its_vouchers_back_when_the_box_starts(
    world: World, customer: Customer
) -> None:
    code = await online(customer)
    await world.stop()
    users = world.near.router.hotspot.config.users
    users.remove([row_id for row_id, row in users.rows.items() if row["name"] == code])
    await world.start()

    async def back() -> bool:
        return any(user.name == code for user in world.near.router.hotspot.users)

    await until(back)


async def test_an_operator_shows_extends_and_revokes_a_voucher(
    world: World, customer: Customer
) -> None:
    code = await online(customer)
    shown = await as_json(world, "vouchers", "show", code.lower())
    assert (shown["code"], shown["state"], shown["mac"]) == (code, "active", customer.mac)
    assert 3_590 <= shown["secondsLeft"] <= 3_600
    assert [one["code"] for one in await as_json(world, "vouchers", "list")] == [code]
    assert customer.phone not in str(shown)
    longer = await as_json(world, "vouchers", "extend", code, "--hours", "1.5")
    assert 8_980 <= longer["secondsLeft"] <= 9_000
    (user,) = [u for u in world.near.router.hotspot.users if u.name == code]
    assert user.limit_uptime in {"2h30m", "2h29m59s", "2h29m58s"}
    assert (await as_json(world, "vouchers", "revoke", code))["state"] == "revoked"
    await offline(customer)
    assert "this voucher is revoked" in await command(world, "vouchers", "revoke", code, code=1)
