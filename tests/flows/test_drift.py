"""Router and books are held against each other, and only what differs is touched."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance.domain.debts import Kind
from appliance.domain.vouchers import State
from appliance.flows.drift import Repairs
from tests.box import HOUR, METERED, Box


async def test_a_router_that_agrees_is_left_alone(box: Box) -> None:
    await box.online(box.device(5))
    await box.online(box.device(6), METERED)
    box.pass_by(minutes=10)
    assert await box.drift.repair() == Repairs()


async def test_after_a_reset_every_running_voucher_is_back_with_what_is_left(box: Box) -> None:
    numbers = range(5, 25)
    vouchers = [
        await box.online(box.device(number), METERED if number % 2 else HOUR) for number in numbers
    ]
    box.pass_by(minutes=20)
    await box.usage.poll()
    box.reset_router()
    assert await box.drift.repair() == Repairs(put_back=len(vouchers))
    for voucher in vouchers:
        assert box.limit(voucher) in {"40m", "39m59s", "39m58s", "39m57s"}
    for number in numbers:
        device = box.device(number)
        await box.redeem.returning(await box.redeem.known(device), device)
    assert {box.in_with(box.device(number)) for number in numbers} == {v.code for v in vouchers}
    assert await box.drift.repair() == Repairs()


async def test_a_voucher_kept_for_later_is_put_back_whole(box: Box) -> None:
    device = box.device()
    await box.online(device)
    second = await box.sold(device)
    await box.work()
    box.pass_by(minutes=20)
    box.reset_router()
    await box.drift.repair()
    assert box.limit(second) == "1h"


async def test_what_ended_but_is_still_there_is_cut_off(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    revoked = replace(voucher, state=State.REVOKED, owed=None)  # as an older version left it
    await box.kept.vouchers.change(voucher, revoked)
    assert await box.drift.repair() == Repairs(cut=1)
    assert box.in_with(device) is None
    assert not box.on_router(voucher)


async def test_a_voucher_that_cannot_be_read_stays_on_the_router_and_holds_up_no_other(
    box: Box,
) -> None:
    strange, lost = await box.online(box.device(5)), await box.online(box.device(6))
    box.store.collections["vouchers"][strange.id]["status"] = "of a later version"
    await box.api.cut(lost.code)
    assert await box.drift.repair() == Repairs(put_back=1, unknown=1)
    assert box.on_router(strange)
    assert box.on_router(lost)


async def test_a_running_voucher_that_owes_no_end_gets_it_back(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    await box.kept.vouchers.change(voucher, replace(voucher, owed=None))
    await box.drift.repair()
    after = await box.latest(voucher)
    assert after.owed is not None
    assert (after.owed.kind, after.owed.at) == (Kind.END, voucher.expires_at)
    box.clock.pass_by(HOUR.duration)
    await box.work()
    assert box.in_with(device) is None


async def test_nobody_elses_user_is_touched(box: Box) -> None:
    users = box.router.hotspot.config.users
    users.add({"name": "friend", "limit-uptime": "1h"})
    users.add({"name": "ABC3DEF4GH", "password": "ABC3DEF4GH"})
    users.add({"name": "UNKNOWN9AB", "comment": "hotspot-appliance"})
    before = {row_id: dict(row) for row_id, row in users.rows.items()}
    assert await box.drift.repair() == Repairs(unknown=1)
    assert users.rows == before


@pytest.mark.parametrize("when", ["cut_before_command", "cut_after_command"])
@pytest.mark.parametrize("command", ["/ip/hotspot/user/print", "/ip/hotspot/active/print"])
async def test_an_incomplete_reading_leads_to_nothing(box: Box, command: str, when: str) -> None:
    voucher = await box.online(box.device())
    await box.kept.vouchers.change(voucher, replace(voucher, state=State.REVOKED, owed=None))
    before = {row_id: dict(row) for row_id, row in box.router.hotspot.config.users.rows.items()}
    box.router.faults.set({when: command})
    assert await box.drift.repair() is None
    assert box.router.hotspot.config.users.rows == before


async def test_a_row_that_cannot_be_read_stops_the_pass(box: Box) -> None:
    good, bad = await box.online(box.device(5)), await box.online(box.device(6))
    await box.kept.vouchers.change(good, replace(good, state=State.REVOKED, owed=None))
    row = box.router.hotspot.config.users.named(bad.code)
    assert row is not None
    row[1]["uptime"] = "soon"
    assert await box.drift.repair() is None
    assert box.on_router(good)


async def test_a_limit_somebody_changed_is_put_right(box: Box) -> None:
    rows = []
    for number, limit in ((5, "10h"), (6, "1m"), (7, None)):
        voucher = await box.online(box.device(number), METERED)
        found = box.router.hotspot.config.users.named(voucher.code)
        assert found is not None
        rows.append(found[1])
        found[1].pop("limit-uptime")
        found[1].update({} if limit is None else {"limit-uptime": limit})
    assert await box.drift.repair() == Repairs(limits=3)
    names = [row["name"] for row in rows]
    limits = {u.limit_uptime for u in box.router.hotspot.users if u.name in names}
    assert limits <= {"1h", "1h1s", "59m59s"}


async def test_a_user_somebody_disabled_is_let_in_again(box: Box) -> None:
    voucher = await box.online(box.device())
    found = box.router.hotspot.config.users.named(voucher.code)
    assert found is not None
    found[1]["disabled"] = "true"
    assert await box.drift.repair() == Repairs(limits=1)
    (entry,) = await box.api.users()
    assert not entry.disabled


async def test_nothing_is_cut_by_a_clock_in_doubt(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    box.clock.sure = False
    box.clock.pass_by(timedelta(days=2))
    assert await box.drift.repair() == Repairs()
    box.reset_router()
    assert await box.drift.repair() == Repairs(put_back=1)
    assert box.limit(voucher) == "1h"


async def test_another_boxs_vouchers_are_not_brought_here(box: Box) -> None:
    voucher = await box.online(box.device())
    await box.kept.vouchers.change(voucher, replace(voucher, router_id="elsewhere"))
    box.reset_router()
    assert await box.drift.repair() == Repairs()
    assert not box.on_router(voucher)


async def test_a_router_that_goes_away_in_the_middle_is_finished_by_the_next_pass(box: Box) -> None:
    vouchers = [await box.online(box.device(number)) for number in range(5, 15)]
    box.reset_router()
    box.router.faults.set({"cut_before_command": "/ip/hotspot/user/add"})
    first = await box.drift.repair()
    assert first is not None
    assert first.failed == 1
    assert first.put_back < len(vouchers)
    await box.drift.repair()
    assert all(box.on_router(voucher) for voucher in vouchers)


async def test_however_many_users_agree_it_costs_three_commands(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = box.device()
    for _ in range(300):
        voucher = await box.sold(device)
        ready = replace(voucher.on_router(), owed=None)
        await box.kept.vouchers.change(voucher, ready)
        box.router.hotspot.config.users.add(
            {"name": voucher.code, "comment": "hotspot-appliance", "limit-uptime": "1h"}
        )
    said, pool = list[str](), box.pool
    command = pool.command

    async def counting(*words: str) -> list[dict[str, str]]:
        said.append(words[0])
        return await command(*words)

    monkeypatch.setattr(pool, "command", counting)
    assert await box.drift.repair() == Repairs()
    assert said == [
        "/ip/hotspot/active/print",
        "/ip/hotspot/user/print",
        "/ip/hotspot/active/print",
    ]


async def test_a_code_typed_at_the_router_itself_starts_its_time(box: Box) -> None:
    first, other = box.device(5), box.device(6)
    await box.online(first)
    kept = await box.sold(first)
    await box.work()
    await box.api.login(kept.code, other)  # as the router's own page does while the box is off
    box.pass_by(minutes=10)
    await box.drift.repair()
    running = await box.latest(kept)
    assert running.state is State.ACTIVE
    assert running.device == other
    assert 2_990 < running.seconds_left(box.clock.now()) <= 3_000
    box.pass_by(minutes=50)
    await box.work()
    assert box.in_with(other) is None
