"""The one table of what happens by the clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from appliance.flows.alarms import Alarms
from appliance.flows.drift import Drift
from appliance.flows.reconcile import Reconcile
from appliance.flows.upkeep import Upkeep
from appliance.flows.usage import Usage
from appliance.ports import Beat, Watched

PRUNE_EVERY_HOURS = 24
REFRESH_TOKENS_EVERY_MINUTES = 30
PULL_EVERY_MINUTES = 15
REPAIR_EVERY_MINUTES = 5
COUNT_EVERY_SECONDS = 60
LOOK_AT_ROUTER_EVERY_SECONDS = 60
LOOK_AT_CLOCK_EVERY_SECONDS = 30
LOOK_AT_BACKUP_EVERY_MINUTES = 30
BEAT_EVERY_SECONDS = 10
MEASURE_EVERY_SECONDS = 30
# However late: a clock that jumps ahead must not make a job miss its turn.
JOB_DEFAULTS = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
# The customers who wait for a box that starts come before its housekeeping.
_FIRST_REPAIR = timedelta(seconds=3)
_SOON = frozenset({"drift", "measure"})


Ran = Callable[[str, bool], None]
"""Is told of a job that has ended, and whether it ended well."""


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
    measure: Callable[[], Awaitable[object]]


@asynccontextmanager
async def scheduled(jobs: Jobs, watched: Watched, ran: Ran) -> AsyncIterator[None]:
    """Run every job at its time until the block ends; one failed round never stops the next."""
    scheduler = AsyncIOScheduler(job_defaults=JOB_DEFAULTS)
    scheduler.add_listener(
        lambda event: ran(event.job_id, event.exception is None),
        EVENT_JOB_EXECUTED | EVENT_JOB_ERROR,
    )
    beat = partial(_come_round, watched("scheduler"))
    table = _table(jobs) | {"beat": (beat, IntervalTrigger(seconds=BEAT_EVERY_SECONDS))}
    # Some soon after start too: the router may have been reset while the box was off.
    soon = datetime.now(UTC) + _FIRST_REPAIR
    for name, (work, when) in table.items():
        first = {"next_run_time": soon} if name in _SOON else {}
        scheduler.add_job(work, when, id=name, **first)
    # Once at start too: the box may have been off for long.
    scheduler.add_job(jobs.reconcile.sweep_quietly, id="first_sweep")
    scheduler.start()
    waking = asyncio.create_task(_wake_for_ever(scheduler, watched("wake")), name="wake")
    try:
        yield
    finally:
        waking.cancel()
        scheduler.shutdown(wait=False)


def _table(jobs: Jobs) -> dict[str, tuple[Callable[[], Awaitable[object]], IntervalTrigger]]:
    return {
        "prune": (jobs.upkeep.prune, IntervalTrigger(hours=PRUNE_EVERY_HOURS, jitter=600)),
        # Boxes that started together need not ask together: who comes second finds a new token.
        "refresh_tokens": (
            jobs.refresh_tokens,
            IntervalTrigger(minutes=REFRESH_TOKENS_EVERY_MINUTES, jitter=60),
        ),
        "sweep": (
            jobs.reconcile.sweep_quietly,
            IntervalTrigger(minutes=PULL_EVERY_MINUTES, jitter=60),
        ),
        "clock": (jobs.upkeep.look_at_clock, IntervalTrigger(seconds=LOOK_AT_CLOCK_EVERY_SECONDS)),
        "usage": (jobs.usage.poll, IntervalTrigger(seconds=COUNT_EVERY_SECONDS)),
        "alarms": (jobs.alarms.look, IntervalTrigger(seconds=LOOK_AT_ROUTER_EVERY_SECONDS)),
        "drift": (jobs.drift.repair, IntervalTrigger(minutes=REPAIR_EVERY_MINUTES)),
        # Often enough that a box which is switched off every night has a backup of every day.
        "back_up": (jobs.back_up, IntervalTrigger(minutes=LOOK_AT_BACKUP_EVERY_MINUTES)),
        "measure": (jobs.measure, IntervalTrigger(seconds=MEASURE_EVERY_SECONDS)),
    }


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


async def _come_round(beat: Beat) -> None:
    """Show that jobs are run."""
    beat()


async def _wake_for_ever(scheduler: AsyncIOScheduler, beat: Beat) -> None:
    while True:
        beat()
        await asyncio.sleep(LOOK_AT_CLOCK_EVERY_SECONDS)
        wake(scheduler, datetime.now(UTC))
