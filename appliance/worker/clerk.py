"""Keeps the books when no gate is being opened."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from appliance.domain.errors import ApplianceError
from appliance.ports import Beat, Watched
from appliance.worker.rounds import is_stopping, next_of

log = logging.getLogger(__name__)

_CLERKS = 3
# Beyond this many errands the books come first again: nothing may pile up without end.
_PILE = 200
_LONGEST_GIVING_WAY = 1.0
_LONGEST_ERRAND = 60.0


class Clerk:
    """Does errands; in a long rush, at a slower pace.

    An errand that is lost with the process, or fails, leaves a debt in the store that falls due.
    """

    def __init__(self, name: str, idle: Callable[[], Awaitable[None]]) -> None:
        self._name = name
        self._idle = idle
        self._errands: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()

    def later(self, errand: Callable[[], Awaitable[object]]) -> None:
        """Do this after the gates that are waiting."""
        self._errands.put_nowait(errand)

    async def run(self, watched: Watched) -> None:
        """Do errands for ever."""
        async with asyncio.TaskGroup() as group:
            for number in range(_CLERKS):
                name = f"{self._name} {number}"
                group.create_task(self._work(watched(name)), name=name)

    async def _work(self, beat: Beat) -> None:
        while True:
            beat()
            errand = await next_of(self._errands)
            if errand is not None:
                await self._give_way()
                await self._do(errand)

    async def _give_way(self) -> None:
        if self._errands.qsize() < _PILE:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LONGEST_GIVING_WAY):
                    await self._idle()

    async def _do(self, errand: Callable[[], Awaitable[object]]) -> None:
        try:
            async with asyncio.timeout(_LONGEST_ERRAND):
                await errand()
        except ApplianceError as error:
            log.warning("bookkeeping is left to its debt code=%s", error.code)
        except TimeoutError:
            log.warning("bookkeeping took too long and is left to its debt")
        except asyncio.CancelledError:
            if is_stopping():
                raise
            log.exception("bookkeeping broke off, this is a bug")
        except Exception:
            log.exception("bookkeeping failed, this is a bug")
