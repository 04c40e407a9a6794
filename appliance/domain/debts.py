"""What a stored document still owes, written in the same write as the state that causes it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

# Long enough for a slow router, short enough that a killed process is made good within a minute.
LEASE = timedelta(seconds=40)
LONGEST_PUT_OFF = timedelta(hours=1)
"""No try that failed puts the next one off for longer: a later version may know what to do."""


class Kind(StrEnum):
    """The debts there are."""

    SETTLE = "settle"
    """A stored callback waits to be believed or not."""
    ASK = "ask"
    """A push without an outcome: Safaricom must be asked."""
    CONCLUDE = "conclude"
    """A payment's outcome must reach its voucher and its initiation."""
    GRANT = "grant"
    """A paid voucher's device must be let through the router."""
    END = "end"
    """A voucher's time runs out: whoever is in with it must be cut off."""
    SEND = "send"
    """A message must reach its phone."""


@dataclass(frozen=True, slots=True)
class Owed:
    """One debt; nobody takes it before `at`, and a lease moves `at` ahead of everyone else."""

    kind: Kind
    at: datetime
    lease_until: datetime | None = None
    attempts: int = 0
    last_error: str | None = None
    since: datetime | None = None
    """When it came about, where those who wait for one thing are served in that order."""
    parked_at: datetime | None = None
    """Since when nobody can pay it as it stands: a person should look."""

    def __post_init__(self) -> None:
        """Refuse what a database may hold and no worker could reckon with."""
        for time in (self.at, self.lease_until, self.since, self.parked_at):
            if time is not None and not isinstance(time, datetime):
                raise TypeError("a debt's time is no time")
        if not isinstance(self.attempts, int):
            raise TypeError("a debt's attempts are no number")

    def leased(self, now: datetime) -> "Owed":
        """Return the debt as taken by one worker; a dead worker's lease runs out by itself."""
        until = now + LEASE
        return replace(self, at=until, lease_until=until, attempts=self.attempts + 1)

    def put_off(self, lease: datetime | None, until: datetime, error: str) -> "Owed":
        """Return the debt waiting until `until`, with the reason an operator can read.

        Only the holder of the lease may: a debt that somebody else took meanwhile stays theirs.
        """
        if self.lease_until != lease:
            return self
        return replace(self, at=until, lease_until=None, last_error=error[:200], parked_at=None)

    def parked(self, lease: datetime | None, now: datetime, error: str) -> "Owed":
        """Return the debt put aside for a person to look at; only the lease's holder may."""
        aside = self.put_off(lease, now + LONGEST_PUT_OFF, error)
        return aside if aside is self else replace(aside, parked_at=self.parked_at or now)

    def brought_back(self, now: datetime, latest: datetime) -> "Owed":
        """Return the debt as due now where it lies after `latest`: nobody means it to wait so."""
        if self.at <= latest:
            return self
        since = None if self.since is None else min(self.since, now)
        return replace(self, at=now, lease_until=None, since=since)


def owing(kind: Kind, now: datetime) -> Owed:
    """Return a debt born leased to its maker, who pays it at once; a crash lets it fall due."""
    return Owed(kind, now, since=now).leased(now)
