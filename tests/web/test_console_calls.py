"""Calls of Safaricom's as the operator sees them: live, whole, and read again."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from appliance.domain import debts, ids
from appliance.domain.records import WebhookLog
from appliance.flows.replay import Replay
from appliance.store.records import Books, books
from appliance.web.console import calls
from appliance.web.console.calls import Calls
from tests.conftest import HandClock
from tests.memory_store import AmbushedStore
from tests.web.desk import Desk, desk

BODY = '{"TransID": "QKH94M1Z11", "FirstName": "<img src=x onerror=alert(1)>"}'


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[Desk, Books]]:
    clock, kept = HandClock(), books(AmbushedStore())
    replay = Replay(webhooks=kept.webhooks, clock=clock)
    async with desk(Calls(webhooks=kept.webhooks, replay=replay), clock=clock) as here:
        await here.sign_in()
        yield here, kept


async def called(here: Desk, kept: Books, kind: str = "c2b_confirmation") -> WebhookLog:
    return await kept.webhooks.insert(
        WebhookLog(
            id=ids.new_id(),
            source="mpesa_confirmation",
            type=kind,
            timestamp=here.clock.now(),
            raw_body=BODY,
            status="completed",
            processing_time=12,
        )
    )


async def test_a_call_is_listed_and_shown_as_it_came_and_runs_nothing() -> None:
    async with watched() as (here, kept):
        assert "No call has come yet" in await here.see("/calls")
        call = await called(here, kept)
        assert "12 ms" in await here.see("/calls")
        whole = await here.see(f"/calls/{call.id}")
        assert "QKH94M1Z11" in whole
        assert "<img" not in whole
        assert (await here.client.get("/calls/unknown")).status == 404


async def test_a_call_is_read_again_when_the_operator_says_so_and_that_is_written_down() -> None:
    async with watched() as (here, kept):
        call = await called(here, kept)
        assert (await here.press(f"/calls/{call.id}/again")).status == 303
        assert here.record[-1][1:3] == ("had a call read again", call.id)
        after = await kept.webhooks.get(call.id)
        assert after is not None
        assert after.owed is not None
        assert (after.owed.kind, after.owed.at) == (debts.Kind.SETTLE, here.clock.now())


async def test_a_call_that_is_being_read_or_was_answered_for_good_is_left_alone() -> None:
    async with watched() as (here, kept):
        call = await called(here, kept)
        busy = replace(call, owed=debts.owing(debts.Kind.SETTLE, here.clock.now()))
        await kept.webhooks.change(call, busy)
        answer = await here.press(f"/calls/{call.id}/again")
        assert (answer.status, "being read just now" in await answer.text()) == (400, True)
        asked = await called(here, kept, "c2b_validation")
        assert (await here.press(f"/calls/{asked.id}/again")).status == 400


async def test_calls_come_live_and_again_when_they_are_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "_LOOK_EVERY", 0.01)
    async with watched() as (here, kept):
        answer = await here.client.get("/calls/live")
        await answer.content.readuntil(b": here\n\n")
        call = await called(here, kept)
        for status in ("completed", "disputed"):
            await answer.content.readuntil(b"event: call\ndata: ")
            row = json.loads(await answer.content.readline())
            assert row["id"] == call.id
            assert status in row["row"]
            if status == "completed":
                call = await kept.webhooks.change(call, replace(call, status="disputed"))
