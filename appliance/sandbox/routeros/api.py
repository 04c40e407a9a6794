"""The binary API on a socket: sign in, then one command after another, each with its tag."""

import asyncio
import hashlib
import hmac
import secrets
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress

from appliance.sandbox.routeros import sentences, traps
from appliance.sandbox.routeros.accounts import Account
from appliance.sandbox.routeros.actions import Answer, Request
from appliance.sandbox.routeros.device import Device

_LATE_SECONDS = 30
_RUBBISH = b"\xf9\x00rubbish\xff\xff"


class Cut(Exception):
    """The connection ends here, without another word."""


class ApiSession:
    """One client on one connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        device: Device,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._device = device
        self._faults = device.faults
        self._account: Account | None = None
        self._challenge = b""

    async def serve(self) -> None:
        """Answer until somebody hangs up."""
        try:
            while True:
                await self._obey(await sentences.read_sentence(self._reader))
        except (EOFError, sentences.BrokenStream, ConnectionError, Cut):
            if self._account is not None:
                self._device.log.account(self._account.name, self._peer(), "api", "out")

    def abort(self) -> None:
        """Reset the connection, as a router that went away does."""
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _obey(self, words: list[str]) -> None:
        command, tag = words[0], _tag(words)
        if self._faults.menu.hang:
            await asyncio.Event().wait()
        if self._faults.menu.half_close:
            self._writer.write_eof()
            return
        if self._faults.menu.rubbish:
            self._writer.write(_RUBBISH)
            return
        if self._faults.once("cut_before_command", command):
            self._cut()
        late = self._faults.once("late_answer", command)
        replies = self._replies(command, words[1:])
        await asyncio.sleep(_LATE_SECONDS if late else self._faults.latency)
        if self._faults.once("cut_after_command", command):
            self._cut()
        for reply in replies:
            self._writer.write(sentences.encoded(reply + tag))
        await self._writer.drain()
        if replies[-1][0] == "!fatal":
            self._writer.close()
            raise Cut

    def _cut(self) -> None:
        self.abort()
        raise Cut

    def _replies(self, command: str, words: list[str]) -> list[list[str]]:
        """Return the sentences that answer this one."""
        try:
            if command == "/login":
                return self._login(_attributes(words))
            if self._account is None:
                return [["!fatal", "not logged in"]]
            if command == "/quit":
                return [["!fatal", "session terminated on request"]]
            if command == "/cancel":
                return [["!done"]]
            answer = self._answer(command, words, self._account)
            return _sentences(answer, empty=self._device.version.at_least(7, 18))
        except traps.Trap as trap:
            return [_trap(trap), ["!done"]]

    def _login(self, given: Mapping[str, str]) -> list[list[str]]:
        if self._device.faults.menu.old_login:
            return self._old_login(given)
        name, password = given.get("name", ""), given.get("password", "")
        account = self._device.accounts.with_password(name, password, self._peer())
        return self._signed_in(account, traps.bad_login())

    def _old_login(self, given: Mapping[str, str]) -> list[list[str]]:
        """Give a challenge, or take the answer to the one that was given."""
        if "response" not in given:
            self._challenge = secrets.token_bytes(16)
            return [["!done", f"=ret={self._challenge.hex()}"]]
        challenge, self._challenge = self._challenge, b""

        def knows(password: str) -> bool:
            digest = hashlib.md5(b"\0" + _bytes(password) + challenge, usedforsecurity=False)
            right = f"00{digest.hexdigest()}"
            return bool(challenge) and hmac.compare_digest(
                _bytes(given["response"]), right.encode()
            )

        account = self._device.accounts.proved(given.get("name", ""), knows, self._peer())
        return self._signed_in(account, traps.Trap("cannot log in"))

    def _signed_in(self, account: Account | None, refusal: traps.Trap) -> list[list[str]]:
        if account is None or "api" not in account.policies:
            raise refusal
        self._account = account
        self._device.log.account(account.name, self._peer(), "api", "in")
        return [["!done"]]

    def _peer(self) -> str:
        address: str = self._writer.get_extra_info("peername")[0]
        return address

    def _answer(self, command: str, words: list[str], account: Account) -> Answer:
        path, _, name = command.rpartition("/")
        queries = tuple(word[1:] for word in words if word.startswith("?"))
        request = Request(_attributes(words), queries, account.policies)
        return self._device.perform(path, name, request)


def _attributes(words: list[str]) -> dict[str, str]:
    pairs = (word[1:].partition("=") for word in words if word.startswith("="))
    return {name: value for name, _, value in pairs}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _tag(words: list[str]) -> list[str]:
    return [word for word in words[1:] if word.startswith(".tag=")][-1:]


def _sentences(answer: Answer, *, empty: bool) -> list[list[str]]:
    rows = [["!re", *(f"={name}={value}" for name, value in row.items())] for row in answer.rows]
    if empty and answer.printed and not rows:
        rows = [["!empty"]]
    done = ["!done"] if answer.ret is None else ["!done", f"=ret={answer.ret}"]
    return [*rows, done]


def _trap(trap: traps.Trap) -> list[str]:
    category = [] if trap.category is None else [f"=category={trap.category}"]
    return ["!trap", *category, f"=message={trap.message}"]
