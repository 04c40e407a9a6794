"""One voucher, several devices: as many at once as its plan allows, none cut by mistake."""

from datetime import timedelta

import pytest

from appliance.domain.debts import Kind
from appliance.domain.devices import Device
from appliance.domain.errors import Invalid, RouterUnreachable
from appliance.domain.vouchers import State, Voucher
from tests.box import FAMILY, Box


async def comes_back(box: Box, device: Device) -> None:
    """Be a device that opens the portal."""
    await box.redeem.returning(await box.redeem.known(device), device)


async def test_a_code_in_use_is_moved_only_where_its_holder_says_so(box: Box) -> None:
    old, new = box.device(5), box.device(6)
    voucher = await box.online(old)
    with pytest.raises(Invalid, match="code_in_use"):
        await box.redeem.by_code(voucher.code, new)
    assert (box.in_with(old), box.in_with(new)) == (voucher.code, None)
    moved = await box.redeem.by_code(voucher.code, new, move=True)
    assert (box.in_with(old), box.in_with(new)) == (None, voucher.code)
    assert moved.expires_at == voucher.expires_at
    assert moved.owed is not None
    assert moved.owed.kind is Kind.END


async def test_the_device_moved_away_from_does_not_take_it_back_by_itself(box: Box) -> None:
    old, new = box.device(5), box.device(6)
    voucher = await box.online(old)
    box.router.hotspot.cookies.issue("mac-cookie", voucher.code, old.mac)
    await box.redeem.by_code(voucher.code, new, move=True)
    box.router.hotspot.leave(old.ip)
    box.device(5)
    await comes_back(box, old)
    assert (box.in_with(old), box.in_with(new)) == (None, voucher.code)


