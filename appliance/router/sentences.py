"""One conversation with the router's API: librouteros spells lengths, values stay text.

Every command carries a tag, and an answer with another tag ends the conversation: a late answer to
an older command is never taken for this one's. Nothing of it is logged, passwords least of all.
"""

import asyncio
import hashlib
from contextlib import suppress

from librouteros.protocol import decode_length, determine_length, encode_length

from appliance.domain.errors import RouterRefused
from appliance.router import wire

_LONGEST_WORD = 1 << 20
_MOST_BYTES = 64 << 20
"""In one answer, with what each word takes up besides its own bytes."""
_PER_WORD = 64


class Broken(Exception):
    """What came is no answer to what was asked: the conversation is over."""


class Conversation:
    """One connection to the API. After anything but an answer or a `RouterRefused`, hang up."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked = 0
        self._heard = 0

    async def sign_in(self, username: str, password: str) -> None:
        """Sign in; a router from before 6.43 answers with a challenge, and gets its answer.

        Sign-in goes without a tag: the oldest routers know none before it.
        """
        name = f"=name={username}"
        rows = await self._exchange(["/login", name, f"=password={password}"])
        challenge = next((row["ret"] for row in rows if "ret" in row), None)
        if challenge is not None:
            secret = b"\0" + password.encode() + bytes.fromhex(challenge)
            digest = hashlib.md5(secret, usedforsecurity=False).hexdigest()
            await self._exchange(["/login", name, f"=response=00{digest}"])

    async def ask(self, *words: str) -> list[wire.Row]:
        """Send one sentence and return its rows; raise the router's refusal."""
        self._asked += 1
        return await self._exchange(list(words), f".tag={self._asked}")

    def is_usable(self) -> bool:
        """Say whether nobody has hung up."""
        return not self._reader.at_eof() and self._reader.exception() is None

    def hang_up(self) -> None:
        """End it at once."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """End it properly."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _exchange(self, words: list[str], tag: str | None = None) -> list[wire.Row]:
        self._writer.write(_encoded([*words, *([tag] if tag else [])]))
        await self._writer.drain()
        self._heard = 0
        rows: list[wire.Row] = []
        refusals: list[str] = []
        while True:
            reply, said = await self._sentence(tag)
            found = wire.row(said)
            if reply == "!trap":
                refusals.append(found.get("message", "no reason given"))
            elif found:  # `!empty` and `!done` carry no row unless `!done` returns a value
                rows.append(found)
            if reply == "!done":
                break
        if refusals:
            raise wire.refused("; ".join(refusals))
        return rows

    async def _sentence(self, tag: str | None) -> tuple[str, list[str]]:
        words: list[str] = []
        while word := await self._word():
            words.append(word)
        if not words or words[0] not in {"!re", "!done", "!trap", "!empty"}:
            raise Broken("ended by the router" if words[:1] == ["!fatal"] else "no sentence")
        if tag is not None and tag not in words[1:]:
            raise Broken("the answer to something else")
        return words[0], words[1:]

    async def _word(self) -> str:
        first = await self._reader.readexactly(1)
        size = decode_length(first + await self._reader.readexactly(determine_length(first)))
        if size > _LONGEST_WORD:
            raise Broken("a word without an end")
        self._heard += _PER_WORD + size
        if self._heard > _MOST_BYTES:
            raise Broken("an answer without an end")
        # What is no UTF-8 is kept apart: dropping it would make two names one.
        return (await self._reader.readexactly(size)).decode("utf-8", "surrogateescape")


def _encoded(words: list[str]) -> bytes:
    try:
        raw = [word.encode("utf-8", "surrogateescape") for word in words]
    except UnicodeEncodeError:
        raise RouterRefused("a value that is no text") from None
    return b"".join(encode_length(len(word)) + word for word in raw) + b"\0"
