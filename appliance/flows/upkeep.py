"""What keeps the box in order while nobody looks."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance.ports import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Regular chores."""

    prune_webhooks: Callable[[datetime], Awaitable[int]]
    keep_webhooks: timedelta
    clock: Clock

    async def prune(self) -> None:
        """Forget webhooks that are old and owe nothing, as a shared MongoDB does by itself."""
        gone = await self.prune_webhooks(self.clock.now() - self.keep_webhooks)
        if gone:
            log.info("old webhooks removed count=%d", gone)
