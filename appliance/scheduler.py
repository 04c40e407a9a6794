"""The one table of what happens by the clock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from appliance.flows.drift import Drift
from appliance.flows.reconcile import FURTHEST, Reconcile
from appliance.flows.upkeep import Upkeep
from appliance.flows.usage import Usage

PRUNE_EVERY_HOURS = 24
REFRESH_TOKENS_EVERY_MINUTES = 30
PULL_EVERY_MINUTES = 15
REPAIR_EVERY_MINUTES = 5
COUNT_EVERY_SECONDS = 60
LOOK_AT_CLOCK_EVERY_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What there is to do."""

    upkeep: Upkeep
    refresh_tokens: Callable[[], Awaitable[object]]
    reconcile: Reconcile
    usage: Usage
    drift: Drift
    look_at_clock: Callable[[], Awaitable[object]]


@asynccontextmanager
async def scheduled(jobs: Jobs) -> AsyncIterator[None]:
    """Run every job at its time until the block ends; one failed round never stops the next."""
    scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(jobs.upkeep.prune, IntervalTrigger(hours=PRUNE_EVERY_HOURS, jitter=600))
    # Boxes that started together need not ask together: who comes second finds a new token.
    half_hourly = IntervalTrigger(minutes=REFRESH_TOKENS_EVERY_MINUTES, jitter=60)
    scheduler.add_job(jobs.refresh_tokens, half_hourly)
    quarter_hourly = IntervalTrigger(minutes=PULL_EVERY_MINUTES, jitter=60)
    scheduler.add_job(jobs.reconcile.sweep_quietly, quarter_hourly)
    # Once at start, as far back as there is: the box may have been off for long.
    scheduler.add_job(jobs.reconcile.sweep_quietly, args=(FURTHEST,))
    scheduler.add_job(jobs.look_at_clock, IntervalTrigger(seconds=LOOK_AT_CLOCK_EVERY_SECONDS))
    scheduler.add_job(jobs.usage.poll, IntervalTrigger(seconds=COUNT_EVERY_SECONDS))
    # Once at start too: the router may have been reset while the box was off.
    scheduler.add_job(jobs.drift.repair)
    scheduler.add_job(jobs.drift.repair, IntervalTrigger(minutes=REPAIR_EVERY_MINUTES))
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
