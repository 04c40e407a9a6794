"""The one table of what happens by the clock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from appliance.flows.upkeep import Upkeep

PRUNE_EVERY_HOURS = 24
REFRESH_TOKENS_EVERY_MINUTES = 30


@asynccontextmanager
async def scheduled(
    upkeep: Upkeep, refresh_tokens: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    """Run every job at its time until the block ends; one failed round never stops the next."""
    scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(upkeep.prune, IntervalTrigger(hours=PRUNE_EVERY_HOURS, jitter=600))
    # Boxes that started together need not ask together: who comes second finds a new token.
    half_hourly = IntervalTrigger(minutes=REFRESH_TOKENS_EVERY_MINUTES, jitter=60)
    scheduler.add_job(refresh_tokens, half_hourly)
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
