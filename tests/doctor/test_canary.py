"""The canary: free, for nobody, and gone afterwards whatever happens to it or to its sender."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from click.testing import CliRunner

from appliance.app.canary import CanaryRound, latest
from appliance.app.metrics import Metrics
from appliance.cli import cli
from appliance.cli.doctor.checks import Status
from appliance.domain.canary import ABSENT, CANARY, IN_USE, hatched
from appliance.domain.devices import Device
from appliance.domain.errors import DeviceAbsent
from appliance.domain.vouchers import State
from appliance.flows.canary import Canary
from appliance.router.pool import Pool
from appliance.store.records import StoredRecords
from tests.box import FAMILY, HOUR, Box
from tests.box import box as a_box
from tests.doctor.conftest import Clinic
from tests.mortal import crossing

TWO_MINUTES = timedelta(minutes=2)


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with a_box() as made:
        await made.kept.plans.insert(HOUR)
        yield made


def canary_of(box: Box, device: Device | None = None) -> Canary:
    return Canary(
        vouchers=box.kept.vouchers,
        plans=box.kept.plans,
        router=box.api,
        access=box.access,
        redeem=box.redeem,
        clock=box.clock,
        router_id=box.name,
        mac=None if device is None else device.mac,
    )


def left_over(box: Box) -> list[str]:
    """Return what there is of any canary: on the router, in with it, or owed."""
    owing = [v["_id"] for v in box.store.collections["vouchers"].values() if v.get("owed")]
    users = [user.name for user in box.router.hotspot.users if user.profile != "default"]
    return users + [session.user for session in box.router.hotspot.sessions] + owing


async def test_it_comes_back_and_leaves_nothing_but_its_record(box: Box) -> None:
    outcome = await canary_of(box).send()
    assert (outcome.trouble, outcome.way) == (None, "api")
    assert left_over(box) == []
    (kept,) = await box.kept.vouchers.page("status", State.REVOKED.value, 10)
    assert (kept.plan.id, kept.plan.price, kept.payment_id) == (CANARY, 0, None)
    assert kept.plan.profile == HOUR.profile
    assert not box.store.collections["payments"]


class Dead(BaseException):
    """The process is gone: nothing after this runs."""


def mortal(monkeypatch: pytest.MonkeyPatch, dies_at: int) -> None:
    """Have the process die at this boundary: before or after a write or a router's command."""
    crossed = 0

    def cross() -> None:
        nonlocal crossed
        crossed += 1
        if crossed >= dies_at:
            raise Dead

    for owner, name in ((StoredRecords, "insert"), (StoredRecords, "change"), (Pool, "command")):
        monkeypatch.setattr(owner, name, crossing(getattr(owner, name), cross))


@pytest.mark.parametrize("in_with_it", [False, True])
async def test_killed_anywhere_it_is_gone_when_its_minute_is_over(
    box: Box, *, in_with_it: bool
) -> None:
    device, were_in = box.device() if in_with_it else None, 0
    for dies_at in count(1):
        with pytest.MonkeyPatch.context() as monkeypatch:
            mortal(monkeypatch, dies_at)
            try:
                await canary_of(box, device).send()
            except Dead:
                pass
            else:
                break
        were_in += len(box.router.hotspot.sessions)
        box.clock.pass_by(TWO_MINUTES)  # the router's own clock stands still: it ends nothing
        await box.work()
        assert left_over(box) == [], dies_at
    assert dies_at > 20  # so many moments there were to die in
    assert (were_in > 10) == in_with_it


async def test_a_device_that_is_named_is_in_with_it_and_out_again(box: Box) -> None:
    device, neighbour = box.device(5), box.device(6)
    paid = await box.online(neighbour)
    outcome = await canary_of(box, device).send()
    assert (outcome.trouble, outcome.left_alone) == (None, None)
    assert outcome.online_seconds is not None
    assert box.router.hotspot.logins[-1].mac == device.mac
    assert {login.mac for login in box.router.hotspot.logins} == {device.mac, neighbour.mac}
    assert box.in_with(device) is None
    assert not box.router.hotspot.cookies.of_mac(device.mac)
    assert box.in_with(neighbour) == paid.code
    # Nor is it in the way of what the device buys one day.
    assert await box.redeem.known(device) == []


