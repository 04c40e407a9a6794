"""The one table of what happens by the clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import cast

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, JobExecutionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from appliance.flows.alarms import Alarms
from appliance.flows.drift import Drift
from appliance.flows.reconcile import Reconcile
from appliance.flows.upkeep import Upkeep
from appliance.flows.usage import Usage
from appliance.ports import Beat, Watched


@dataclass(frozen=True, slots=True)
class Turn:
    """How often a job runs, and after how long it is given up: its peer is dead."""

    every: timedelta
    within: timedelta
    jitter: timedelta = timedelta()
    """Boxes that started together need not ask together: who comes second finds a new token."""


TURNS = {
    "prune": Turn(timedelta(hours=24), timedelta(hours=1), timedelta(minutes=10)),
    "refresh_tokens": Turn(timedelta(minutes=30), timedelta(minutes=20), timedelta(minutes=1)),
    "sweep": Turn(timedelta(minutes=15), timedelta(hours=1), timedelta(minutes=1)),
    "clock": Turn(timedelta(seconds=30), timedelta(minutes=1)),
    "usage": Turn(timedelta(seconds=60), timedelta(minutes=5)),
    "alarms": Turn(timedelta(seconds=60), timedelta(minutes=2)),
    "messages": Turn(timedelta(seconds=60), timedelta(minutes=2)),
    "drift": Turn(timedelta(minutes=5), timedelta(minutes=30)),
    # Often enough that a box which is switched off every night has a backup of every day.
    "backup": Turn(timedelta(minutes=30), timedelta(hours=2)),
    "measure": Turn(timedelta(seconds=30), timedelta(minutes=1)),
    "beat": Turn(timedelta(seconds=10), timedelta(seconds=10)),
}
"""Every job's times. What is given up has failed, and is tried anew at its next turn."""
_CANARY_WITHIN = timedelta(minutes=5)
# However late: a clock that jumps ahead must not make a job miss its turn.
JOB_DEFAULTS = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
# The customers who wait for a box that starts come before its housekeeping.
_FIRST_REPAIR = timedelta(seconds=3)
_SOON = frozenset({"drift", "measure"})
# For what is broken off by the end of the process: longer than the router may take to answer.
_GRACE_SECONDS = 10.0


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


class Running:
    """The jobs that are under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    async def within(self, limit: timedelta, work: Callable[[], Awaitable[object]]) -> None:
        """Do a job; raise `TimeoutError` when its time is over, and nothing when all is."""
        task = cast("asyncio.Task[object]", asyncio.current_task())
        self._tasks.add(task)
        try:
            async with asyncio.timeout(limit.total_seconds()):
                await work()
        except asyncio.CancelledError:
            if not task.cancelling():  # something it waited for was: it failed
                raise
        finally:
            self._tasks.discard(task)

    async def stop(self) -> None:
        """Break off what is under way, and let it clean up."""
        await asyncio.sleep(0)  # what was about to begin begins
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_GRACE_SECONDS)


@asynccontextmanager
async def scheduled(jobs: Jobs, watched: Watched, ran: Ran) -> AsyncIterator[None]:
    """Run every job at its time until the block ends; one failed round never stops the next."""
    scheduler, running = AsyncIOScheduler(job_defaults=JOB_DEFAULTS), Running()

    def told(event: JobExecutionEvent) -> None:
        ran(event.job_id, event.exception is None)

    scheduler.add_listener(told, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
    work = _work(jobs) | {"beat": partial(_come_round, watched("scheduler"))}
    # Some soon after start too: the router may have been reset while the box was off.
    soon = datetime.now(UTC) + _FIRST_REPAIR
    for name, turn in _turns(jobs).items():
        first = {"next_run_time": soon} if name in _SOON else {}
        trigger = Every(
            seconds=turn.every.total_seconds(), jitter=turn.jitter.total_seconds() or None
        )
        job = partial(running.within, turn.within, work[name])
        scheduler.add_job(job, trigger, id=name, **first)
    # Once at start too: the box may have been off for long.
    sweep = partial(running.within, TURNS["sweep"].within, work["sweep"])
    scheduler.add_job(sweep, id="first_sweep")
    scheduler.start()
    waking = asyncio.create_task(_wake_for_ever(scheduler, watched("wake")), name="wake")
    try:
        yield
    finally:
        waking.cancel()
        scheduler.pause()
        scheduler.remove_listener(told)
        await running.stop()
        scheduler.shutdown(wait=False)


def _turns(jobs: Jobs) -> dict[str, Turn]:
    if jobs.canary_every is None:
        return TURNS
    return TURNS | {"canary": Turn(jobs.canary_every, _CANARY_WITHIN)}


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
        await asyncio.sleep(TURNS["clock"].every.total_seconds())
        wake(scheduler, datetime.now(UTC))
