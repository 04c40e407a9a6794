"""Jobs go on whatever the clock does."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from apscheduler.schedulers.asyncio import AsyncIOScheduler

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


def jobs(catch_up: Callable[[], Awaitable[object]] = nothing, **more: Any) -> Jobs:
    names = ("prune", "look_at_clock", "poll", "look", "repair")
    flow: Any = SimpleNamespace(**dict.fromkeys(names, nothing), catch_up=catch_up)
    return Jobs(
        upkeep=flow,
        refresh_tokens=nothing,
        reconcile=flow,
        usage=flow,
        drift=flow,
        alarms=flow,
        messages=nothing,
        back_up=nothing,
        measure=nothing,
        **more,
    )


async def test_a_canary_is_sent_by_the_clock_where_that_is_switched_on() -> None:
    sent = asyncio.Event()

    async def canary() -> None:
        sent.set()

    every = timedelta(seconds=0.02)
    work = jobs(canary=canary, canary_every=every)
    async with scheduled(work, lambda _: lambda: None, lambda _job, _well: None):
        await asyncio.wait_for(sent.wait(), 10)


async def test_a_list_that_nobody_gets_is_a_job_that_failed_and_stops_no_other() -> None:
    ended = asyncio.Queue[tuple[str, bool]]()

    async def away() -> None:
        raise GatewayUnavailable("away")

    work = jobs(away, canary=nothing, canary_every=timedelta(seconds=0.02))
    async with scheduled(
        work, lambda _: lambda: None, lambda job, well: ended.put_nowait((job, well))
    ):
        heard = {await asyncio.wait_for(ended.get(), 10) for _ in range(3)}
    assert heard == {("first_sweep", False), ("canary", True)}
