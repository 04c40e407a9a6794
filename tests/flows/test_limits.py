"""How often phones are prompted and codes guessed, and who must not suffer from it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance.domain.devices import Device
from appliance.domain.errors import Invalid, TooMany
from appliance.domain.payments import Payment
from appliance.flows.bounds import Bounds, Rate
from appliance.flows.checkout import Order
from appliance.flows.guesses import Guesses, guesses
from appliance.flows.restraint import restrained
from tests.conftest import HandClock
from tests.gate import DEVICES
from tests.story import PHONES, Story

CANCELLED, WRONG_PIN, PAID = 1032, 2001, 0


async def opened(most: int = 120) -> Story:
    story = Story("paybill")
    await story.open()
    restraint = restrained(story.books.payments, story.books.vouchers, story.clock, most)
    story.checkout = replace(story.checkout, restraint=restraint)
    return story


async def order(story: Story, phone: str, device: Device | None = DEVICES[0]) -> Payment:
    proved = device is not None
    return await story.checkout.start(
        Order(plan_id="hour", phone=phone, device=device, proved=proved)
    )


async def rings(story: Story, phone: str, device: Device | None = DEVICES[0]) -> bool:
    """Say whether the phone was prompted."""
    before = len(story.mpesa.prompts)
    try:
        await order(story, phone, device)
    except TooMany:
        assert len(story.mpesa.prompts) == before
        return False
    return len(story.mpesa.prompts) == before + 1


async def answered(story: Story, result: int) -> None:
    """Answer the newest prompt, and let the box hear of it."""
    waiting = [p for p in story.mpesa.prompts if p.result is None]
    await story.decide(len(waiting) - 1, result)
    await story.callback(len([p for p in story.mpesa.prompts if p.result is not None]) - 1)
    await story.work()


def mac(number: int) -> Device:
    return Device(f"02:00:00:00:01:{number:02X}", f"127.0.1.{number}")


def phone(number: int) -> str:
    return f"2547123460{number:02d}"


async def test_who_mistypes_or_cancels_tries_again_at_once() -> None:
    story = await opened()
    for result in (WRONG_PIN, CANCELLED, WRONG_PIN, CANCELLED):
        assert await rings(story, PHONES[0])
        await answered(story, result)
        await story.wait(10)
    assert await rings(story, PHONES[0])
    await answered(story, PAID)
    await story.wait(10)
    assert await rings(story, PHONES[0])


async def test_nobody_s_phone_is_rung_up_all_day_whoever_asks() -> None:
    story = await opened()
    rang = 0
    for minute in range(60):
        if await rings(story, PHONES[0], mac(minute)):
            rang += 1
            await answered(story, CANCELLED)
        await story.wait(60)
    assert 5 < rang <= 11


async def test_a_device_does_not_ring_up_one_stranger_after_the_other() -> None:
    story = await opened()
    rang = 0
    for minute in range(60):
        if await rings(story, phone(minute)):
            rang += 1
            await answered(story, CANCELLED)
        await story.wait(60)
    assert 5 < rang <= 11
    assert await rings(story, phone(70), DEVICES[1])


async def test_a_restart_forgets_no_prompt() -> None:
    story = await opened()
    for number in range(5):
        assert await rings(story, phone(number))
        await answered(story, CANCELLED)
        await story.wait(20)
    restraint = restrained(story.books.payments, story.books.vouchers, story.clock, 120)
    story.checkout = replace(story.checkout, restraint=restraint)
    with pytest.raises(TooMany) as error:
        await order(story, phone(9))
    assert (error.value.reason, 1 <= error.value.seconds <= 600) == ("too_many_prompts", True)
    await story.wait(error.value.seconds)
    assert await rings(story, phone(9))


async def test_a_device_that_pays_for_others_goes_on_selling() -> None:
    story = await opened()
    for number in range(20):
        assert await rings(story, phone(number))
        await answered(story, PAID)
        await story.wait(20)


async def test_an_hour_without_m_pesa_uses_no_try_up() -> None:
    story = await opened()
    story.mpesa.away = True
    for _ in range(8):
        payment = await order(story, PHONES[0])
        assert payment.reason == "gateway_unreachable"
        await story.work()
        await story.wait(30)
    story.mpesa.away = False
    assert await rings(story, PHONES[0])


async def test_the_same_order_again_is_no_second_try() -> None:
    story = await opened()
    for _ in range(4):
        await rings(story, PHONES[0])
        await answered(story, CANCELLED)
    first = await order(story, PHONES[0])
    assert (await order(story, PHONES[0])).id == first.id


async def test_many_asked_for_in_the_same_moment_are_held_back() -> None:
    story = await opened()
    rang = [await rings(story, phone(number)) for number in range(40)]
    assert sum(rang) == 5


async def test_all_customers_together_keep_to_the_operators_number() -> None:
    story = await opened(most=8)
    rang = [await rings(story, phone(number), mac(number)) for number in range(20)]
    assert sum(rang) == 8
    await story.wait(60)
    assert await rings(story, phone(30), mac(30))


async def test_devices_that_the_router_does_not_see_ring_up_few() -> None:
    story = await opened()
    rang = [await rings(story, phone(number), None) for number in range(60)]
    assert sum(rang) == 30
    assert await rings(story, phone(70), DEVICES[1])


def _unknown() -> None:
    raise Invalid("code_unknown", "code")


def guess(counted: Guesses, device: Device | None, *typed: str, right: bool = False) -> bool:
    """Type something; say whether it was looked at."""
    try:
        with counted.by(device, *typed):
            if not right:
                _unknown()
    except TooMany:
        return False
    except Invalid as error:
        return error.reason == "code_unknown"
    return True


def test_guessing_codes_is_slow_for_a_device(clock: HandClock) -> None:
    counted = guesses(clock)
    looked_at = [guess(counted, DEVICES[0], f"CODE{number}") for number in range(100)]
    assert sum(looked_at) == 10
    assert not guess(counted, DEVICES[0], "RIGHT", right=True)
    assert guess(counted, DEVICES[1], "RIGHT", right=True)
    clock.pass_by(timedelta(seconds=30))
    assert guess(counted, DEVICES[0], "RIGHT", right=True)


def test_guessing_codes_is_slow_however_often_the_mac_changes(clock: HandClock) -> None:
    counted = guesses(clock)
    looked_at = [guess(counted, Device(f"mac {n}", "ip"), f"CODE{n}") for n in range(1000)]
    assert sum(looked_at) == 120


def test_right_codes_and_a_page_that_asks_again_use_nothing_up(clock: HandClock) -> None:
    counted = guesses(clock)
    assert all(guess(counted, DEVICES[0], f"CODE{n}", right=True) for n in range(100))
    assert all(guess(counted, DEVICES[0], "UKN0000001", PHONES[0]) for _ in range(100))
    assert guess(counted, DEVICES[0], "UKN0000002", PHONES[0])


def test_who_is_not_on_the_wi_fi_learns_nothing_about_a_code(clock: HandClock) -> None:
    counted = guesses(clock)
    looked_at = False
    with pytest.raises(Invalid, match="device_unknown"), counted.by(None, "CODE"):
        looked_at = True
    assert not looked_at


def test_bounds_forget_names_that_say_nothing_any_more(clock: HandClock) -> None:
    bounds = Bounds(clock=clock, each=Rate(1, 60), everybody=Rate(1_000_000, 60))
    for number in range(5_000):
        assert not bounds.take(f"name {number}")
        clock.pass_by(timedelta(seconds=1))
    assert len(bounds._full_again) < 1_200


@pytest.mark.parametrize("who", [0, 1])
async def test_prompts_dated_by_a_clock_that_was_ahead_lock_nobody_out(who: int) -> None:
    story = await opened()
    start = story.clock.now()
    story.clock.pass_by(timedelta(days=3_650))
    for _ in range(5):
        assert await rings(story, PHONES[0])
        await answered(story, CANCELLED)
        await story.wait(10)
    assert not await rings(story, PHONES[who])
    story.clock.moment = start
    # What is counted in memory goes by no calendar, unlike this clock.
    restraint = restrained(story.books.payments, story.books.vouchers, story.clock, 120)
    story.checkout = replace(story.checkout, restraint=restraint)
    assert await rings(story, PHONES[who])
    await answered(story, CANCELLED)
