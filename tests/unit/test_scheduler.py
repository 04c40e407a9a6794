"""Jobs go on whatever the clock does."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from appliance import scheduler as scheduler_table
from appliance.domain.errors import GatewayUnavailable
from appliance.scheduler import JOB_DEFAULTS, Every, Jobs, scheduled, wake


async def test_a_job_set_before_the_clock_went_back_runs_now_and_then_on_time() -> None:
    runs = asyncio.Queue[None]()

    async def job() -> None:
        runs.put_nowait(None)

    scheduler = AsyncIOScheduler(job_defaults=JOB_DEFAULTS)
    ahead = datetime.now(UTC) + timedelta(days=3_650)
    early = scheduler.add_job(job, Every(minutes=5, start_date=ahead))
    scheduler.start()
    try:
        wake(scheduler, datetime.now(UTC))
        await asyncio.wait_for(runs.get(), 10)
        assert early.next_run_time - datetime.now(UTC) <= timedelta(minutes=5)
    finally:
        scheduler.shutdown(wait=False)


async def test_a_job_that_is_on_time_is_left_alone() -> None:
    async def job() -> None:
        """Do nothing."""

    scheduler = AsyncIOScheduler(job_defaults=JOB_DEFAULTS)
    on_time = scheduler.add_job(job, Every(minutes=5, jitter=60))
    once = scheduler.add_job(job)
    scheduler.start(paused=True)
    try:
        before = (on_time.next_run_time, once.next_run_time)
        wake(scheduler, datetime.now(UTC))
        assert (on_time.next_run_time, once.next_run_time) == before
    finally:
        scheduler.shutdown(wait=False)


async def test_a_clock_put_right_from_1970_makes_up_for_one_turn_of_each_job() -> None:
    async def job() -> None:
        """Do nothing."""

    scheduler = AsyncIOScheduler(job_defaults=JOB_DEFAULTS)
    then, now = datetime.fromtimestamp(60, UTC), datetime.now(UTC)
    every = Every(seconds=30, start_date=then)
    late = scheduler.add_job(job, every, next_run_time=then)
    scheduler.start(paused=True)
    try:
        assert late._get_run_times(now) == [then]
        following = every.get_next_fire_time(then, now)
        assert following is not None
        assert timedelta() <= following - now <= timedelta(seconds=30)
    finally:
        scheduler.shutdown(wait=False)


async def nothing() -> None:
    """Do nothing."""


def jobs(**doing: Any) -> Jobs:
    """Return jobs of which only these do anything."""
    names = ("prune", "look_at_clock", "catch_up", "poll", "look", "repair")
    flow: Any = SimpleNamespace(**dict.fromkeys(names, nothing))
    others = dict.fromkeys(("refresh_tokens", "messages", "back_up", "measure", "canary"), nothing)
    flows = dict.fromkeys(("upkeep", "reconcile", "usage", "drift", "alarms"), flow)
    return Jobs(**{**others, **flows, **doing, "canary_every": timedelta(seconds=0.02)})


async def test_a_canary_is_sent_by_the_clock_where_that_is_switched_on() -> None:
    sent = asyncio.Event()

    async def canary() -> None:
        sent.set()

    async with scheduled(jobs(canary=canary), lambda _: lambda: None, lambda _job, _well: None):
        await asyncio.wait_for(sent.wait(), 10)


async def test_a_job_that_hangs_for_ever_is_given_up_has_failed_and_runs_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scheduler_table, "_CANARY_WITHIN", timedelta(seconds=0.02))
    heard, began = asyncio.Queue[bool](), 0

    async def canary() -> None:
        nonlocal began
        began += 1
        if began < 3:
            await asyncio.Event().wait()

    def ran(job: str, well: bool) -> None:  # noqa: FBT001 # as it is told
        if job == "canary":
            heard.put_nowait(well)

    async with scheduled(jobs(canary=canary), lambda _: lambda: None, ran):
        outcomes = [await asyncio.wait_for(heard.get(), 10) for _ in range(3)]
    assert outcomes == [False, False, True]
    assert "TimeoutError" in caplog.text


async def test_what_is_under_way_at_the_end_is_broken_off_without_a_word(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began, told = asyncio.Event(), list[str]()
    cleaned = False

    async def canary() -> None:
        nonlocal cleaned
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned = True

    def ran(job: str, _: bool) -> None:  # noqa: FBT001 # as it is told
        told.append(job)

    async with scheduled(jobs(canary=canary), lambda _: lambda: None, ran):
        await asyncio.wait_for(began.wait(), 10)
    assert cleaned
    await asyncio.sleep(0.01)  # the library ends in turns of the loop of its own
    assert "canary" not in told
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_job_whose_own_task_was_broken_off_has_failed() -> None:
    async def canary() -> None:
        inner = asyncio.create_task(asyncio.Event().wait())
        inner.cancel()
        await inner

    heard = asyncio.Queue[bool]()

    def ran(job: str, well: bool) -> None:  # noqa: FBT001 # as it is told
        if job == "canary":
            heard.put_nowait(well)

    async with scheduled(jobs(canary=canary), lambda _: lambda: None, ran):
        assert not await asyncio.wait_for(heard.get(), 10)


async def test_a_list_that_nobody_gets_is_a_job_that_failed_and_stops_no_other() -> None:
    ended = asyncio.Queue[tuple[str, bool]]()

    async def away() -> None:
        raise GatewayUnavailable("away")

    def ran(job: str, well: bool) -> None:  # noqa: FBT001 # as it is told
        ended.put_nowait((job, well))

    sweeping: Any = SimpleNamespace(catch_up=away)
    async with scheduled(jobs(reconcile=sweeping), lambda _: lambda: None, ran):
        heard = {await asyncio.wait_for(ended.get(), 10) for _ in range(3)}
    assert heard == {("first_sweep", False), ("canary", True)}
