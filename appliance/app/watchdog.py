"""Stops a box that hangs, so that it is started anew; whatever it owes is found again then.

Only what the box must do by itself counts. That the router, M-Pesa or a shared database are away
is no reason to start again: every loop comes round without them.
"""

import asyncio
import faulthandler
import logging
import os
import sys
import time
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

from appliance.app.notify import Supervisor
from appliance.ports import Beat

log = logging.getLogger(__name__)

# The longest that any loop may be busy with one thing, its database slow, is well below.
_LATE = 90.0
# Where nobody kills us by then, we end by ourselves.
_STUCK = 180.0
_LOOK_EVERY = 10.0


class Watchdog:
    """Knows when each loop last came round, and tells the supervisor while all of them do."""

    def __init__(
        self, supervisor: Supervisor, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._supervisor = supervisor
        self._monotonic = monotonic
        self._came_round: dict[str, float] = {}
        self._late: tuple[str, ...] = ()
        self.lag = 0.0
        """Seconds by which the latest look came late: so long was the event loop busy."""

    def loop(self, name: str) -> Beat:
        """Watch the loop of this name; return what it calls whenever it comes round."""

        def beat() -> None:
            self._came_round[name] = self._monotonic()

        beat()
        return beat

    def late(self) -> tuple[str, ...]:
        """Return the loops that have not come round for too long."""
        return self._not_since(self._monotonic() - _LATE)

    async def run(self) -> None:
        """Look for ever; a loop that is stuck ends the process, and so does a blocked event loop.

        The event loop's own hanging is noticed by a thread that each look puts off.
        """
        patience = self._supervisor.watchdog_seconds
        every = _LOOK_EVERY if patience is None else min(_LOOK_EVERY, patience / 2)
        while True:
            faulthandler.dump_traceback_later(_STUCK, exit=True)
            self.look()
            due = self._monotonic() + every
            await asyncio.sleep(every)
            self.lag = max(0.0, self._monotonic() - due)

    def look(self) -> None:
        """Tell the supervisor that all is well, or the journal what is not."""
        late = self.late()
        if late != self._late:
            self._late = late
            for line in _stacks(late):
                log.critical("%s", line)
            self._supervisor.status(f"stuck: {', '.join(late)}" if late else "serving")
        if not late:
            self._supervisor.alive()
        elif self._not_since(self._monotonic() - _STUCK):
            log.critical("ended, to be started anew: a loop is stuck")
            sys.stderr.flush()
            os._exit(1)  # what hangs would hang the orderly end too

    def _not_since(self, moment: float) -> tuple[str, ...]:
        return tuple(sorted(name for name, at in self._came_round.items() if at < moment))


def _stacks(names: tuple[str, ...]) -> list[str]:
    """Return where the tasks of these loops are."""
    tasks = {task.get_name(): task for task in asyncio.all_tasks()}
    lines = []
    for name in names:
        lines.append(f"loop does not come round: {name}")
        if name not in tasks:
            lines.append("  its task is gone")
            continue
        lines += [f"  {frame}" for frame in _frames(tasks[name].get_coro())]
    return lines


def _frames(waits: Any) -> list[str]:
    """Return the calls that a suspended task is in, the outermost first."""
    found = []
    while waits is not None:
        frame: FrameType | None = getattr(waits, "cr_frame", None) or getattr(
            waits, "ag_frame", None
        )
        if frame is not None:
            code: CodeType = frame.f_code
            found.append(f"{code.co_filename}:{frame.f_lineno} {code.co_qualname}")
        waits = getattr(waits, "cr_await", None) or getattr(waits, "ag_await", None)
    return found
