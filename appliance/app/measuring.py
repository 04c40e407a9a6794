"""Looks now and then at what nobody counts as it happens, so that a scrape need not."""

import logging
import os
from asyncio import to_thread
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.domain.canary import Outcome
from appliance.domain.errors import ApplianceError, StoreUnavailable
from appliance.flows.cashier import Cashier
from appliance.flows.unsettled import unsettled
from appliance.ports import Clock
from appliance.store.debts import Debts
from appliance.store.records import Books

if TYPE_CHECKING:
    from appliance.app.metrics import Metrics

log = logging.getLogger(__name__)

_MOST = 500
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """What is looked at: pages of an index, and what is known already. Nobody outside is asked."""

    metrics: "Metrics"
    ping: Callable[[], Awaitable[None]]
    debts: Debts
    kept: Books
    cashier: Cashier
    clock: Clock
    wal: Path
    canary: Callable[[], Outcome | None]
    """What became of the latest one."""

    async def look(self) -> None:
        """Look once; while the database is away, only at what is to be seen without it."""
        self.metrics.memory(await to_thread(_resident_bytes))
        self.metrics.canary(await to_thread(self.canary))
        await self._spooled()
        began = self.clock.monotonic()
        try:
            await self.ping()
        except StoreUnavailable:
            self.metrics.database(None)
            return
        seconds = self.clock.monotonic() - began
        self.metrics.database(seconds, await to_thread(_size, self.wal))
        for part in (self._owed, self._people, self._token):
            try:
                await part()
            except ApplianceError as error:
                log.debug("not measured code=%s", error.code)

    async def _spooled(self) -> None:
        """Count the calls that wait here: most of all while the database is away."""
        if self.kept.spool is None:
            return
        try:
            backlog = await self.kept.spool.backlog()
        except StoreUnavailable as error:
            log.debug("not measured code=%s", error.code)
            return
        self.metrics.spool(backlog.waiting, backlog.parked)

    async def _owed(self) -> None:
        now = self.clock.now()
        found = await self.debts.outstanding(now)
        oldest = min((debt.since or debt.at for debt in found), default=now)
        age = max(timedelta(), now - oldest).total_seconds()
        self.metrics.owes(((debt.kind, debt.parked_at is not None) for debt in found), age)

    async def _people(self) -> None:
        self.metrics.waits_for_a_person(len(await unsettled(self.kept.payments, _MOST)))

    async def _token(self) -> None:
        number = await self.cashier.paybill_number()
        paybill = await self.kept.paybills.find("paybillInfo.number", number)
        if paybill is not None:
            kept = paybill.credentials
            self.metrics.token(kept.last_token_refresh, kept.token_expires_at)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
