"""How the router is talked to: a few verbs over whichever way leads there."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from appliance.domain.errors import ApplianceError, RouterRefused, RouterUnreachable
from provisioning.rows import FILES

Row = dict[str, str]

_CANNOT = ("no such command", "bad command name", "contents too long")
_OLD_NAMES = {"available-from": "address"}
_LOOKS = 80
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.25
_FILE_LOOKS = "=.proplist=.id,name,type,size"


class WrongAccount(ApplianceError):
    """The router takes our connection and not our name and password."""

    code = "wrong_account"


class Door(Protocol):
    """One router. Raises `RouterRefused` with its words, `RouterUnreachable` on silence."""

    async def print(self, menu: str) -> list[Row]:
        """Return every row, with `.id` where the menu has more than one."""

    async def add(self, menu: str, values: Mapping[str, str]) -> None:
        """Make a row."""

    async def set(self, menu: str, row_id: str | None, values: Mapping[str, str]) -> None:
        """Change a row; without an id, the only one."""

    async def remove(self, menu: str, row_id: str) -> None:
        """Take a row away."""

    async def upload(self, name: str, contents: str) -> None:
        """Write a file, in place of what was there."""

    async def knock(self) -> None:
        """Sign in once more, on a connection of its own."""


class Commands(Protocol):
    """What the API connection offers."""

    async def command(self, *words: str) -> list[Row]:
        """Send one sentence and return its rows."""


class Fetched(Protocol):
    """Lends a file out by HTTP, for a router that can only fetch."""

    async def lend(self, contents: str) -> str:
        """Return the address at which the router finds it."""


class Knock(Protocol):
    """Opens a connection and signs in, to see whether that still works."""

    async def __call__(self) -> None:
        """Raise `RouterUnreachable` or `RouterRefused` where it does not."""


@dataclass(frozen=True, slots=True)
class ApiDoor:
    """The verbs over the binary API: values are opaque words there."""

    api: Commands
    knocking: Knock
    lender: Fetched
    folder: str
    """Of whose files the contents are read; reading all would be slow."""

    async def print(self, menu: str) -> list[Row]:
        """Return every row of a menu; of files, the contents of ours alone."""
        if menu != FILES:
            return [_named(row) for row in await self.api.command(f"{menu}/print")]
        rows = await self.api.command(f"{FILES}/print", _FILE_LOOKS)
        return [await self._read(row) if self._is_ours(row) else row for row in rows]

    async def add(self, menu: str, values: Mapping[str, str]) -> None:
        """Make a row; what is empty is left out, as the router refuses it."""
        words = [f"={name}={value}" for name, value in values.items() if value]
        await self.api.command(f"{menu}/add", *words)

    async def set(self, menu: str, row_id: str | None, values: Mapping[str, str]) -> None:
        """Change a row."""
        which = [] if row_id is None else [f"=.id={row_id}"]
        words = [f"={name}={value}" for name, value in values.items()]
        await self.api.command(f"{menu}/set", *which, *words)

    async def remove(self, menu: str, row_id: str) -> None:
        """Take a row away."""
        await self.api.command(f"{menu}/remove", f"=.id={row_id}")

    async def upload(self, name: str, contents: str) -> None:
        """Write a file: by its contents on RouterOS 7; version 6 cannot, and fetches it from us."""
        rows = await self.api.command(f"{FILES}/print", _FILE_LOOKS, f"?name={name}")
        try:
            if rows:
                await self.set(FILES, rows[0][".id"], {"contents": contents})
            else:
                await self.api.command(f"{FILES}/add", f"=name={name}", f"=contents={contents}")
        except RouterRefused as error:
            if not any(words in str(error) for words in _CANNOT):
                raise
            url = await self.lender.lend(contents)
            await self.api.command("/tool/fetch", f"=url={url}", f"=dst-path={name}")
            await self._arrived(name, len(contents.encode()))

    async def signed_in(self) -> None:
        """See whether we are let in; raise `WrongAccount` with what to do where we are not."""
        try:
            await self.api.command("/system/identity/print")
        except (RouterRefused, RouterUnreachable) as error:
            if _is_refusal(error):
                raise WrongAccount(
                    "check router.username and router.password, or the account's `address` and "
                    "group (policy api) on the router. On a new router there is no account of the "
                    "box yet: sign in as an administrator with --admin NAME"
                ) from error
            raise

    async def knock(self) -> None:
        """Sign in once more."""
        await self.knocking()

    async def _arrived(self, name: str, size: int) -> None:
        """Wait for a file: flash is written late. What is still not there is read back as such."""
        wait = _FIRST_WAIT
        for _ in range(_LOOKS):
            rows = await self.api.command(f"{FILES}/print", _FILE_LOOKS, f"?name={name}")
            if rows and rows[0].get("size") == str(size):
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    def _is_ours(self, row: Row) -> bool:
        name, folder = row.get("name", ""), self.folder
        return name.startswith((f"{folder}/", f"flash/{folder}/"))

    async def _read(self, row: Row) -> Row:
        query = f"?name={row['name']}"
        found = await self.api.command(f"{FILES}/print", "=.proplist=contents", query)
        return {**row, **(found[0] if found else {})}


def _named(row: Row) -> Row:
    """Return a row with the names that every version takes: 7.24 shows a service's by a new one."""
    return {_OLD_NAMES.get(name, name): value for name, value in row.items()}


def _is_refusal(error: BaseException) -> bool:
    """Say whether this began with the router's no to a name and a password."""
    said, cause = str(error), error.__cause__
    words = ("invalid user name or password", "cannot log in", "TrapError")
    return any(word in said for word in words) or (cause is not None and _is_refusal(cause))
