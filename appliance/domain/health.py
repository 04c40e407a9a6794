"""How the router is, in what it says of itself, and what of that an operator must hear."""

from dataclasses import dataclass

_NEARLY = 0.9
_SLOW_SECONDS = 2.0
_DEVICES = {1: 1, 3: 1, 4: 200, 5: 500}
"""How many may be online, by licence level; the other levels set no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterHealth:
    """One look at the router; None is what it does not say."""

    way: str
    """How it was asked: `api` or `ssh`."""
    seconds: float
    """From a short question to its answer."""
    version: str
    identity: str = ""
    """The name that it has itself; empty where it does not say."""
    online: int
    """Devices that are in."""
    licence: int | None = None
    """Its level."""
    api_sessions: int | None = None
    most_api_sessions: int | None = None
    silent: tuple[str, ...] = ()
    """Each way that does not answer, and why."""

    @property
    def most_online(self) -> int | None:
        """Return how many devices its licence lets in; None for any number."""
        return None if self.licence is None else _DEVICES.get(self.licence)

    def alarms(self) -> list[str]:
        """Return what an operator must hear, in plain words."""
        return [*(f"one way to the router is out, {why}" for why in self.silent), *self.crowded()]

    def crowded(self) -> list[str]:
        """Return what of that comes of too many customers, or of too small a router."""
        found = []
        if _nearly(self.online, self.most_online):
            found.append(f"{self.online} devices online, the licence allows {self.most_online}")
        if _nearly(self.api_sessions, self.most_api_sessions):
            found.append(
                f"{self.api_sessions} API sessions open, the router allows {self.most_api_sessions}"
            )
        if self.seconds > _SLOW_SECONDS:
            found.append(f"the router takes {self.seconds:.1f} s for an answer")
        return found


def _nearly(count: int | None, most: int | None) -> bool:
    return count is not None and most is not None and count >= most * _NEARLY