async def test_one_that_is_kept_for_later_still_owes_its_end(box: Box) -> None:
    device, now = box.device(), box.clock.now()
    bird = hatched(HOUR, box.name, now, device)
    assert bird.kept(device, now).owed == bird.owed


async def test_a_device_is_in_with_a_profile_that_customers_get(box: Box) -> None:
    family = replace(FAMILY, order=HOUR.order - 1, rate_limit="1M/1M")
    await box.kept.plans.insert(family)
    await canary_of(box, box.device()).send()
    (kept,) = await box.kept.vouchers.page("status", State.REVOKED.value, 10)
    assert kept.plan.profile == HOUR.profile


async def test_those_that_died_before_they_were_forgotten_are_forgotten_by_the_next(
    box: Box,
) -> None:
    device = box.device()
    dead = hatched(HOUR, box.name, box.clock.now(), device)
    await box.kept.vouchers.insert(dead)
    box.clock.pass_by(TWO_MINUTES)
    await box.work()
    assert [one.id for one in await box.redeem.known(device)] == [dead.id]
    assert (await canary_of(box, device).send()).online_seconds is not None
    assert await box.redeem.known(device) == []


async def test_no_seat_is_kept_for_a_device_that_was_in_for_a_moment() -> None:
    async with a_box() as box:
        await box.kept.plans.insert(FAMILY)
        outcome = await canary_of(box, box.device()).send()
        assert outcome.online_seconds is not None
        assert not box.store.collections["seats"]


async def test_a_device_that_is_not_there_is_no_trouble(box: Box) -> None:
    outcome = await canary_of(box, Device("02:00:7F:00:01:09", "127.0.1.9")).send()
    assert (outcome.trouble, outcome.online_seconds) == (None, None)
    assert outcome.left_alone == ABSENT
    assert left_over(box) == []


async def test_a_device_that_is_in_with_something_paid_is_never_disturbed(box: Box) -> None:
    device = box.device()
    paid = await box.online(device)
    outcome = await canary_of(box, device).send()
    assert (outcome.trouble, outcome.online_seconds) == (None, None)
    assert outcome.left_alone == IN_USE
    assert box.in_with(device) == paid.code
    assert len(box.router.hotspot.logins) == 1
    assert await box.latest(paid) == paid


async def test_a_device_that_has_paid_and_is_not_in_is_not_disturbed_either(box: Box) -> None:
    device = box.device()
    kept = await box.sold(None)
    with pytest.raises(DeviceAbsent):
        await box.access.grant(kept)
    later = await box.latest(kept)
    later = await box.kept.vouchers.change(later, later.kept(None, box.clock.now()))
    later = await box.kept.vouchers.change(later, replace(later, device=device))
    assert (await canary_of(box, device).send()).left_alone == IN_USE
    assert await box.latest(later) == later
    assert not box.router.hotspot.logins


async def test_a_device_that_shares_what_another_bought_is_left_alone(box: Box) -> None:
    buyer, device = box.device(5), box.device(6)
    family = await box.online(buyer, FAMILY)
    await box.redeem.by_code(family.code, device)
    await box.redeem.by_code(family.code, buyer)
    await box.api.leave(family.code, device.mac)
    assert (await canary_of(box, device).send()).left_alone == IN_USE


async def test_who_pays_while_the_canary_is_in_is_in_as_soon_as_it_is_out(box: Box) -> None:
    device, bird = box.device(), canary_of(box)
    ended = await box.kept.vouchers.insert(hatched(HOUR, box.name, box.clock.now(), device))
    await box.access.grant(ended)
    paid = await box.sold(device)
    await box.work()
    assert box.in_with(device) == ended.code
    await bird._take_back(ended)
    assert box.in_with(device) == paid.code


