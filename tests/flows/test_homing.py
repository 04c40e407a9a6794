"""A voucher sold by hand is of whichever box heard of the money, until its holder turns up."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from appliance.domain import ids
from appliance.domain.devices import Device, HotspotUser
from appliance.domain.errors import Invalid, RouterRefused
from appliance.domain.evidence import Received, Source
from appliance.domain.paybills import Credentials, Paybill, PaybillInfo
from appliance.domain.payments import Payment
from appliance.domain.payments import State as Paid
from appliance.domain.plans import Plan
from appliance.domain.vouchers import State, Voucher, drawn_up
from appliance.flows.drift import Repairs
from appliance.router.api import RouterApi
from tests.box import FAMILY, HOUR, METERED, Box
from tests.box import box as opened_box
from tests.gate import DEVICES
from tests.story import PHONES, Story

NUMBER = "174379"


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
async def other(box: Box) -> AsyncIterator[Box]:
    """Another box with a router of its own, on the same database."""
    keys = Credentials(consumer_key="k", consumer_secret="s", pass_key="p")
    info = PaybillInfo(number=NUMBER, name="Shop")
    await box.kept.paybills.insert(Paybill(id="p", paybill_info=info, credentials=keys))
    async with opened_box("other", box) as made:
        yield made


async def sold_by_hand(box: Box, plan: Plan = HOUR, *, worked: bool = True) -> Voucher:
    """Return a voucher that this box sold for money that came by itself; its router knows it."""
    now, payment_id = box.clock.now(), ids.new_id()
    made = drawn_up(plan, router_id=box.name, payment_id=payment_id, now=now)
    voucher = await box.kept.vouchers.insert(made.paid(now, payment_id).due_at(now))
    await box.kept.payments.insert(
        Payment(
            id=payment_id,
            token=voucher.token,
            plan_id=plan.id,
            voucher_id=voucher.id,
            voucher_code=voucher.code,
            amount=10,
            paybill_number=NUMBER,
            router_id=box.name,
            created_at=now,
            state=Paid.PAID,
            receipt=payment_id.upper(),
        )
    )
    if worked:
        await box.work()
        assert box.on_router(voucher)
    return await box.latest(voucher)


async def refused(box: Box, voucher: Voucher, device: Device) -> bool:
    """Say whether this box sends the holder of the code elsewhere."""
    with pytest.raises(Invalid) as error:
        await box.redeem.by_code(voucher.code, device)
    return error.value.reason == "code_elsewhere"


async def test_it_starts_where_its_code_is_typed_and_is_taken_off_the_first_router(
    box: Box, other: Box
) -> None:
    voucher = await sold_by_hand(box)
    device = other.device()
    moved = await other.redeem.by_code(voucher.code, device)
    assert other.in_with(device) == voucher.code
    assert (moved.state, moved.router_id, moved.moved_from) == (State.ACTIVE, "other", "router")
    assert moved.seconds_left(box.clock.now()) == 3_600
    assert await box.drift.repair() == Repairs(cut=1)
    assert not box.on_router(voucher)
    with pytest.raises(RouterRefused):  # as the router's own page would
        await box.api.login(voucher.code, box.device(6))
    assert await refused(box, voucher, box.device(6))
    assert await box.drift.repair() == await other.drift.repair() == Repairs()
    other.pass_by(hours=1)
    await box.work()
    assert (await box.latest(voucher)).state is State.ACTIVE  # its end is the other box's
    await other.work()
    assert (await box.latest(voucher)).state is State.EXPIRED
    assert not other.on_router(voucher)


async def test_who_paid_by_hand_finds_it_at_another_hotspot_by_receipt() -> None:
    first = Story("paybill")
    await first.open()
    second = Story("paybill", "other", first)
    money = Received(
        source=Source.C2B,
        receipt="UKN7K2M9QX",
        amount=Decimal(10),
        short_code=NUMBER,
        reference="WIFI",
        msisdn=PHONES[0],
    )
    await first.matching.arrived(money)
    await first.work()
    voucher = await second.recover.find("UKN7K2M9QX", PHONES[0], DEVICES[0])
    assert (voucher.router_id, voucher.state) == ("other", State.ACTIVE)
    assert second.router.online == {DEVICES[0].mac: voucher.code}
    again = await second.recover.find("UKN7K2M9QX", PHONES[0], DEVICES[0])
    assert replace(again, version=0) == replace(voucher, version=0)


@pytest.mark.parametrize("how", ["pushed", "another account", "closed", "in use", "for somebody"])
async def test_what_is_not_ours_to_move_stays_where_it_is(box: Box, other: Box, how: str) -> None:
    voucher = await sold_by_hand(box)
    payment = await box.kept.payments.get(voucher.payment_id or "")
    paybill = await box.kept.paybills.get("p")
    assert payment is not None
    assert paybill is not None
    match how:
        case "pushed":
            await box.kept.payments.change(payment, replace(payment, callback_hash="h"))
        case "another account":
            await box.kept.payments.change(payment, replace(payment, paybill_number="999999"))
        case "closed":
            await box.kept.paybills.change(paybill, replace(paybill, status="inactive"))
        case "in use":
            await box.redeem.by_code(voucher.code, box.device())
        case _:
            await box.kept.vouchers.change(voucher, replace(voucher, device=box.device()))
    assert await refused(other, voucher, other.device(6))
    assert (await box.latest(voucher)).router_id == "router"
    assert (await box.drift.repair()) == Repairs()


async def test_a_voucher_without_money_of_its_own_does_not_move(box: Box, other: Box) -> None:
    voucher = await box.sold(None)
    assert await refused(other, voucher, other.device())


async def test_without_a_device_to_let_in_nothing_moves(box: Box, other: Box) -> None:
    voucher = await sold_by_hand(box)
    with pytest.raises(Invalid, match="device_unknown"):
        await other.redeem.by_code(voucher.code, None)
    assert (await box.latest(voucher)).router_id == "router"


async def test_a_page_of_a_purchase_opened_at_another_hotspot_opens_no_gate_there(
    box: Box, other: Box
) -> None:
    voucher, device = await sold_by_hand(box), other.device()
    assert await other.redeem.adopt(voucher, device) == voucher
    assert other.in_with(device) is None


async def test_time_used_at_the_first_router_before_it_moved_is_not_given_twice(
    box: Box, other: Box
) -> None:
    codes = {}
    for number, plan in ((5, HOUR), (6, METERED), (7, FAMILY)):
        voucher = await sold_by_hand(box, plan)
        await box.api.login(voucher.code, box.device(number))  # at the router's own page
        codes[plan.id] = voucher
    for bought in (box, other):
        bought.router.clock.pass_by(timedelta(minutes=20))
    box.clock.pass_by(timedelta(minutes=20))
    for number, voucher in zip((5, 6, 7), codes.values(), strict=True):
        await other.redeem.by_code(voucher.code, other.device(number))
        assert (await box.latest(voucher)).seconds_left(box.clock.now()) == 3_600
    assert await box.drift.repair() == Repairs(cut=3)
    assert [box.in_with(box.device(number)) for number in (5, 6, 7)] == [None] * 3
    left = {
        name: (await box.latest(voucher)).seconds_left(box.clock.now())
        for name, voucher in codes.items()
    }
    assert left == {
        "hour": pytest.approx(2_400, abs=5),
        "metered": pytest.approx(2_400, abs=5),
        "family": pytest.approx(3_200, abs=5),  # three may be in at once
    }
    other.pass_by(minutes=41)
    await other.usage.poll()
    await other.work()
    assert [other.in_with(other.device(n)) for n in (5, 6, 7)] == [
        None,
        None,
        codes["family"].code,
    ]


async def test_what_was_used_up_at_the_first_router_is_cut_off_at_the_second(
    box: Box, other: Box
) -> None:
    voucher, device = await sold_by_hand(box, METERED), other.device()
    await box.api.login(voucher.code, box.device(6))
    box.pass_by(minutes=60)
    await other.redeem.by_code(voucher.code, device)
    await box.drift.repair()
    await other.work()
    assert other.in_with(device) is None
    assert (await box.latest(voucher)).state is State.EXPIRED


async def test_found_running_at_the_first_router_a_moment_before_it_stays_there(
    box: Box, other: Box
) -> None:
    voucher, there = await sold_by_hand(box), box.device()
    await box.api.login(voucher.code, there)
    box.pass_by(minutes=10)  # whoever looked for its device holds it no longer

    async def found() -> None:
        await box.drift.repair()

    box.store.ambush = found  # between the other box's look and its write
    assert await refused(other, voucher, other.device(6))
    after = await box.latest(voucher)
    assert (after.state, after.router_id, after.device) == (State.ACTIVE, "router", there)
    assert box.in_with(there) == voucher.code


async def test_moved_a_moment_before_it_is_found_running_it_runs_at_the_second_only(
    box: Box, other: Box
) -> None:
    voucher, there, here = await sold_by_hand(box), box.device(), other.device(6)
    await box.api.login(voucher.code, there)
    box.pass_by(minutes=10)

    async def redeemed() -> None:
        await other.redeem.by_code(voucher.code, here)

    box.store.ambush = redeemed  # between the first box's look and its write
    assert await box.drift.repair() == Repairs(cut=1)
    assert (box.in_with(there), other.in_with(here)) == (None, voucher.code)
    after = await box.latest(voucher)
    assert (after.router_id, after.device) == ("other", here)
    assert after.seconds_left(box.clock.now()) == pytest.approx(3_000, abs=5)


async def test_moved_and_not_started_yet_it_is_not_started_for_who_is_in_at_the_first_router(
    box: Box, other: Box
) -> None:
    voucher, there, here = await sold_by_hand(box), box.device(), other.device(6)
    await box.api.login(voucher.code, there)
    box.pass_by(minutes=10)
    other.router.hotspot.leave(here.ip)

    async def redeemed() -> None:
        await other.redeem.by_code(voucher.code, here)

    box.store.ambush = redeemed
    assert await box.drift.repair() == Repairs(cut=1)
    waits = await box.latest(voucher)
    assert (waits.state, waits.router_id, waits.device) == (State.READY, "other", here)
    assert box.in_with(there) is None
    other.device(6)
    await other.redeem.adopt(waits, here)
    assert other.in_with(here) == voucher.code
    after = await box.latest(voucher)
    assert after.seconds_left(box.clock.now()) == pytest.approx(3_000, abs=5)


async def test_of_two_portals_at_once_one_has_it_whoever_was_first(box: Box, other: Box) -> None:
    for slow, quick in ((box, other), (other, box)):
        voucher = await sold_by_hand(box)
        late, early = slow.device(), quick.device()

        async def faster(v: Voucher = voucher, q: Box = quick, d: Device = early) -> None:
            await q.redeem.by_code(v.code, d)

        box.store.ambush = faster
        assert await refused(slow, voucher, late)
        assert (quick.in_with(early), slow.in_with(late)) == (voucher.code, None)
        assert (await box.latest(voucher)).router_id == quick.name
        quick.router.hotspot.leave(early.ip)


async def test_a_worker_of_the_first_box_in_the_middle_of_it_leaves_the_second_s_debt_alone(
    box: Box, other: Box
) -> None:
    voucher, device = await sold_by_hand(box, worked=False), other.device()

    async def redeemed() -> None:
        with pytest.raises(Killed):
            await dies_at_its_second_write(other, voucher, device)

    async def claimed() -> None:
        box.store.ambush = redeemed

    box.store.ambush = claimed
    await box.work()
    after = await box.latest(voucher)
    assert box.on_router(voucher)
    assert (after.router_id, after.state, after.device) == ("other", State.PAID, device)
    await other.work()
    await box.drift.repair()
    assert (other.in_with(device), box.on_router(voucher)) == (voucher.code, False)


async def test_a_worker_of_the_first_box_does_not_take_the_end_that_is_owed_at_the_second(
    box: Box, other: Box
) -> None:
    voucher, device = await sold_by_hand(box), other.device()
    box.pass_by(minutes=61)  # from now on nobody looks for a device any more

    async def revoked() -> None:
        await other.redeem.by_code(voucher.code, device)
        await other.amend.revoke(voucher.code)

    box.store.ambush = revoked
    await box.access.grant(voucher)
    ended = await box.latest(voucher)
    assert ended.owed is not None
    assert ended.state is State.REVOKED
    await other.work()
    assert other.in_with(device) is None


async def dies_at_its_second_write(box: Box, voucher: Voucher, device: Device) -> None:
    async def dies() -> None:
        raise Killed

    async def goes_on() -> None:
        box.store.ambush = dies

    box.store.ambush = goes_on
    await box.redeem.by_code(voucher.code, device)


async def test_a_death_right_after_the_move_leaves_the_access_owed_where_it_moved(
    box: Box, other: Box
) -> None:
    voucher, device = await sold_by_hand(box), other.device()
    with pytest.raises(Killed):
        await dies_at_its_second_write(other, voucher, device)
    assert (await box.latest(voucher)).router_id == "other"
    await box.work()
    assert other.in_with(device) is None
    await other.work()
    assert other.in_with(device) == voucher.code
    await box.drift.repair()
    assert not box.on_router(voucher)


@pytest.mark.parametrize("write", [1, 2])
async def test_a_death_at_any_write_of_the_first_box_counts_what_was_used_there_once(
    box: Box, other: Box, write: int
) -> None:
    voucher, there, here = await sold_by_hand(box), box.device(), other.device(6)
    await box.api.login(voucher.code, there)
    box.pass_by(minutes=2)
    await other.redeem.by_code(voucher.code, here)

    async def dies() -> None:
        raise Killed

    async def goes_on() -> None:
        box.store.ambush = dies

    box.store.ambush = dies if write == 1 else goes_on
    with pytest.raises(Killed):
        await box.drift.repair()
    for _ in range(2):
        await box.drift.repair()
        assert (box.in_with(there), other.in_with(here)) == (None, voucher.code)
        assert not box.on_router(voucher)
        after = await box.latest(voucher)
        assert after.seconds_left(box.clock.now()) == pytest.approx(3_480, abs=2)
        assert after.left_at is not None


async def test_a_cut_that_fails_counts_what_is_used_after_it_and_nothing_twice(
    box: Box, other: Box
) -> None:
    voucher, there, here = await sold_by_hand(box), box.device(), other.device(6)
    await box.api.login(voucher.code, there)
    await other.redeem.by_code(voucher.code, here)
    for _ in range(2):
        box.pass_by(minutes=5)
        box.router.faults.set({"cut_before_command": "/ip/hotspot/user/set"})
        await box.drift.repair()
        assert box.in_with(there) == voucher.code
        assert (await box.latest(voucher)).left_at is None
    await box.drift.repair()
    after = await box.latest(voucher)
    assert after.used_seconds == pytest.approx(600, abs=2)
    assert after.left_at == box.clock.now()
    assert not box.on_router(voucher)


async def test_used_at_both_while_the_first_box_is_off_it_gives_each_what_was_sold_and_is_told(
    box: Box, other: Box, caplog: pytest.LogCaptureFixture
) -> None:
    voucher, there, here = await sold_by_hand(box), box.device(), other.device(6)
    await other.redeem.by_code(voucher.code, here)
    await box.api.login(voucher.code, there)  # at the router's own page
    box.router.clock.pass_by(timedelta(minutes=60))
    other.pass_by(minutes=60)
    await other.work()
    assert (box.in_with(there), other.in_with(here)) == (None, None)
    assert (await box.latest(voucher)).left_at is None
    await box.drift.repair()
    ended = await box.latest(voucher)
    assert (ended.state, ended.owed) == (State.EXPIRED, None)
    assert ended.used_seconds == pytest.approx(3_600, abs=5)
    assert "used at the hotspot that it had left" in caplog.text
    assert not box.on_router(voucher)


async def test_one_that_the_first_router_never_knew_is_known_to_be_off_it(
    box: Box, other: Box
) -> None:
    voucher = await sold_by_hand(box, worked=False)
    await other.redeem.by_code(voucher.code, other.device())
    assert (await box.latest(voucher)).left_at is None
    assert await other.drift.repair() == Repairs()
    assert (await box.latest(voucher)).left_at is None
    assert await box.drift.repair() == Repairs()
    assert (await box.latest(voucher)).left_at == box.clock.now()


class Slow(RouterApi):
    """A router before which something else happens whenever a user is put on it."""

    def __init__(self, box: Box, meanwhile: Callable[[], Awaitable[object]]) -> None:
        super().__init__(box.pool)
        self.meanwhile = meanwhile

    async def ensure_user(self, user: HotspotUser) -> None:
        await self.meanwhile()
        await super().ensure_user(user)


async def test_moved_while_a_router_that_was_reset_is_filled_it_is_not_left_there(
    box: Box, other: Box
) -> None:
    voucher, device = await sold_by_hand(box), other.device()
    box.pass_by(minutes=10)
    box.reset_router()
    slow = Slow(box, lambda: other.redeem.by_code(voucher.code, device))
    await replace(box.drift, router=slow).repair()
    assert not box.on_router(voucher)
    assert other.in_with(device) == voucher.code


async def test_a_router_that_is_away_is_cleared_when_it_is_back(box: Box, other: Box) -> None:
    voucher = await sold_by_hand(box)
    await other.redeem.by_code(voucher.code, other.device())
    box.router.faults.set({"cut_before_command": "/ip/hotspot/user/remove"})
    await box.drift.repair()
    await box.drift.repair()
    assert not box.on_router(voucher)
    assert await box.drift.repair() == Repairs()


async def test_users_of_a_router_whose_box_was_given_another_name_stay(
    box: Box, other: Box
) -> None:
    device = box.device()
    voucher = await box.online(device)
    renamed = replace(box.drift, router_id="renamed")
    assert await renamed.repair() == Repairs(unknown=1)
    assert box.in_with(device) == voucher.code
