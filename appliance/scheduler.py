"""The one table of what happens by the clock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from appliance.flows.reconcile import FURTHEST, Reconcile
from appliance.flows.upkeep import Upkeep

PRUNE_EVERY_HOURS = 24
REFRESH_TOKENS_EVERY_MINUTES = 30
PULL_EVERY_MINUTES = 15


@asynccontextmanager
async def scheduled(
    upkeep: Upkeep, refresh_tokens: Callable[[], Awaitable[object]], reconcile: Reconcile
) -> AsyncIterator[None]:
    """Run every job at its time until the block ends; one failed round never stops the next."""
    scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(upkeep.prune, IntervalTrigger(hours=PRUNE_EVERY_HOURS, jitter=600))
    # Boxes that started together need not ask together: who comes second finds a new token.
    half_hourly = IntervalTrigger(minutes=REFRESH_TOKENS_EVERY_MINUTES, jitter=60)
    scheduler.add_job(refresh_tokens, half_hourly)
    quarter_hourly = IntervalTrigger(minutes=PULL_EVERY_MINUTES, jitter=60)
    scheduler.add_job(reconcile.sweep_quietly, quarter_hourly)
    # Once at start, as far back as there is: the box may have been off for long.
    scheduler.add_job(reconcile.sweep_quietly, args=(FURTHEST,))
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
