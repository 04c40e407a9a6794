"""What the judge is told, and what he says."""

from dataclasses import dataclass

from tests.chaos.documents import Documents
from tests.chaos.record import Record, Stay


@dataclass(frozen=True)
class Violation:
    """A promise of this number is broken; or not kept yet, where it `waits`."""

    promise: int
    text: str
    waits: bool = False


@dataclass(frozen=True)
class Case:
    """All that is known of one run."""

    record: Record
    documents: Documents
    now: float
    """By the router."""
    stays: list[Stay]
    online: dict[str, tuple[str, float | None]]
    """Who is in now, by MAC: the user, and when the router ends it."""
    transactions: list[tuple[str, str]]
    """Pushes that Safaricom accepted: account and name."""
    merchant: str
    """The short code that this box sells through."""
    pulls: bool
    log: str
    secrets: dict[str, str]
    """Texts that may not be in the log, with what each is."""
