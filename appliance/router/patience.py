"""How long to leave alone what has just failed."""

import asyncio
import random

FIRST_WAIT = 0.25
LONGEST_WAIT = 8.0


class Patience:
    """The wait before the next attempt: it grows with each failure, and differs from box to box.

    Times are the event loop's, in seconds.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.until = 0.0

    def failed(self) -> None:
        """Wait, and after every failure in a row longer."""
        self.failures = min(self.failures + 1, 10)
        longest = min(FIRST_WAIT * 2**self.failures, LONGEST_WAIT)
        wait = random.uniform(longest / 2, longest)  # noqa: S311 # jitter
        self.until = asyncio.get_running_loop().time() + wait

    def worked(self) -> None:
        """Start again from the shortest wait."""
        self.failures = 0

    def is_over(self) -> bool:
        """Say whether the next attempt may be made."""
        return asyncio.get_running_loop().time() >= self.until