async def test_a_device_that_is_not_let_in_is_trouble(box: Box) -> None:
    box.router.faults.set({"trap": {"/ip/hotspot/active/login": "no license"}})
    outcome = await canary_of(box, box.device()).send()
    assert outcome.trouble is not None
    assert "no license" in outcome.trouble
    assert left_over(box) == []


async def test_what_a_router_kept_while_it_was_away_goes_with_the_minute(box: Box) -> None:
    box.router.faults.set({"cut_after_command": "/ip/hotspot/user/add", "hang": False})
    first = await canary_of(box).send()
    assert first.trouble is not None
    box.clock.pass_by(TWO_MINUTES)
    await box.work()
    assert left_over(box) == []


async def test_a_router_that_refuses_is_said(box: Box) -> None:
    box.router.faults.set({"trap": {"/ip/hotspot/user/add": "not enough permissions (9)"}})
    outcome = await canary_of(box).send()
    assert outcome.trouble is not None
    assert "not enough permissions" in outcome.trouble
    assert left_over(box) == []


async def test_without_a_plan_there_is_none() -> None:
    async with a_box() as box:
        outcome = await canary_of(box).send()
    assert outcome.trouble == "sales_closed: no plan is for sale"


async def test_the_doctor_sends_one_keeps_what_became_of_it_and_shows_it(town: Clinic) -> None:
    assert (await town.one("canary")).status is Status.SKIP
    sent = await town.one("canary", canary=True)
    assert sent.status is Status.PASS
    assert not town.world.near.daraja.ledger.payments
    assert await town.one("canary") == sent
    # The profile that it had made is no set-up that has drifted.
    assert (await town.one("router set-up")).status is Status.WARN
    outcome = await asyncio.to_thread(latest, town.world.folder)
    assert outcome is not None
    metrics = await asyncio.to_thread(Metrics, ("api",), "router")
    metrics.canary(outcome)
    shown = metrics.scrape().decode()
    assert "\nedge_canary_up 1.0" in shown
    assert f"\nedge_canary_seconds {outcome.seconds}" in shown


async def test_the_doctor_logs_in_the_device_that_is_named_by_hand_or_in_the_settings(
    town: Clinic,
) -> None:
    device = town.world.near.router.hotspot.join("127.0.1.5")
    sent = await town.one("canary", canary=True, device=device.mac)
    assert sent.status is Status.PASS
    assert "the device was online after" in sent.what
    assert await town.one("canary") == sent
    outcome = await asyncio.to_thread(latest, town.world.folder)
    assert outcome is not None
    assert outcome.online_seconds is not None
    metrics = await asyncio.to_thread(Metrics, ("api",), "router")
    metrics.canary(outcome)
    assert f"\nedge_canary_online_seconds {outcome.online_seconds}" in metrics.scrape().decode()
    town.set("canary", device="02:00:7F:00:01:09")
    sent = await town.one("canary", canary=True)
    assert sent.status is Status.PASS
    assert sent.what.endswith("nobody was logged in: the device is not in the network")


@pytest.mark.parametrize(
    "wrong", [["--canary", "--device", "phone"], ["--device", "02:00:00:00:00:01"]]
)
def test_a_device_that_is_none_or_that_goes_without_a_canary_is_a_wrong_command(
    wrong: list[str],
) -> None:
    assert CliRunner().invoke(cli, ["doctor", *wrong]).exit_code == 2


async def test_a_canary_that_does_not_come_back_fails(town: Clinic) -> None:
    town.router_faults(trap={"/ip/hotspot/user/add": "failure: flash is full"})
    found = await town.one("canary", canary=True)
    assert found.status is Status.FAIL
    assert "flash is full" in found.what
    assert await town.one("canary") == found


async def test_canaries_that_stopped_going_are_told(box: Box, town: Clinic) -> None:
    await CanaryRound(canary_of(box).send, town.world.folder).go()
    town.set("canary", every=60)
    found = await town.one("canary")  # the box's clock stands days back
    assert found.status is Status.FAIL
    assert "one is to go every 60 minutes" in found.what
