"""The canary: free, for nobody, and gone afterwards whatever happens to it or to its sender."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count

import pytest

from appliance.app.canary import CanaryRound, latest
from appliance.app.metrics import Metrics
from appliance.cli.doctor.checks import Status
from appliance.domain.canary import CANARY
from appliance.domain.vouchers import State
from appliance.flows.canary import Canary
from appliance.router.pool import Pool
from appliance.store.records import StoredRecords
from tests.box import HOUR, Box
from tests.box import box as a_box
from tests.doctor.conftest import Clinic
from tests.mortal import crossing

TWO_MINUTES = timedelta(minutes=2)


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    async with a_box() as made:
        await made.kept.plans.insert(HOUR)
        yield made


def canary_of(box: Box) -> Canary:
    return Canary(
        vouchers=box.kept.vouchers,
        plans=box.kept.plans,
        router=box.api,
        access=box.access,
        clock=box.clock,
        router_id=box.name,
    )


def left_over(box: Box) -> list[str]:
    """Return what there is of any canary: on the router, or owed."""
    owing = [v["_id"] for v in box.store.collections["vouchers"].values() if v.get("owed")]
    return [user.name for user in box.router.hotspot.users if user.profile != "default"] + owing


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


async def test_killed_anywhere_it_is_gone_when_its_minute_is_over(box: Box) -> None:
    for dies_at in count(1):
        with pytest.MonkeyPatch.context() as monkeypatch:
            mortal(monkeypatch, dies_at)
            try:
                await canary_of(box).send()
            except Dead:
                pass
            else:
                break
        box.clock.pass_by(TWO_MINUTES)
        await box.work()
        assert left_over(box) == [], dies_at
    assert dies_at > 20  # so many moments there were to die in


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
    metrics = await asyncio.to_thread(Metrics, ("api",))
    metrics.canary(outcome)
    shown = metrics.scrape().decode()
    assert "\nedge_canary_up 1.0" in shown
    assert f"\nedge_canary_seconds {outcome.seconds}" in shown


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
