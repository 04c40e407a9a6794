"""What the pretend Safaricom does in its own time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Errands:
    """Work that nobody waits for, and that ends with the block that opened it."""

    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Do the work beside everything else."""
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._finished)

    async def stop(self) -> None:
        """Cancel what is under way and return when all of it is gone."""
        remaining = list(self._under_way)
        for task in remaining:
            task.cancel()
        await asyncio.gather(*remaining, return_exceptions=True)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            log.error("an errand failed, this is a bug", exc_info=bug)


@asynccontextmanager
async def errands() -> AsyncIterator[Errands]:
    """Run errands until the block ends."""
    opened = Errands()
    try:
        yield opened
    finally:
        await opened.stop()
