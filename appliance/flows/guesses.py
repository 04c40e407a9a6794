"""Codes and receipts that somebody types until one is right: a few wrong ones, then slowly."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from appliance.domain.devices import Device
from appliance.domain.errors import Invalid, TooMany
from appliance.flows.bounds import Bounds, Rate
from appliance.ports import Clock

_EACH = Rate(10, 5 * 60.0)
# Whoever changes the MAC for every guess meets this one; a code has 48 bits.
_EVERYBODY = Rate(120, 60.0)
_WRONG = frozenset({"code_unknown", "receipt_unknown"})
_MOST_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Guesses:
    """Counts wrong guesses by device; a right one costs nothing, and neither does repeating one."""

    bounds: Bounds
    _last: dict[str, int] = field(default_factory=dict, repr=False)
    """What each device guessed last: a page that waits for M-Pesa sends the same again."""

    @contextmanager
    def by(self, device: Device | None, *typed: str) -> Iterator[None]:
        """Allow one guess, or raise `TooMany`; a device that is not seen has nothing to gain."""
        field = "code" if len(typed) == 1 else "receipt"
        if device is None:
            raise Invalid("device_unknown", field)
        guess = hash(typed)
        if self._last.get(device.mac) == guess:
            yield
            return
        if seconds := self.bounds.take(device.mac):
            raise TooMany(seconds, field)
        wrong = False
        try:
            yield
        except Invalid as error:
            wrong = error.reason in _WRONG
            raise
        finally:
            if wrong:
                self._keep(device.mac, guess)
            else:
                self.bounds.give_back(device.mac)

    def _keep(self, mac: str, guess: int) -> None:
        if len(self._last) >= _MOST_KEPT:
            self._last.clear()
        self._last[mac] = guess


def guesses(clock: Clock) -> Guesses:
    """Return what counts them on this box."""
    return Guesses(Bounds(clock=clock, each=_EACH, everybody=_EVERYBODY))
