"""Plans at the operator's console."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from appliance.domain.plans import ClockKind, Plan
from appliance.flows.offer import Offer
from appliance.store.records import Books, books
from appliance.web.console.plans import PlanPages
from appliance.web.shelf import Shelf
from tests.memory_store import MemoryStore
from tests.web.desk import Desk, desk

DAY = {
    "name": "Whole day",
    "price": "50",
    "time": "1",
    "timeUnit": "days",
    "data": "2",
    "dataUnit": "GB",
    "up": "2M",
    "down": "5M",
    "devices": "2",
    "clock": "connected",
    "order": "3",
    "accountWord": "DAY",
    "active": "on",
}


@asynccontextmanager
async def shop() -> AsyncIterator[tuple[Desk, Books]]:
    kept = books(MemoryStore())
    async with desk(PlanPages(plans=kept.plans, offer=Offer(plans=kept.plans))) as here:
        await here.sign_in()
        yield here, kept


async def added(here: Desk, kept: Books, **form: str) -> Plan:
    answer = await here.press("/plans/new", version="", **{**DAY, **form})
    assert answer.status == 303, await answer.text()
    found = await kept.plans.get(form.get("id", "whole-day"))
    assert found is not None
    return found


def values(text: str) -> dict[str, str]:
    """Return what a form would send if nobody changed anything."""
    told = {
        name: value
        for name, value in re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', text)
        if name not in {"csrf", "clock", "active"}
    }
    for name, options in re.findall(r'<select[^>]* name="(\w+)">(.*?)</select>', text, re.DOTALL):
        told |= dict.fromkeys([name], *re.findall(r'value="([^"]*)" selected', options))
    told |= dict.fromkeys(["clock"], *re.findall(r'name="clock" value="(\w+)" checked', text))
    return told | dict.fromkeys(re.findall(r'name="(active)" value="on" checked', text), "on")


async def test_a_plan_is_written_as_people_say_it_and_is_on_the_shelf() -> None:
    async with shop() as (here, kept):
        assert "Nothing is for sale yet" in await here.see("/plans")
        plan = await added(here, kept)
        assert plan == Plan(
            id="whole-day",
            name="Whole day",
            price=50,
            duration=timedelta(days=1),
            data_limit_bytes=2_000_000_000,
            rate_limit="2M/5M",
            devices=2,
            clock=ClockKind.CONNECTED,
            order=3,
            account_word="DAY",
        )
        assert here.record[-1][1:] == ("added a plan", "Whole day", {"price": 50})
        assert [one["name"] for one in await Shelf(kept.plans).plans()] == ["Whole day"]


async def test_saving_a_form_as_it_stands_changes_nothing() -> None:
    async with shop() as (here, kept):
        plan = await added(here, kept)
        odd = await kept.plans.insert(
            Plan(
                id="odd",
                name="Odd",
                price=7,
                duration=timedelta(seconds=90),
                data_limit_bytes=5 * 2**20 + 1,
                rate_limit="1M/2M 2M/4M 1M/2M 10/10",
                active=False,
            )
        )
        for one in (plan, odd):
            told = values(await here.see(f"/plans/{one.id}/edit"))
            assert (await here.press(f"/plans/{one.id}/edit", **told)).status == 303
            assert await kept.plans.get(one.id) == one
            assert here.record[-1][3]["changed"] == ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "1 to 40 characters"),
        ({"name": "x" * 41}, "1 to 40 characters"),
        ({"price": "9.50"}, "whole number"),
        ({"price": "0"}, "1 to 250000"),
        ({"time": "0"}, "1 second to 366 days"),
        ({"time": "999999999999999", "timeUnit": "weeks"}, "too long"),
        ({"timeUnit": "years"}, "choose a unit"),
        ({"data": "99999999"}, "data in bytes"),
        ({"down": ""}, "both speeds"),
        ({"down": "fast"}, "as RouterOS writes it"),
        ({"devices": "٣"}, "whole number"),
        ({"devices": "0"}, "1 to 100"),
        ({"order": "-1"}, "whole number"),
        ({"accountWord": "MY WORD"}, "no spaces"),
    ],
)
async def test_what_cannot_be_sold_is_said_at_its_place_and_not_stored(
    wrong: dict[str, str], said: str
) -> None:
    async with shop() as (here, kept):
        answer = await here.press("/plans/new", version="", **{**DAY, **wrong})
        text = await answer.text()
        assert (answer.status, said in text) == (400, True), text
        assert text.count('aria-invalid="true"') == 1
        assert await kept.plans.page(None, None, 9) == []
        assert [did for _, did, *_ in here.record] == ["signed in"]


async def test_whoever_was_second_overwrites_nothing_and_is_told() -> None:
    async with shop() as (here, kept):
        await added(here, kept)
        seen = values(await here.see("/plans/whole-day/edit"))
        assert (await here.press("/plans/whole-day/edit", **{**seen, "price": "60"})).status == 303
        assert here.record[-1][3] == {"changed": "price", "price": 60, "active": True}
        second = await here.press("/plans/whole-day/edit", **{**seen, "price": "70"})
        assert second.status == 409
        assert "Somebody has changed Whole day meanwhile" in await second.text()
        plan = await kept.plans.get("whole-day")
        assert plan is not None
        assert plan.price == 60
        refused = await here.press("/plans/whole-day/edit", **{**seen, "price": ""})
        assert values(await refused.text())["version"] == seen["version"]


async def test_a_plan_is_taken_off_the_shelf() -> None:
    async with shop() as (here, kept):
        await added(here, kept)
        seen = values(await here.see("/plans/whole-day/edit"))
        seen.pop("active")
        assert (await here.press("/plans/whole-day/edit", **seen)).status == 303
        assert await Shelf(kept.plans).plans() == []
        assert "not for sale" in await here.see("/plans")


async def test_a_second_press_adds_nothing_and_money_by_hand_finds_one_plan() -> None:
    async with shop() as (here, kept):
        await added(here, kept)
        again = await here.press("/plans/new", version="", **DAY | {"accountWord": ""})
        assert "a plan with this name already" in await again.text()
        alike = await here.press("/plans/new", version="", **DAY | {"name": "Other"})
        assert "could be for either" in await alike.text()
        await kept.plans.change(
            await added(here, kept, name="Week", id="week", price="200"),
            Plan(id="week", name="Seven days", price=200, duration=timedelta(days=7)),
        )
        other = await here.press("/plans/new", version="", **DAY | {"name": "Week", "price": "1"})
        assert other.status == 303
        assert len(await kept.plans.page(None, None, 9)) == 3


async def test_a_hostile_name_is_text_and_what_is_not_there_is_said() -> None:
    async with shop() as (here, kept):
        plan = await added(here, kept, name="<script>alert(1)</script>", id="script-alert-1-script")
        for path in ("/plans", f"/plans/{plan.id}/edit"):
            assert "<script>alert" not in await here.see(path)
        assert (await here.client.get("/plans/none/edit")).status == 404
        for version in ("", "x", "9" * 99):
            told = DAY | {"name": plan.name, "version": version}
            assert (await here.press(f"/plans/{plan.id}/edit", **told)).status == 400
        await here.press("/sign-out")
        assert (await here.client.get("/plans", allow_redirects=False)).status == 303
        assert (await here.client.post("/plans/new", data=DAY)).status == 401