async def test_moving_to_where_it_is_already_changes_nothing(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    await box.redeem.by_code(voucher.code, device, move=True)
    assert box.in_with(device) == voucher.code
    assert len(box.router.hotspot.logins) == 1


async def test_a_family_is_online_together_and_the_next_one_must_choose(box: Box) -> None:
    inside = [box.device(number) for number in (5, 6, 7)]
    voucher = await box.online(inside[0], FAMILY)
    for device in inside[1:]:
        box.router.clock.pass_by(timedelta(minutes=1))
        await box.redeem.by_code(voucher.code, device)
    assert {box.in_with(device) for device in inside} == {voucher.code}
    fourth = box.device(8)
    with pytest.raises(Invalid, match="code_in_use"):
        await box.redeem.by_code(voucher.code, fourth)
    await box.redeem.by_code(voucher.code, fourth, move=True)
    assert [box.in_with(device) for device in (*inside, fourth)] == [None, *[voucher.code] * 3]


async def test_every_device_of_a_family_gets_back_in_by_itself(box: Box) -> None:
    inside = [box.device(number) for number in (5, 6, 7)]
    voucher = await box.online(inside[0], FAMILY)
    for device in inside[1:]:
        await box.redeem.by_code(voucher.code, device)
    box.router.hotspot.power_cut()
    for device in inside:
        box.router.hotspot.join(device.ip)
        await comes_back(box, device)
    assert {box.in_with(device) for device in inside} == {voucher.code}
    after = await box.latest(voucher)
    assert after.owed is not None
    assert (after.owed.kind, after.owed.at) == (Kind.END, after.expires_at)


async def test_a_family_ends_together(box: Box) -> None:
    inside = [box.device(number) for number in (5, 6)]
    voucher = await box.online(inside[0], FAMILY)
    await box.redeem.by_code(voucher.code, inside[1])
    box.pass_by(hours=1)
    await box.work()
    assert [box.in_with(device) for device in inside] == [None, None]
    assert (await box.latest(voucher)).state is State.EXPIRED


async def test_a_device_of_a_family_goes_on_with_a_voucher_of_its_own(box: Box) -> None:
    first, second = box.device(5), box.device(6)
    shared = await box.online(first, FAMILY)
    await box.redeem.by_code(shared.code, second)
    own = await box.sold(second)
    await box.work()
    assert box.in_with(second) == shared.code
    box.pass_by(hours=1)
    await box.work()
    assert (box.in_with(first), box.in_with(second)) == (None, own.code)


async def test_a_device_takes_its_seat_along_to_another_voucher(box: Box) -> None:
    device = box.device(5)
    earlier = await box.online(device, FAMILY)
    box.pass_by(hours=1)
    await box.work()
    host, guest = box.device(6), box.device(5)
    later = await box.online(host, FAMILY)
    await box.redeem.by_code(later.code, guest)
    await box.redeem.by_code(later.code, host)
    box.router.hotspot.leave(guest.ip)
    box.device(5)
    await comes_back(box, guest)
    assert box.in_with(guest) == later.code
    assert not box.on_router(earlier)


async def test_a_device_that_made_room_leaves_the_others_in_peace(box: Box) -> None:
    inside = [box.device(number) for number in (5, 6, 7)]
    voucher = await box.online(inside[0], FAMILY)
    for device in inside[1:]:
        box.router.clock.pass_by(timedelta(minutes=1))
        await box.redeem.by_code(voucher.code, device)
    await box.redeem.by_code(voucher.code, box.device(8), move=True)
    await comes_back(box, inside[0])
    assert box.in_with(inside[0]) is None
    after = await box.latest(voucher)
    assert after.owed is not None
    assert after.owed.kind is Kind.END


async def test_a_phone_that_comes_back_under_another_mac_takes_its_time_along(box: Box) -> None:
    before = box.device(5)
    voucher = await box.online(before)
    box.pass_by(minutes=20)
    after = box.device(6)  # the same phone, as it now calls itself
    await comes_back(box, after)
    assert box.in_with(after) is None  # nobody can tell yet
    moved = await box.redeem.by_code(voucher.code, after, move=True)
    assert (box.in_with(before), box.in_with(after)) == (None, voucher.code)
    assert moved.expires_at == voucher.expires_at
    box.router.hotspot.leave(after.ip)
    box.device(6)
    await comes_back(box, after)  # from now on it is known by that name
    assert box.in_with(after) == voucher.code


async def family(box: Box) -> tuple[Voucher, list[Device]]:
    """Return a voucher for three with two devices in, the first of them its buyer's."""
    inside = [box.device(number) for number in (5, 6)]
    voucher = await box.online(inside[0], FAMILY)
    box.router.clock.pass_by(timedelta(minutes=1))
    await box.redeem.by_code(voucher.code, inside[1])
    return await box.latest(voucher), inside


async def test_who_is_in_sees_who_else_is_and_nobody_else_sees_anything(box: Box) -> None:
    voucher, inside = await family(box)
    for device, other in (inside, inside[::-1]):
        seen = await box.sharing.inside(voucher, device)
        assert [session.mac for session in seen] == [device.mac, other.mac]
    assert await box.sharing.inside(voucher, box.device(7)) == []
    assert await box.sharing.inside(voucher, None) == []
    box.router.faults.set({"refuse": True})
    assert await box.sharing.inside(voucher, inside[0]) == []


@pytest.mark.parametrize("out", [0, 1])
async def test_a_device_logged_out_by_another_comes_back_with_the_code_alone(
    box: Box, out: int
) -> None:
    voucher, inside = await family(box)
    gone, stays = inside[out], inside[1 - out]
    (_, other) = await box.sharing.inside(voucher, stays)
    await box.sharing.log_out(voucher, stays, other)
    assert (box.in_with(gone), box.in_with(stays)) == (None, voucher.code)
    await comes_back(box, gone)
    await box.work()
    assert box.in_with(gone) is None
    after = await box.latest(voucher)
    assert after.owed is not None
    assert (after.owed.kind, after.owed.at) == (Kind.END, voucher.expires_at)
    await box.redeem.by_code(voucher.code, gone)
    assert box.in_with(gone) == voucher.code
    box.pass_by(hours=1)
    await box.work()
    assert [box.in_with(device) for device in inside] == [None, None]


async def test_a_log_out_that_breaks_off_is_completed_by_the_same_again(box: Box) -> None:
    voucher, (first, second) = await family(box)
    (_, other) = await box.sharing.inside(voucher, second)
    box.router.faults.set({"cut_before_command": "/ip/hotspot/active/remove"})
    with pytest.raises(RouterUnreachable):
        await box.sharing.log_out(voucher, second, other)
    after = await box.latest(voucher)
    assert after.device == second
    assert after.owed is not None
    assert after.owed.kind is Kind.END
    assert box.in_with(first) == voucher.code
    (_, other) = await box.sharing.inside(after, second)
    await box.sharing.log_out(after, second, other)
    assert box.in_with(first) is None


async def test_access_still_owed_to_a_device_that_is_logged_out_is_owed_no_more(box: Box) -> None:
    voucher, (first, second) = await family(box)
    wanted = voucher.wanted_by(first, box.clock.now())
    voucher = await box.kept.vouchers.change(voucher, wanted)
    (_, other) = await box.sharing.inside(voucher, second)
    await box.sharing.log_out(voucher, second, other)
    box.pass_by(minutes=10)  # whoever held that debt is dead by now
    await box.work()
    assert (box.in_with(first), box.in_with(second)) == (None, voucher.code)
    box.pass_by(minutes=50)
    await box.work()
    assert (await box.latest(voucher)).state is State.EXPIRED
    assert box.in_with(second) is None


async def test_nobody_logs_themselves_out_by_mistake(box: Box) -> None:
    voucher, (first, _) = await family(box)
    (own, _) = await box.sharing.inside(voucher, first)
    await box.sharing.log_out(voucher, first, own)
    assert box.in_with(first) == voucher.code


async def test_what_is_bought_while_time_runs_follows_it(box: Box) -> None:
    device = box.device()
    running = await box.online(device)
    bought = await box.sold(device)
    await box.work()
    bought = await box.latest(bought)
    assert await box.redeem.follows(bought)
    assert not await box.redeem.follows(running)
    box.router.hotspot.leave(device.ip)  # what comes next waits for the device
    box.pass_by(hours=1)
    await box.work()
    assert not await box.redeem.follows(await box.latest(bought))
