"""How often somebody may do something, and how often everybody together."""

from dataclasses import dataclass, field

from appliance.ports import Clock

_TIDY_AT = 1024


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and again so many spread over every `seconds`."""

    most: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Lets through what keeps to both rates; in memory, so a restart forgets."""

    clock: Clock
    each: Rate
    everybody: Rate
    _full_again: dict[str, float] = field(default_factory=dict, repr=False)
    """When each name may do all of it at once again; what lies in the past says nothing."""

    def take(self, name: str) -> float:
        """Return 0.0 and count one more, or the seconds to wait: then nothing is counted."""
        now, found = self.clock.monotonic(), dict[str, float]()
        for whose, rate in ((f"each {name}", self.each), ("everybody", self.everybody)):
            full_again = max(self._full_again.get(whose, now), now) + rate.seconds / rate.most
            wait = full_again - now - rate.seconds
            if wait > rate.seconds * 1e-6:
                return wait
            found[whose] = full_again
        self._full_again.update(found)
        self._tidy(now)
        return 0.0

    def give_back(self, name: str) -> None:
        """Take one back that turned out not to count."""
        for whose, rate in ((f"each {name}", self.each), ("everybody", self.everybody)):
            if whose in self._full_again:
                self._full_again[whose] -= rate.seconds / rate.most

    def _tidy(self, now: float) -> None:
        """Forget names that say nothing any more: everybody's rate bounds how many are left."""
        if len(self._full_again) > _TIDY_AT:
            for name in [name for name, until in self._full_again.items() if until <= now]:
                del self._full_again[name]
