"""What keeps the box in order while nobody looks."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from appliance.domain import ahead
from appliance.domain.errors import ApplianceError
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Messages, Owing, Payments, Records, Vouchers, WebhookLogs

log = logging.getLogger(__name__)

R = TypeVar("R", bound=Owing)

_MOST = 20_000
"""Debts looked at in one pass."""


@dataclass(slots=True, kw_only=True)
class Upkeep:
    """Regular chores."""

    prune_old: Callable[[datetime], Awaitable[int]]
    keep: timedelta
    webhooks: WebhookLogs
    payments: Payments
    vouchers: Vouchers
    messages: Messages
    clock: Clock
    look: Callable[[], Awaitable[object]]
    """Has the clock look for a time server."""
    put_right: bool = False
    """Whether what was dated ahead has been put right since the time became certain."""

    async def prune(self) -> None:
        """Forget webhooks and messages that are old and owe nothing, as MongoDB does by itself.

        What is old, only a clock beyond doubt can say, when it came as well as now.
        """
        now = self.clock.certain()
        if now is None:
            return
        for webhook in await self.webhooks.page("undated", value=True, limit=_MOST):
            await evolve(self.webhooks, webhook, lambda w: w.dated(now, self.keep))
        gone = await self.prune_old(now - self.keep)
        if gone:
            log.info("old webhooks and messages removed count=%d", gone)

    async def look_at_clock(self) -> None:
        """Look at the clock; the moment it is certain, put right what was dated ahead of it."""
        await self.look()
        now = self.clock.certain()
        if now is None:
            self.put_right = False
        elif not self.put_right:
            try:
                moved = [
                    await self._bring_back(self.webhooks, ahead.webhook, now),
                    await self._bring_back(self.payments, ahead.payment, now),
                    await self._bring_back(self.vouchers, ahead.voucher, now),
                    await self._bring_back(self.messages, ahead.message, now),
                ]
            except ApplianceError as error:
                log.warning("dates not put right, again at the next look code=%s", error.code)
                return
            self.put_right = True
            if any(moved):
                log.warning(
                    "the clock was ahead, put right webhooks=%d payments=%d vouchers=%d "
                    "messages=%d",
                    *moved,
                )

    async def _bring_back(
        self, records: Records[R], step: Callable[[R, datetime], R], now: datetime
    ) -> int:
        """Put right every record that owes something; return how many were not."""
        moved = list[R]()
        for record in await records.owing(_MOST):
            await evolve(records, record, lambda latest: step(latest, now), moved.append)
        return len(moved)
