"""What differs between the RouterOS versions that the router may pretend to run."""

from dataclasses import dataclass
from typing import Literal

Name = Literal["6.49", "7.15", "7.21"]
NAMES: tuple[Name, ...] = ("6.49", "7.15", "7.21")
NEWEST: Name = "7.21"

_FULL = {"6.49": "6.49.18 (long-term)", "7.15": "7.15.3 (stable)", "7.21": "7.21.4 (stable)"}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Version:
    """One version, and what it can."""

    name: Name = NEWEST

    @property
    def full(self) -> str:
        """Return it as `/system/resource` shows it."""
        return _FULL[self.name]

    @property
    def number(self) -> str:
        """Return it without its channel, as `/system/package` shows it."""
        return self.full.partition(" ")[0]

    @property
    def seven(self) -> bool:
        """Say whether this is version 7: slashes in paths, other menus, one package."""
        return self.at_least(7)

    def at_least(self, major: int, minor: int = 0) -> bool:
        """Say whether this version is that one or newer."""
        return tuple(int(part) for part in self.name.split(".")) >= (major, minor)

    def date(self, year: int, month: int, day: int) -> str:
        """Return a date as this version writes it; the form changed in 7.10."""
        if self.at_least(7, 10):
            return f"{year:04}-{month:02}-{day:02}"
        return f"{_MONTHS[month - 1]}/{day:02}/{year:04}"
