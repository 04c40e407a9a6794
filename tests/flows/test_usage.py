"""Connected time and data run out by what the router counted, and nothing is counted twice."""

import asyncio

import pytest

from appliance.domain.vouchers import State
from appliance.router.patience import FIRST_WAIT
from tests.box import CAPPED, METERED, Box


async def test_connected_time_runs_only_while_connected(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device, METERED)
    box.pass_by(minutes=30)
    assert await box.usage.poll() == 0
    box.router.hotspot.leave(device.ip)
    box.pass_by(days=30)
    await box.usage.poll()
    await box.work()
    after = await box.latest(voucher)
    assert 1790 < after.seconds_left(box.clock.now()) <= 1800
    assert await box.redeem.returning(await box.redeem.known(box.device()), device) is not None
    box.pass_by(minutes=29, seconds=50)
    assert await box.usage.poll() == 0
    box.pass_by(seconds=10)
    assert await box.usage.poll() == 1
    await box.work()
    assert (await box.latest(voucher)).state is State.EXPIRED
    assert not box.on_router(voucher)


async def test_a_power_cut_of_the_router_gives_no_used_time_back(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device, METERED)
    box.pass_by(minutes=40)
    await box.usage.poll()
    box.router.hotspot.power_cut()
    await box.usage.poll()
    assert 2400 <= (await box.latest(voucher)).used_seconds < 2410
    await box.drift.repair()
    assert box.limit(voucher) in {"20m", "19m59s", "19m58s"}
    await box.redeem.returning(await box.redeem.known(box.device()), device)
    assert box.in_with(device) == voucher.code
    box.pass_by(minutes=10)
    await box.usage.poll()
    assert 3000 <= (await box.latest(voucher)).used_seconds < 3010


async def test_data_runs_out_as_well(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device, CAPPED)
    box.router.hotspot.carry(device.ip, download=6_000_000)
    assert await box.usage.poll() == 0
    assert (await box.latest(voucher)).used_bytes == 6_000_000
    box.router.hotspot.leave(device.ip)
    box.router.hotspot.carry(box.device().ip, download=1)
    await box.redeem.returning(await box.redeem.known(device), device)
    box.router.hotspot.carry(device.ip, upload=4_000_000)
    assert await box.usage.poll() == 1
    await box.work()
    assert box.in_with(device) is None
    assert (await box.latest(voucher)).state is State.EXPIRED


async def test_nothing_is_counted_from_half_an_answer(box: Box) -> None:
    voucher = await box.online(box.device(), METERED)
    box.pass_by(minutes=10)
    for command in ("/ip/hotspot/user/print", "/ip/hotspot/active/print"):
        box.router.faults.set({"cut_after_command": command})
        assert await box.usage.poll() == 0
        assert (await box.latest(voucher)).used_seconds == 0


@pytest.mark.parametrize("reading", [1, 2])
async def test_a_session_that_ends_while_it_is_read_is_neither_doubled_nor_lost(
    box: Box, reading: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = box.device()
    voucher = await box.online(device, METERED)
    box.pass_by(minutes=20)
    await box.usage.poll()
    box.pass_by(minutes=20)
    command, said = box.pool.command, 0

    async def leaving(*words: str) -> list[dict[str, str]]:
        nonlocal said
        answer = await command(*words)
        said += 1
        if said == reading:
            box.router.hotspot.leave(device.ip)
        return answer

    monkeypatch.setattr(box.pool, "command", leaving)
    assert await box.usage.poll() == 0
    assert await box.usage.poll() == 0
    assert 2_400 <= (await box.latest(voucher)).used_seconds < 2_410


async def test_an_old_reading_never_follows_a_newer_one(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    voucher = await box.online(box.device(), METERED)
    box.pass_by(minutes=10)
    command, said = box.pool.command, 0
    others = list[asyncio.Task[object]]()

    async def overtaken(*words: str) -> list[dict[str, str]]:
        """Let somebody else count between this reading's last command and its way to the books."""
        nonlocal said
        answer, said = await command(*words), said + 1
        if said == 3:
            box.pass_by(minutes=10)
            others.append(asyncio.create_task(box.usage.of_one(voucher)))
            while not (others[0].done() or box.usage.turn._waiters):
                await asyncio.sleep(0)
        return answer

    monkeypatch.setattr(box.pool, "command", overtaken)
    await box.usage.poll()
    await asyncio.gather(*others)
    await box.usage.poll()
    assert 1_200 <= (await box.latest(voucher)).used_seconds < 1_210


async def test_the_router_is_asked_nothing_while_all_ends_by_the_clock(box: Box) -> None:
    await box.online(box.device())
    box.router.faults.set({"refuse": True})
    assert await box.usage.poll() == 0
    assert box.pool.patience._longest == FIRST_WAIT


async def test_a_limit_the_router_holds_too_low_is_raised_not_believed(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device, METERED)
    box.pass_by(minutes=30)
    await box.usage.poll()
    row = box.router.hotspot.config.users.named(voucher.code)
    assert row is not None
    row[1]["limit-uptime"] = "20m"
    box.router.hotspot.leave(device.ip)
    await box.redeem.returning(await box.redeem.known(box.device()), device)
    await box.work()
    assert box.in_with(device) == voucher.code
    assert 1790 < (await box.latest(voucher)).seconds_left(box.clock.now()) <= 1800
