"""The list of what came in is asked for as far back as nobody has looked yet."""

from contextlib import nullcontext
from datetime import timedelta

import pytest

from appliance.domain.errors import GatewayUnavailable
from appliance.flows.reconcile import FURTHEST, Reconcile
from tests.story import Story


async def test_a_sweep_reaches_back_to_the_last_one_that_worked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story = Story("paybill")
    backs: list[timedelta] = []
    away = False

    async def sweep(_: Reconcile, back: timedelta) -> None:
        backs.append(back)
        if away:
            raise GatewayUnavailable("away")

    monkeypatch.setattr(Reconcile, "sweep", sweep)
    waits = [(0, True), (0, False), (0.25, False), (5, True), (5, False), (9 * 24, False)]
    for hours_later, away in waits:
        story.clock.pass_by(timedelta(hours=hours_later))
        with pytest.raises(GatewayUnavailable) if away else nullcontext():
            await story.inquiry.reconcile.catch_up()
    hours = [back / timedelta(hours=1) for back in backs]
    furthest = FURTHEST / timedelta(hours=1)
    assert hours == [furthest, furthest, 2.25, 7, 12, furthest]


async def test_a_box_without_an_account_to_sell_through_has_nothing_to_sweep() -> None:
    assert await Story("paybill").inquiry.reconcile.sweep() is None
