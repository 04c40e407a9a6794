"""How long to leave alone what has just failed."""

import random

_SLOWLY = 1.02


def longer(wait: float, soon: float, longest: float) -> float:
    """Return the wait after this one: it doubles until `soon`, then grows slowly to `longest`."""
    return min(wait * (2 if wait < soon else _SLOWLY), longest)


def jitter() -> float:
    """Return what a wait is multiplied with, so that a crowd spreads out."""
    return random.uniform(0.5, 1)  # noqa: S311
