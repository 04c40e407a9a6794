"""Pays what stored documents owe: claims by lease, backs off, is never poisoned by one of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from appliance.domain.debts import Owed
from appliance.domain.errors import (
    ApplianceError,
    ClockInDoubt,
    Conflict,
    DeviceAbsent,
    RouterRefused,
    RouterUnreachable,
    SmsUnavailable,
    StoreUnavailable,
    Unreadable,
)
from appliance.domain.waits import jitter
from appliance.flows.evolve import Missing, evolve
from appliance.ports import Beat, Clock, Owing, Records, Watched
from appliance.worker.clerk import Clerk as Clerk
from appliance.worker.outage import Outage
from appliance.worker.rounds import is_stopping, next_of

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Owing)

_FIRST_WAIT = timedelta(seconds=0.5)
_LONGEST_WAIT = timedelta(seconds=30)
# Its device is elsewhere: the page that it opens on its return is faster than any of our looks.
# Or the time is not known, and a time server is not heard any sooner for our asking.
_LONGEST_ABSENCE = timedelta(minutes=5)
# Less than a lease: what is claimed again has been let go of.
_LONGEST_PAYING = 30.0
_LOOK_EVERY = 1.0
_BATCH = 32
_HANDS = 8


class Worker(Generic[R]):
    """Pays the debts of one collection. `pay` must be safe to repeat and clears its own debt."""

    def __init__(
        self,
        name: str,
        records: Records[R],
        pay: Callable[[R], Awaitable[object]],
        clock: Clock,
    ) -> None:
        self._name = name
        self._records = records
        self._pay = pay
        self._clock = clock
        self._waiting: asyncio.Queue[R] = asyncio.Queue()
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._outage = Outage(clock.monotonic)

    def hand(self, record: R) -> None:
        """Take a record whose debt was born leased; it is paid as soon as a hand is free."""
        self._open += 1
        self._idle.clear()
        self._waiting.put_nowait(record)

    async def idle(self) -> None:
        """Return when nothing is waiting to be paid or being paid."""
        await self._idle.wait()

    async def run(self, watched: Watched) -> None:
        """Pay for ever; what a dead process left behind falls due when its lease runs out."""
        async with asyncio.TaskGroup() as group:
            look = f"{self._name} look"
            group.create_task(self._look(watched(look)), name=look)
            for number in range(_HANDS):
                hand = f"{self._name} {number}"
                group.create_task(self._work(watched(hand)), name=hand)

    async def step(self) -> bool:
        """Claim what is due, pay it, and say whether there was work."""
        claimed = [record async for record in self._claim(_BATCH, lambda: None)]
        for record in claimed:
            await self._pay_one(record)
        return bool(claimed)

    async def _look(self, beat: Beat) -> None:
        while True:
            beat()
            # A record that waits for a hand longer than its lease is claimed again by somebody.
            room = _BATCH - self._waiting.qsize()
            try:
                async for record in self._claim(room, beat):
                    self.hand(record)
            except StoreUnavailable as error:
                log.warning("database away, looking again worker=%s why=%s", self._name, error)
            await asyncio.sleep(_LOOK_EVERY)

    async def _work(self, beat: Beat) -> None:
        while True:
            beat()
            record = await next_of(self._waiting)
            if record is None:
                continue
            await self._pay_one(record)
            self._open -= 1
            if self._open == 0:
                self._idle.set()

    async def _claim(self, limit: int, beat: Beat) -> AsyncIterator[R]:
        """Yield what is due, each leased to us; what somebody else was faster to is not there."""
        now = self._clock.now()
        for record in await self._next(limit):
            if record.owed is None:
                continue
            leased = _owing(record, record.owed.leased(now))
            try:
                yield await self._records.change(record, leased)
            except Conflict:
                continue
            finally:
                beat()  # however slow the database

    async def _pay_one(self, record: R) -> None:
        lease = None if record.owed is None else record.owed.lease_until
        if lease is None or self._clock.now() >= lease:
            return  # it waited too long for a hand: whoever claims it next reads it anew
        try:
            async with asyncio.timeout(_LONGEST_PAYING):
                await self._tried(record)
        except (ApplianceError, TimeoutError) as error:
            await self._not_paid(record, error)
        except (asyncio.CancelledError, Exception) as error:
            if isinstance(error, asyncio.CancelledError) and is_stopping():
                raise
            log.exception("debt parked, this is a bug %s=%s", self._name, record.id)
            await self._park(record, f"bug: {type(error).__name__}")

    async def _not_paid(self, record: R, error: ApplianceError | TimeoutError) -> None:
        code = "slow" if isinstance(error, TimeoutError) else error.code
        match error:
            case Missing() | Unreadable():
                log.error("debt parked, what it needs is %s %s=%s", code, self._name, record.id)
                await self._park(record, f"{code} {error}")
            case DeviceAbsent() | ClockInDoubt():
                await self._put_off(record, _wait(record, _LONGEST_ABSENCE), code)
            case RouterUnreachable() | SmsUnavailable():
                await self._wait_for_all(record, code)
            case _:
                log.warning("debt put off %s=%s code=%s", self._name, record.id, code)
                await self._put_off(record, _wait(record, _LONGEST_WAIT), code)

    async def _tried(self, record: R) -> None:
        """Pay; whatever else goes wrong, a router that answers is there for the others too."""
        try:
            await self._pay(record)
        except (DeviceAbsent, RouterRefused):
            self._outage.is_over(record.id)
            raise
        self._outage.is_over(record.id)

    async def _next(self, limit: int) -> list[R]:
        """Return what is due; from whoever is away, one after the other tries for all."""
        now = self._clock.now()
        if not self._outage.lasts:
            return await self._records.due(now, limit) if limit > 0 else []
        if not self._outage.is_time_to_try:
            return []
        return self._outage.one_of(await self._records.due(now, _BATCH))

    async def _wait_for_all(self, record: R, why: str) -> None:
        """Put a debt off for itself alone, or in its place where all must wait."""
        if not self._outage.lasts:  # of an outage, one line
            log.warning("nobody there, debt put off %s=%s code=%s", self._name, record.id, why)
        now = self._clock.now()
        alone = self._outage.missed(record.id)
        until = now + _wait(record, _LONGEST_WAIT) if alone else _place(record, now)
        await self._owe(record, lambda owed, lease: owed.put_off(lease, until, why))

    async def _put_off(self, record: R, wait: timedelta, why: str) -> None:
        until = self._clock.now() + wait
        await self._owe(record, lambda owed, lease: owed.put_off(lease, until, why))

    async def _park(self, record: R, why: str) -> None:
        now = self._clock.now()
        await self._owe(record, lambda owed, lease: owed.parked(lease, now, why))

    async def _owe(self, record: R, later: Callable[[Owed, datetime | None], Owed]) -> None:
        """Store how the debt goes on; whatever comes of it, this hand goes on too."""
        lease = None if record.owed is None else record.owed.lease_until

        def step(current: R) -> R:
            return current if current.owed is None else _owing(current, later(current.owed, lease))

        try:
            await evolve(self._records, record, step)
        except ApplianceError as error:
            log.warning("left to its lease %s=%s code=%s", self._name, record.id, error.code)
        except Exception:
            log.exception("left to its lease, this is a bug %s=%s", self._name, record.id)


def _owing(record: R, owed: Owed) -> R:
    return cast("R", replace(cast("Any", record), owed=owed))


def _place(record: Owing, now: datetime) -> datetime:
    """Return the place that a debt keeps in the row while nobody can be served."""
    since = None if record.owed is None else record.owed.since
    return now if since is None else min(since, now)


def _wait(record: Owing, longest: timedelta) -> timedelta:
    attempts = 0 if record.owed is None else record.owed.attempts
    wait = min(_FIRST_WAIT * float(2 ** min(attempts, 10)), longest)
    return wait * jitter()
