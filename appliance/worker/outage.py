"""While the router is away, one debt after the other tries for all that wait."""

from collections.abc import Callable
from typing import TypeVar

from appliance.domain.waits import jitter, longer

T = TypeVar("T")

# The wait doubles until the second of these, and from there on grows slowly to the last.
_FIRST_WAIT, _SOON_WAIT, _LONGEST_WAIT = 0.25, 4.0, 30.0
_MOST_MISSED = 1000


class Outage:
    """The router's absence as one worker notices it; times are the clock's `monotonic`."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._until = 0.0
        self._wait = _FIRST_WAIT
        self._answered = 0.0
        self._missed: dict[str, float] = {}
        self._turn = -1

    @property
    def lasts(self) -> bool:
        """Say whether the router did not answer when it was last needed."""
        return self._until > 0

    @property
    def is_time_to_try(self) -> bool:
        """Say whether one more try is due."""
        return self._monotonic() >= self._until

    def one_of(self, waiting: list[T]) -> list[T]:
        """Return the one whose turn it is to try."""
        self._turn += 1
        return waiting[self._turn % len(waiting) :][:1] if waiting else []

    def missed(self, name: str) -> bool:
        """Take that this one found no router; say whether it is this one's own trouble.

        It is when others were served since it last failed; else all must wait.
        """
        now = self._monotonic()
        before, self._missed[name] = self._missed.get(name), now
        if before is not None and before < self._answered:
            return True
        if now >= self._until:
            self._wait = longer(self._wait, _SOON_WAIT, _LONGEST_WAIT)
            self._until = now + self._wait * jitter()
        return False

    def is_over(self, name: str) -> None:
        """Take that the router answered this one."""
        self._until, self._wait = 0.0, _FIRST_WAIT
        self._answered = self._monotonic()
        self._missed.pop(name, None)
        if len(self._missed) > _MOST_MISSED:
            self._missed.clear()
