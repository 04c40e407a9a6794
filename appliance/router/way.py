"""How commands reach the router: by API or by SSH, the same few commands either way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from appliance.router.wire import Row

Values = Mapping[str, str | None]
"""Attributes by name; the router refuses empty values, so what is empty is not sent."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows of a menu, and what of them. The router's own idea of equal is not relied on."""

    menu: str
    """Like `ip/hotspot/user`."""
    names: tuple[str, ...]
    where: tuple[tuple[str, str], ...] = ()
    either: bool = False
    """One condition is enough."""

    @property
    def read(self) -> tuple[str, ...]:
        """Return every property that is read: what is wanted, and what is asked about."""
        return tuple(dict.fromkeys((*self.names, *(name for name, _ in self.where))))

    def of(self, rows: Iterable[Row]) -> list[Row]:
        """Return the rows that really are as asked for."""
        return [row for row in rows if self._holds(row)]

    def _holds(self, row: Row) -> bool:
        found = [_same(name, row.get(name, ""), value) for name, value in self.where]
        return any(found) if self.either else all(found)


class Way(Protocol):
    """Raises `RouterUnreachable` (unknown: look again) or `RouterRefused`."""

    async def rows(self, wanted: Wanted) -> list[Row]:
        """Return what was asked for of a menu; a property that is empty is absent."""
        ...

    async def single(self, menu: str, names: tuple[str, ...]) -> Row:
        """Return these properties of a menu that has but one row."""
        ...

    async def tell(self, menu: str, verb: str, values: Values, row_id: str | None = None) -> None:
        """Carry out a command of a menu, about one row where an id is given."""
        ...


def _same(name: str, found: str, asked: str) -> bool:
    if name == "mac-address":
        return found.upper() == asked.upper()
    return found == asked
