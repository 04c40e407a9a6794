"""Pays what stored documents owe: claims by lease, backs off, is never poisoned by one of them."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar, cast

from appliance.domain.debts import LONGEST_PUT_OFF, Owed
from appliance.domain.errors import (
    ApplianceError,
    ClockInDoubt,
    Conflict,
    DeviceAbsent,
    RouterRefused,
    RouterUnreachable,
    StoreUnavailable,
)
from appliance.flows.evolve import Missing, evolve
from appliance.ports import Clock, Owing, Records

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Owing)

_FIRST_WAIT = timedelta(seconds=0.5)
_LONGEST_WAIT = timedelta(seconds=30)
# The wait doubles until the second of these, and from there on grows slowly to the last.
_FIRST_AWAY, _SOON_AWAY, _LONGEST_AWAY = 0.25, 4.0, 30.0
_MOST_MISSED = 1000
# Its device is elsewhere: the page that it opens on its return is faster than any of our looks.
# Or the time is not known, and a time server is not heard any sooner for our asking.
_LONGEST_ABSENCE = timedelta(minutes=5)
# Less than a lease: what is claimed again has been let go of.
_LONGEST_PAYING = 30.0
_LOOK_EVERY = 1.0
_BATCH = 32
_HANDS = 8
_CLERKS = 3
# Beyond this many errands the books come first again: nothing may pile up without end.
_PILE = 200
_LONGEST_GIVING_WAY = 1.0


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
        self._away_until = 0.0
        self._away_for = _FIRST_AWAY
        self._answered = 0.0
        self._missed: dict[str, float] = {}
        self._turn = -1

    def hand(self, record: R) -> None:
        """Take a record whose debt was born leased; it is paid as soon as a hand is free."""
        self._open += 1
        self._idle.clear()
        self._waiting.put_nowait(record)

    async def idle(self) -> None:
        """Return when nothing is waiting to be paid or being paid."""
        await self._idle.wait()

    async def run(self) -> None:
        """Pay for ever; what a dead process left behind falls due when its lease runs out."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            for _ in range(_HANDS):
                group.create_task(self._work())

    async def step(self) -> bool:
        """Claim what is due, pay it, and say whether there was work."""
        claimed = await self._claim(_BATCH)
        for record in claimed:
            await self._pay_one(record)
        return bool(claimed)

    async def _look(self) -> None:
        while True:
            # A record that waits for a hand longer than its lease is claimed again by somebody.
            room = _BATCH - self._waiting.qsize()
            try:
                for record in await self._claim(room):
                    self.hand(record)
            except StoreUnavailable as error:
                log.warning("database away, looking again worker=%s why=%s", self._name, error)
            await asyncio.sleep(_LOOK_EVERY)

    async def _work(self) -> None:
        while True:
            await self._pay_one(await self._waiting.get())
            self._open -= 1
            if self._open == 0:
                self._idle.set()

    async def _claim(self, limit: int) -> list[R]:
        """Return what is due, each leased to us; what somebody else was faster to is not there."""
        now, claimed = self._clock.now(), list[R]()
        for record in await self._next(limit):
            if record.owed is None:
                continue
            leased = _owing(record, record.owed.leased(now))
            with suppress(Conflict):
                claimed.append(await self._records.change(record, leased))
        return claimed

    async def _pay_one(self, record: R) -> None:
        lease = None if record.owed is None else record.owed.lease_until
        if lease is None or self._clock.now() >= lease:
            return  # it waited too long for a hand: whoever claims it next reads it anew
        try:
            async with asyncio.timeout(_LONGEST_PAYING):
                await self._tried(record)
        except TimeoutError:
            log.warning("debt put off, it took too long %s=%s", self._name, record.id)
            await self._put_off(record, _wait(record, _LONGEST_WAIT), "slow")
        except Missing as error:
            log.error("debt parked, a document is missing %s=%s", self._name, record.id)
            await self._put_off(record, LONGEST_PUT_OFF, f"missing {error}")
        except (DeviceAbsent, ClockInDoubt) as error:
            await self._put_off(record, _wait(record, _LONGEST_ABSENCE), error.code)
        except RouterUnreachable as error:
            await self._wait_until(record, self._unreachable(record), error.code)
        except ApplianceError as error:
            log.warning("debt put off %s=%s code=%s", self._name, record.id, error.code)
            await self._put_off(record, _wait(record, _LONGEST_WAIT), error.code)
        except Exception as error:
            log.exception("debt parked, this is a bug %s=%s", self._name, record.id)
            await self._put_off(record, LONGEST_PUT_OFF, f"bug: {type(error).__name__}")

    async def _tried(self, record: R) -> None:
        """Pay; whatever else goes wrong, a router that answers is there for the others too."""
        try:
            await self._pay(record)
        except (DeviceAbsent, RouterRefused):
            self._router_is_there(record)
            raise
        self._router_is_there(record)

    async def _next(self, limit: int) -> list[R]:
        """Return what is due; from a router that is away one after the other tries for all."""
        now = self._clock.now()
        if not self._away_until:
            return await self._records.due(now, limit) if limit > 0 else []
        if self._clock.monotonic() < self._away_until:
            return []
        waiting = await self._records.due(now, _BATCH)
        self._turn += 1
        return waiting[self._turn % len(waiting) :][:1] if waiting else []

    def _unreachable(self, record: R) -> datetime:
        """Return until when a debt waits for the router: in its place, where all must wait."""
        now = self._clock.monotonic()
        if not self._away_until:  # of an outage, one line
            log.warning("router away, debt put off %s=%s", self._name, record.id)
        before, self._missed[record.id] = self._missed.get(record.id), now
        if before is not None and before < self._answered:
            # Others were served meanwhile: it is this one.
            return self._clock.now() + _wait(record, _LONGEST_WAIT)
        if now >= self._away_until:
            grown = self._away_for * (2 if self._away_for < _SOON_AWAY else 1.02)
            self._away_for = min(grown, _LONGEST_AWAY)
            self._away_until = now + self._away_for * _jitter()
        return _place(record, self._clock.now())

    def _router_is_there(self, record: R) -> None:
        self._away_until, self._away_for = 0.0, _FIRST_AWAY
        self._answered = self._clock.monotonic()
        self._missed.pop(record.id, None)
        if len(self._missed) > _MOST_MISSED:
            self._missed.clear()

    async def _put_off(self, record: R, wait: timedelta, why: str) -> None:
        await self._wait_until(record, self._clock.now() + wait, why)

    async def _wait_until(self, record: R, until: datetime, why: str) -> None:
        lease = None if record.owed is None else record.owed.lease_until

        def step(current: R) -> R:
            if current.owed is None:
                return current
            return _owing(current, current.owed.put_off(lease, until, why))

        try:
            await evolve(self._records, record, step)
        except ApplianceError as error:
            log.warning("left to its lease %s=%s code=%s", self._name, record.id, error.code)


