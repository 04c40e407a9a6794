"""Pays what stored documents owe: claims by lease, backs off, is never poisoned by one of them."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Generic, TypeVar, cast

from appliance.domain.errors import ApplianceError, Conflict, StoreUnavailable
from appliance.flows.evolve import Missing, evolve
from appliance.ports import Clock, Owing, Records

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Owing)

_FIRST_WAIT = timedelta(seconds=0.5)
_LONGEST_WAIT = timedelta(seconds=30)
_PARKED = timedelta(hours=1)
_LOOK_EVERY = 1.0
_BATCH = 64
_HANDS = 8


class Worker(Generic[R]):
    """Pays the debts of one collection. `pay` must be safe to repeat and clears its own debt."""

    def __init__(
        self, name: str, records: Records[R], pay: Callable[[R], Awaitable[object]], clock: Clock
    ) -> None:
        self._name = name
        self._records = records
        self._pay = pay
        self._clock = clock
        self._waiting: asyncio.Queue[R] = asyncio.Queue()

    def hand(self, record: R) -> None:
        """Take a record whose debt was born leased; it is paid as soon as a hand is free."""
        self._waiting.put_nowait(record)

    async def run(self) -> None:
        """Pay for ever; what a dead process left behind falls due when its lease runs out."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            for _ in range(_HANDS):
                group.create_task(self._work())

    async def step(self) -> bool:
        """Claim what is due, pay it, and say whether there was work."""
        claimed = [record async for record in self._claims()]
        for record in claimed:
            await self._pay_one(record)
        return bool(claimed)

    async def _look(self) -> None:
        while True:
            full = self._waiting.qsize() >= _BATCH
            if not full:
                try:
                    async for record in self._claims():
                        self.hand(record)
                except StoreUnavailable as error:
                    log.warning("database away, looking again worker=%s why=%s", self._name, error)
            await asyncio.sleep(_LOOK_EVERY)

    async def _work(self) -> None:
        while True:
            await self._pay_one(await self._waiting.get())

    async def _claims(self) -> Any:
        now = self._clock.now()
        for record in await self._records.due(now, _BATCH):
            if record.owed is None:
                continue
            leased = cast("R", replace(cast("Any", record), owed=record.owed.leased(now)))
            try:
                yield await self._records.change(record, leased)
            except Conflict:
                continue

    async def _pay_one(self, record: R) -> None:
        try:
            await self._pay(record)
        except Missing as error:
            log.error("debt parked, a document is missing %s=%s", self._name, record.id)
            await self._put_off(record, _PARKED, f"missing {error}")
        except ApplianceError as error:
            log.warning("debt put off %s=%s code=%s", self._name, record.id, error.code)
            await self._put_off(record, _wait(record), error.code)
        except Exception as error:
            log.exception("debt parked, this is a bug %s=%s", self._name, record.id)
            await self._put_off(record, _PARKED, f"bug: {type(error).__name__}")

    async def _put_off(self, record: R, wait: timedelta, why: str) -> None:
        until = self._clock.now() + wait
        lease = None if record.owed is None else record.owed.lease_until

        def step(current: R) -> R:
            if current.owed is None or current.owed.lease_until != lease:
                return current  # somebody else's lease by now, or nothing owed any more
            owed = current.owed.put_off(until, why)
            return cast("R", replace(cast("Any", current), owed=owed))

        try:
            await evolve(self._records, record, step)
        except ApplianceError as error:
            log.warning("left to its lease %s=%s code=%s", self._name, record.id, error.code)


def _wait(record: Owing) -> timedelta:
    attempts = 0 if record.owed is None else record.owed.attempts
    longest = min(_FIRST_WAIT * float(2 ** min(attempts, 10)), _LONGEST_WAIT)
    return longest * random.uniform(0.5, 1)  # noqa: S311 # jitter, so that a crowd spreads out
