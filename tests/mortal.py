"""Work that is done in a process of its own, and killed in the middle of it."""

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any


def dies(work: Callable[[], object]) -> bool:
    """Do the work in a fork; say whether it was killed. Call it outside the event loop."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, -signal.SIGKILL}
    return code != 0


def crossing(
    work: Callable[..., Awaitable[Any]], cross: Callable[[], None]
) -> Callable[..., Awaitable[Any]]:
    """Return the work with a boundary before and after it."""

    async def crossed(*args: Any, **more: Any) -> Any:
        cross()
        answer = await work(*args, **more)
        cross()
        return answer

    return crossed


class Countdown:
    """Kills this process with SIGKILL at the n-th crossing."""

    def __init__(self, boundary: int) -> None:
        self._left = boundary

    def cross(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