class Clerk:
    """Keeps the books when no gate is being opened; in a long rush, at a slower pace.

    An errand that is lost with the process, or fails, leaves a debt in the store that falls due.
    """

    def __init__(self, idle: Callable[[], Awaitable[None]]) -> None:
        self._idle = idle
        self._errands: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()

    def later(self, errand: Callable[[], Awaitable[object]]) -> None:
        """Do this after the gates that are waiting."""
        self._errands.put_nowait(errand)

    async def run(self) -> None:
        """Do errands for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_CLERKS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            errand = await self._errands.get()
            if self._errands.qsize() < _PILE:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LONGEST_GIVING_WAY):
                        await self._idle()
            try:
                await errand()
            except ApplianceError as error:
                log.warning("bookkeeping is left to its debt code=%s", error.code)
            except Exception:
                log.exception("bookkeeping failed, this is a bug")


def _owing(record: R, owed: Owed) -> R:
    return cast("R", replace(cast("Any", record), owed=owed))


def _place(record: Owing, now: datetime) -> datetime:
    """Return the place that a debt keeps in the row while nobody can be served."""
    since = None if record.owed is None else record.owed.since
    return now if since is None else min(since, now)


def _wait(record: Owing, longest: timedelta) -> timedelta:
    attempts = 0 if record.owed is None else record.owed.attempts
    wait = min(_FIRST_WAIT * float(2 ** min(attempts, 10)), longest)
    return wait * _jitter()


def _jitter() -> float:
    return random.uniform(0.5, 1)  # noqa: S311 # so that a crowd spreads out
