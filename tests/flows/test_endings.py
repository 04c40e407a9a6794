"""A voucher's time runs out, and whoever was in with it is out, whatever breaks in between."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from appliance.domain import debts
from appliance.domain.debts import Kind
from appliance.domain.devices import HotspotUser, Session
from appliance.domain.vouchers import State
from appliance.flows.progress import Watch
from tests.box import CUT, FAMILY, HOUR, Box


async def test_at_its_end_by_the_clock_everybody_is_out(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    box.router.hotspot.cookies.issue("mac-cookie", voucher.code, device.mac)
    box.pass_by(minutes=59, seconds=58)
    await box.work()
    assert box.in_with(device) == voucher.code
    box.clock.pass_by(timedelta(seconds=2))
    await box.work()
    after = await box.latest(voucher)
    assert (after.state, after.owed) == (State.EXPIRED, None)
    assert box.in_with(device) is None
    assert not box.on_router(voucher)
    assert box.router.hotspot.cookies.all() == []


@pytest.mark.parametrize("when", ["cut_before_command", "cut_after_command"])
@pytest.mark.parametrize("command", CUT)
async def test_a_cut_that_breaks_off_is_made_good(box: Box, command: str, when: str) -> None:
    device = box.device()
    voucher = await box.online(device)
    box.clock.pass_by(HOUR.duration)
    box.router.faults.set({when: command})
    await box.work()
    after = await box.latest(voucher)
    assert after.state is State.EXPIRED
    box.clock.pass_by(debts.LEASE)
    await box.work()
    after = await box.latest(voucher)
    assert (after.state, after.owed) == (State.EXPIRED, None)
    assert box.in_with(device) is None
    assert not box.on_router(voucher)


async def test_while_the_router_is_away_the_cut_waits_and_is_not_forgotten(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    box.clock.pass_by(HOUR.duration)
    box.router.faults.set({"refuse": True})
    for _ in range(5):
        await box.work()
        box.clock.pass_by(timedelta(minutes=1))
    after = await box.latest(voucher)
    assert after.owed is not None
    assert after.owed.kind is Kind.END
    box.router.faults.set({})
    box.pool.patience.until = 0.0
    await box.work()
    assert (await box.latest(voucher)).owed is None
    assert not box.on_router(voucher)


async def test_a_process_that_died_after_deciding_leaves_the_cut_owed(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    box.clock.pass_by(HOUR.duration)
    now = box.clock.now()
    await box.kept.vouchers.change(voucher, voucher.run_out(now))
    await box.work()
    assert box.in_with(device) == voucher.code
    box.clock.pass_by(debts.LEASE)
    await box.work()
    assert box.in_with(device) is None


async def test_nothing_expires_while_the_time_is_in_doubt_and_sales_go_on(box: Box) -> None:
    first, second = box.device(5), box.device(6)
    running = await box.online(first)
    box.clock.sure = False
    box.clock.pass_by(timedelta(days=365))
    await box.work()
    assert box.in_with(first) == running.code
    assert (await box.latest(running)).state is State.ACTIVE
    sold = await box.online(second)
    assert sold.expires_at is None
    assert sold.seconds_left(box.clock.now()) == 3600


async def test_a_clock_ahead_and_in_doubt_tells_nobody_that_their_time_is_used_up(
    box: Box,
) -> None:
    voucher = await box.online(box.device())
    watch = Watch(payments=box.kept.payments, vouchers=box.kept.vouchers, clock=box.clock)
    box.clock.pass_by(timedelta(days=365))
    box.clock.sure = False
    seen = await watch.look(voucher.token)
    assert seen is not None
    assert (seen.state, seen.seconds_left) == ("online", HOUR.duration.total_seconds())
    box.clock.sure = True
    seen = await watch.look(voucher.token)
    assert seen is not None
    assert (seen.state, seen.reason, seen.seconds_left) == ("failed", "used_up", 0)


async def test_time_sold_under_a_doubtful_clock_runs_from_when_it_was_delivered(box: Box) -> None:
    device = box.device()
    box.clock.sure = False
    voucher = await box.online(device)
    box.pass_by(minutes=20)
    assert await box.usage.poll() == 0
    box.clock.pass_by(timedelta(days=20_000))
    box.clock.sure = True
    await box.work()
    after = await box.latest(voucher)
    assert after.expires_at is not None
    left = after.expires_at - box.clock.now()
    assert timedelta(minutes=39) < left <= timedelta(minutes=40)
    assert box.in_with(device) == voucher.code
    box.clock.pass_by(left)
    await box.work()
    assert box.in_with(device) is None


async def test_the_next_paid_voucher_takes_over_at_the_end_of_the_first(box: Box) -> None:
    device = box.device()
    first = await box.online(device)
    second = await box.sold(device)
    await box.work()
    assert (await box.latest(second)).state is State.READY
    assert box.in_with(device) == first.code
    box.pass_by(hours=1)
    await box.work()
    assert box.in_with(device) == second.code
    running = await box.latest(second)
    assert running.expires_at == box.clock.now() + HOUR.duration
    assert (await box.latest(first)).owed is None


async def test_what_is_delivered_in_the_moment_in_which_the_time_before_it_ends_is_not_left_waiting(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = box.device()
    first, second = await box.online(device), await box.sold(device)
    sessions, looks = box.api.sessions, 0

    async def overtaken(**whose: str) -> list[Session]:
        nonlocal looks
        looks, found = looks + 1, await sessions(**whose)
        if looks == 1:  # the second is leased: who ends the first leaves it to whoever holds it
            await box.access.end(await box.amend.revoke(first.code))
        return found

    monkeypatch.setattr(box.api, "sessions", overtaken)
    await box.work()
    assert box.in_with(device) == second.code
    assert (await box.latest(second)).state is State.ACTIVE


async def test_a_device_that_has_left_keeps_its_next_voucher_whole(box: Box) -> None:
    device = box.device()
    await box.online(device)
    second = await box.sold(device)
    await box.work()
    box.router.hotspot.leave(device.ip)
    box.pass_by(hours=2)
    await box.work()
    kept = await box.latest(second)
    assert kept.state is State.READY
    assert kept.seconds_left(box.clock.now()) == 3600
    box.device()
    await box.redeem.returning(await box.redeem.known(device), device)
    assert box.in_with(device) == second.code


async def test_what_an_operator_revokes_is_cut_off_and_stays_so(box: Box) -> None:
    inside = [box.device(number) for number in (5, 6)]
    voucher = await box.online(inside[0], FAMILY)
    await box.redeem.by_code(voucher.code, inside[1])
    await box.amend.revoke(voucher.code)
    await box.work()
    assert [box.in_with(device) for device in inside] == [None, None]
    after = await box.latest(voucher)
    assert (after.state, after.owed) == (State.REVOKED, None)
    assert await box.redeem.returning(await box.redeem.known(inside[0]), inside[0]) is None


async def test_what_is_extended_ends_later_on_both_sides(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    box.pass_by(minutes=30)
    await box.amend.extend(voucher.code, timedelta(hours=2))
    assert box.limit(voucher) in {"3h", "2h59m59s", "3h1s"}
    box.clock.pass_by(timedelta(hours=2, minutes=29))
    await box.work()
    assert box.in_with(device) == voucher.code
    box.clock.pass_by(timedelta(minutes=2))
    await box.work()
    assert (await box.latest(voucher)).state is State.EXPIRED


class Died(BaseException):
    """The process is gone, and with it whatever it was about to do."""


def die_at(box: Box, boundary: int, patch: pytest.MonkeyPatch) -> None:
    """Die just before or just after a write or a command to the router, counted from now."""
    crossed = 0

    def mortal(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        def cross() -> None:
            nonlocal crossed
            crossed += 1
            if crossed >= boundary:
                raise Died

        async def crossing(*args: Any) -> Any:
            cross()
            answer = await function(*args)
            cross()
            return answer

        return crossing

    patch.setattr(box.kept.vouchers, "change", mortal(box.kept.vouchers.change))
    patch.setattr(box.pool, "command", mortal(box.pool.command))


@pytest.mark.parametrize("boundary", range(1, 41))
async def test_wherever_the_process_dies_the_end_and_the_renewal_are_made_good(
    box: Box, boundary: int
) -> None:
    device = box.device()
    first = await box.online(device)
    second = await box.sold(device)
    await box.work()
    box.pass_by(hours=1)
    with pytest.MonkeyPatch.context() as patch, suppress(Died):
        die_at(box, boundary, patch)
        await box.work()
    for _ in range(3):  # a debt that came of paying another is leased anew
        box.clock.pass_by(debts.LEASE)
        await box.work()
    over, running = await box.latest(first), await box.latest(second)
    assert (over.state, over.owed) == (State.EXPIRED, None)
    assert not box.on_router(first)
    assert box.in_with(device) == second.code
    assert running.state is State.ACTIVE
    assert running.seconds_left(box.clock.now()) >= 3_600 - 3 * debts.LEASE.total_seconds()
    assert len(box.router.hotspot.logins) == 2


async def test_a_voucher_revoked_and_cut_off_while_its_device_is_let_in_stays_cut_off(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = box.device()
    voucher = await box.sold(device)
    ensure_user = box.api.ensure_user

    async def overtaken(user: HotspotUser) -> None:
        await box.access.end(await box.amend.revoke(voucher.code))
        await ensure_user(user)

    monkeypatch.setattr(box.api, "ensure_user", overtaken)
    await box.work()
    after = await box.latest(voucher)
    assert (after.state, after.owed) == (State.REVOKED, None)
    assert box.in_with(device) is None
    assert not box.on_router(voucher)
