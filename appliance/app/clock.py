"""The machine's clock, and how far it can be believed: a small box has no battery for it.

Such a box starts in 1970, or where it was switched off, until a time server has answered. What it
sells meanwhile is dated as well as it can be, and nothing expires.
"""

import asyncio
import ctypes
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from appliance.domain.clock import whole_milliseconds

# Between two readings the date and the seconds since start may part by no more than this.
_JUMP = 30.0
# A mark that was set before a jump says nothing of the time after it, until this much later.
_SETTLE = 120.0
_SYNCHRONIZED = Path("/run/systemd/timesync/synchronized")
_TIME_ERROR = 5
"""What adjtimex(2) returns while the kernel's clock is not synchronised."""
_TIMEX_BYTES = 256
"""More than a `struct timex` of any architecture; all zeros only asks."""


class Evidence(Protocol):
    """Whether a time server was heard; asked outside the event loop."""

    def __call__(self, *, jumped: bool) -> bool:
        """Say so; after a jump, of the time since."""
        ...


class SystemClock:
    """The machine's clock; `look` at the evidence now and then, reading it costs nothing."""

    def __init__(
        self,
        *,
        always: bool = False,
        synchronised: Evidence | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the time as certain from the start where `always`: somebody else looks after it."""
        self._wall, self._monotonic = wall, monotonic
        self._synchronised = synchronised or kernel_or_timesyncd
        self._always = always
        self._sure = always
        self._last = (wall(), monotonic())
        self._jumped_at: float | None = None
        self._floor: datetime | None = None
        self._floor_at = 0.0

    def now(self) -> datetime:
        """Return the time as every store keeps it, never earlier than what was stored before.

        A date that was certain and is set back goes on by the seconds since start, until a time
        server is heard.
        """
        self._notice_jump()
        now = datetime.fromtimestamp(self._wall(), UTC)
        floor = self._least()
        return whole_milliseconds(now if floor is None or floor <= now else floor)

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return self._monotonic()

    def certain(self) -> datetime | None:
        """Return the time where it is beyond doubt."""
        self._notice_jump()
        floor, now = self._least(), datetime.fromtimestamp(self._wall(), UTC)
        behind = floor is not None and now < floor - timedelta(seconds=_JUMP)
        return whole_milliseconds(now) if self._sure and not behind else None

    def not_before(self, stored: datetime) -> None:
        """Take the newest time in the database: it has been later than this already."""
        if self._floor is None or stored > self._floor:
            self._floor, self._floor_at = stored, self._monotonic()

    async def look(self) -> None:
        """Look whether a time server has been heard."""
        self._notice_jump()
        jumped = self._jumped_at
        heard = await asyncio.to_thread(self._synchronised, jumped=jumped is not None)
        self._notice_jump()
        if self._jumped_at != jumped:
            return  # what was heard is of the time before
        if heard:
            self._floor = None  # a box whose clock was ahead has stored what never was
        settled = jumped is None or self._monotonic() - jumped > _SETTLE
        self._sure = settled and (self._sure or self._always or heard)

    def _notice_jump(self) -> None:
        wall, since_start = self._wall(), self._monotonic()
        expected = self._last[0] + since_start - self._last[1]
        self._last = (wall, since_start)
        if abs(wall - expected) > _JUMP:
            if wall < expected and self._sure and not self._always:
                self.not_before(datetime.fromtimestamp(expected, UTC))
            self._jumped_at = since_start
            self._sure = False

    def _least(self) -> datetime | None:
        if self._floor is None:
            return None
        return self._floor + timedelta(seconds=self._monotonic() - self._floor_at)


def kernel_or_timesyncd(*, jumped: bool) -> bool:
    """Say whether the kernel's clock follows a time server, or systemd's client has heard one.

    Whoever sets the date by hand makes the kernel forget, but not systemd's mark: after a jump the
    mark counts only where the kernel may not be asked.
    """
    follows = _kernel_follows()
    return bool(follows) or (_SYNCHRONIZED.exists() and not (jumped and follows is False))


def _kernel_follows() -> bool | None:
    """Ask the kernel; None where it does not answer, as in a unit that may not touch the clock."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        state: int = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (AttributeError, OSError):
        return None
    return None if state < 0 else state != _TIME_ERROR
