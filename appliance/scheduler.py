"""The one table of what happens by the clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from appliance.flows.alarms import Alarms
from appliance.flows.drift import Drift
from appliance.flows.reconcile import Reconcile
from appliance.flows.upkeep import Upkeep
from appliance.flows.usage import Usage

PRUNE_EVERY_HOURS = 24
REFRESH_TOKENS_EVERY_MINUTES = 30
PULL_EVERY_MINUTES = 15
REPAIR_EVERY_MINUTES = 5
COUNT_EVERY_SECONDS = 60
LOOK_AT_ROUTER_EVERY_SECONDS = 60
LOOK_AT_CLOCK_EVERY_SECONDS = 30
LOOK_AT_BACKUP_EVERY_MINUTES = 30
# However late: a clock that jumps ahead must not make a job miss its turn.
JOB_DEFAULTS = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
# The customers who wait for a box that starts come before its housekeeping.
_FIRST_REPAIR = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What there is to do."""

    upkeep: Upkeep
    refresh_tokens: Callable[[], Awaitable[object]]
    reconcile: Reconcile
    usage: Usage
    drift: Drift
    alarms: Alarms
    back_up: Callable[[], Awaitable[object]]


@asynccontextmanager
async def scheduled(jobs: Jobs) -> AsyncIterator[None]:
    """Run every job at its time until the block ends; one failed round never stops the next."""
    scheduler = AsyncIOScheduler(job_defaults=JOB_DEFAULTS)
    scheduler.add_job(jobs.upkeep.prune, IntervalTrigger(hours=PRUNE_EVERY_HOURS, jitter=600))
    # Boxes that started together need not ask together: who comes second finds a new token.
    half_hourly = IntervalTrigger(minutes=REFRESH_TOKENS_EVERY_MINUTES, jitter=60)
    scheduler.add_job(jobs.refresh_tokens, half_hourly)
    quarter_hourly = IntervalTrigger(minutes=PULL_EVERY_MINUTES, jitter=60)
    scheduler.add_job(jobs.reconcile.sweep_quietly, quarter_hourly)
    # Once at start too: the box may have been off for long.
    scheduler.add_job(jobs.reconcile.sweep_quietly)
    scheduler.add_job(
        jobs.upkeep.look_at_clock, IntervalTrigger(seconds=LOOK_AT_CLOCK_EVERY_SECONDS)
    )
    scheduler.add_job(jobs.usage.poll, IntervalTrigger(seconds=COUNT_EVERY_SECONDS))
    scheduler.add_job(jobs.alarms.look, IntervalTrigger(seconds=LOOK_AT_ROUTER_EVERY_SECONDS))
    # Soon after start too: the router may have been reset while the box was off.
    soon = datetime.now(UTC) + _FIRST_REPAIR
    every_five = IntervalTrigger(minutes=REPAIR_EVERY_MINUTES)
    scheduler.add_job(jobs.drift.repair, every_five, next_run_time=soon)
    # Often enough that a box which is switched off every night has a backup of every day.
    half_hours = IntervalTrigger(minutes=LOOK_AT_BACKUP_EVERY_MINUTES)
    scheduler.add_job(jobs.back_up, half_hours)
    scheduler.start()
    waking = asyncio.create_task(_wake_for_ever(scheduler))
    try:
        yield
    finally:
        waking.cancel()
        scheduler.shutdown(wait=False)


def wake(scheduler: AsyncIOScheduler, now: datetime) -> None:
    """Have every job run now whose next time is further off than its interval.

    It was set before the clock went back, which may be a matter of years.
    """
    for job in scheduler.get_jobs():
        repeats = isinstance(job.trigger, IntervalTrigger)
        if not repeats or job.next_run_time is None:
            continue
        longest = job.trigger.interval + timedelta(seconds=job.trigger.jitter or 0)
        if job.next_run_time - now > longest:
            # The interval counts from a start that is ahead now, too.
            seconds, jitter = job.trigger.interval.total_seconds(), job.trigger.jitter
            anew = IntervalTrigger(seconds=seconds, jitter=jitter, start_date=now)
            job.modify(trigger=anew, next_run_time=now)


async def _wake_for_ever(scheduler: AsyncIOScheduler) -> None:
    while True:
        await asyncio.sleep(LOOK_AT_CLOCK_EVERY_SECONDS)
        wake(scheduler, datetime.now(UTC))
