"""The hotspot through the router's console over SSH, for when the API is out."""

import secrets

from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router import console, wire
from appliance.router.hotspot import Hotspot
from appliance.router.line import Line
from appliance.router.way import Values, Wanted


class RouterSsh(Hotspot):
    """The hotspot by SSH."""

    def __init__(self, line: Line) -> None:
        super().__init__(SshWay(line), "ssh")


class SshWay:
    """Commands as the console takes them, each proved by a number of its own."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def rows(self, wanted: Wanted) -> list[wire.Row]:
        """Return what was asked for of a menu."""
        nonce = _nonce()
        try:
            command = console.listing(nonce, wanted)
        except ValueError:
            return []  # nothing there can have such a value
        return console.rows(nonce, wanted.read, await self._proved(nonce, command))

    async def single(self, menu: str, names: tuple[str, ...]) -> wire.Row:
        """Return these properties of a menu that has but one row."""
        nonce = _nonce()
        printed = await self._proved(nonce, console.single(nonce, menu, names))
        found = console.rows(nonce, names, printed)
        return found[0] if found else {}

    async def tell(self, menu: str, verb: str, values: Values, row_id: str | None = None) -> None:
        """Carry out a command of a menu."""
        try:
            command = console.telling(menu, verb, values, row_id)
        except ValueError as error:
            raise RouterRefused(f"nothing that the console takes: {error}") from None
        if await self._proved(_nonce(), command):  # it may be done, or half done
            raise RouterUnreachable("the console printed what it was not asked for")

    async def _proved(self, nonce: str, command: str) -> str:
        said, complete = await self._line.run(console.proving(nonce, command))
        return console.proved(nonce, said, complete=complete)


def _nonce() -> str:
    return secrets.token_hex(8)
