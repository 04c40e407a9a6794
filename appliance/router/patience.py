"""How long to leave alone what has just failed."""

import asyncio

from appliance.domain.waits import jitter, longer

FIRST_WAIT = 0.5
SOON = 8.0
LONGEST_WAIT = 30.0


class Patience:
    """The wait before the next attempt: it grows with each failure, and differs from box to box.

    It doubles until `SOON`; in an outage that lasts it goes on growing, but slowly. Times are the
    event loop's, in seconds.
    """

    def __init__(self) -> None:
        self._longest = FIRST_WAIT
        self.until = 0.0

    def failed(self) -> None:
        """Wait, and after every failure in a row longer."""
        self.until = asyncio.get_running_loop().time() + self._longest * jitter()
        self._longest = longer(self._longest, SOON, LONGEST_WAIT)

    def worked(self) -> None:
        """Start again from the shortest wait."""
        self._longest = FIRST_WAIT

    def is_over(self) -> bool:
        """Say whether the next attempt may be made."""
        return asyncio.get_running_loop().time() >= self.until
