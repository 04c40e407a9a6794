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

EVERY = {
    "prune": timedelta(hours=24),
    "refresh_tokens": timedelta(minutes=30),
    "sweep": timedelta(minutes=15),
    "clock": timedelta(seconds=30),
    "usage": timedelta(seconds=60),
    "alarms": timedelta(seconds=60),
    "messages": timedelta(seconds=60),
    "drift": timedelta(minutes=5),
    # Often enough that a box which is switched off every night has a backup of every day.
    "backup": timedelta(minutes=30),
    "measure": timedelta(seconds=30),
    "beat": timedelta(seconds=10),
}
"""How often each job runs."""
# Boxes that started together need not ask together: who comes second finds a new token.
_JITTER_SECONDS = {"prune": 600, "refresh_tokens": 60, "sweep": 60}
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
    messages: Callable[[], Awaitable[object]]
    back_up: Callable[[], Awaitable[object]]
    measure: Callable[[], Awaitable[object]]
    canary: Callable[[], Awaitable[object]]
    canary_every: timedelta | None = None
    """None where no canary is sent by itself."""


class Every(IntervalTrigger):  # type: ignore[misc] # its library has no types
    """An interval that does not count through the turns it missed.

    A clock that is put right from 1970 would have missed a hundred million of them.
    """

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Return the next turn; after a long absence, the first from now on."""
        following: datetime | None = super().get_next_fire_time(previous, now)
        if previous is None or following is None or following > now:
            return following
        soon: datetime | None = super().get_next_fire_time(None, now)
        return soon


@asynccontextmanager
async def scheduled(jobs: Jobs, watched: Watched, ran: Ran) -> AsyncIterator[None]:
    """Run every job at its time until the block ends; one failed round never stops the next."""
    scheduler = AsyncIOScheduler(job_defaults=JOB_DEFAULTS)
    scheduler.add_listener(
        lambda event: ran(event.job_id, event.exception is None),
        EVENT_JOB_EXECUTED | EVENT_JOB_ERROR,
    )
    work = _work(jobs) | {"beat": partial(_come_round, watched("scheduler"))}
    every = EVERY if jobs.canary_every is None else EVERY | {"canary": jobs.canary_every}
    # Some soon after start too: the router may have been reset while the box was off.
    soon = datetime.now(UTC) + _FIRST_REPAIR
    for name, interval in every.items():
        first = {"next_run_time": soon} if name in _SOON else {}
        jitter = _JITTER_SECONDS.get(name)
        trigger = Every(seconds=interval.total_seconds(), jitter=jitter)
        scheduler.add_job(work[name], trigger, id=name, **first)
    # Once at start too: the box may have been off for long.
    scheduler.add_job(jobs.reconcile.catch_up, id="first_sweep")
    scheduler.start()
    waking = asyncio.create_task(_wake_for_ever(scheduler, watched("wake")), name="wake")
    try:
        yield
    finally:
        waking.cancel()
        scheduler.shutdown(wait=False)


def _work(jobs: Jobs) -> dict[str, Callable[[], Awaitable[object]]]:
    return {
        "prune": jobs.upkeep.prune,
        "refresh_tokens": jobs.refresh_tokens,
        "sweep": jobs.reconcile.catch_up,
        "clock": jobs.upkeep.look_at_clock,
        "usage": jobs.usage.poll,
        "alarms": jobs.alarms.look,
        "messages": jobs.messages,
        "drift": jobs.drift.repair,
        "backup": jobs.back_up,
        "measure": jobs.measure,
        "canary": jobs.canary,
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
            anew = Every(seconds=seconds, jitter=jitter, start_date=now)
            job.modify(trigger=anew, next_run_time=now)


async def _come_round(beat: Beat) -> None:
    """Show that jobs are run."""
    beat()


async def _wake_for_ever(scheduler: AsyncIOScheduler, beat: Beat) -> None:
    while True:
        beat()
        await asyncio.sleep(EVERY["clock"].total_seconds())
        wake(scheduler, datetime.now(UTC))
