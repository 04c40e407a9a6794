"""What is wrong with something an operator wrote down."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong, and where; the words hold no secret."""

    field: str
    what: str
    grave: bool = True
    """Whether it cannot work; else it is only unusual."""
