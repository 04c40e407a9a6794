"""What is in the way of a set-up, in plain words."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    FAIL = "fail"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, and what mends it."""

    level: Level
    what: str
    fix: str


def fail(what: str, fix: str) -> Trouble:
    """Return what must be mended first."""
    return Trouble(Level.FAIL, what, fix)


def warn(what: str, fix: str) -> Trouble:
    """Return what a person should know."""
    return Trouble(Level.WARN, what, fix)
