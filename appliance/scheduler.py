"""The one table of what happens by the clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from appliance.flows.upkeep import Upkeep

PRUNE_EVERY_HOURS = 24


@asynccontextmanager
async def scheduled(upkeep: Upkeep) -> AsyncIterator[None]:
    """Run every job at its time until the block ends; one failed round never stops the next."""
    scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1})
    scheduler.add_job(upkeep.prune, IntervalTrigger(hours=PRUNE_EVERY_HOURS, jitter=600))
    scheduler.start()
    try:
        yield
    finally:
        scheduler.shutdown(wait=False)
