"""A few lasting connections to the router's API, thrown away at the first doubt."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from librouteros.exceptions import LibRouterosError

from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router import wire
from appliance.router.patience import Patience
from appliance.router.sentences import Broken, Conversation
from appliance.router.tls import Mode, Stranger, context, recognise

_TROUBLE = (Broken, LibRouterosError, Stranger, OSError, EOFError, TimeoutError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the router's API is and who signs in. Timeout in seconds, for one command."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    timeout: float = 5.0
    tls: Mode = "off"
    fingerprint: str = ""
    """SHA-256 of the certificate where TLS is pinned, in lower-case hex."""


class Pool:
    """Lends one connection to one command at a time.

    A command that fails or times out may leave its answer in the stream, so its connection is
    closed. While the router is away, callers are refused at once between attempts, and the wait
    between attempts grows: signing in fills the router's log.
    """

    def __init__(self, address: Address, size: int = 4) -> None:
        self._address = address
        self._tls = context(address.tls)
        self._free = asyncio.Semaphore(size)
        self._idle: list[Conversation] = []
        self.patience = Patience()

    async def command(self, *words: str) -> list[wire.Row]:
        """Send one sentence and return its rows; raise `RouterRefused` or `RouterUnreachable`."""
        async with self._lent() as conversation:
            return await conversation.ask(*words)

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._address.timeout):
                    await self._idle.pop().close()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Conversation]:
        async with self._turn():
            conversation = await self._conversation()
            try:
                async with asyncio.timeout(self._address.timeout):
                    yield conversation
            except RouterRefused:
                self._idle.append(conversation)
                raise
            except _TROUBLE as error:
                conversation.hang_up()
                self._hang_up_idle()
                if isinstance(error, TimeoutError):
                    # It takes connections and answers nobody: do not queue for it.
                    self.patience.failed()
                raise RouterUnreachable(_said(error)) from error
            except BaseException:
                conversation.hang_up()
                raise
            self.patience.worked()
            self._idle.append(conversation)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a free connection, but no longer than for an answer."""
        try:
            async with asyncio.timeout(self._address.timeout):
                await self._free.acquire()
        except TimeoutError as error:
            raise RouterUnreachable("every connection is busy") from error
        try:
            yield
        finally:
            self._free.release()

    async def _conversation(self) -> Conversation:
        while self._idle:
            conversation = self._idle.pop()
            if conversation.is_usable():
                return conversation
            conversation.hang_up()
        if not self.patience.is_over():
            raise RouterUnreachable("waiting before the next attempt")
        try:
            async with asyncio.timeout(self._address.timeout):
                return await self._connect()
        except RouterRefused as error:
            self.patience.failed()
            raise RouterUnreachable(f"sign-in refused: {error}") from error
        except _TROUBLE as error:
            self.patience.failed()
            raise RouterUnreachable(_said(error)) from error

    def _hang_up_idle(self) -> None:
        while self._idle:
            self._idle.pop().hang_up()

    async def _connect(self) -> Conversation:
        """Return a conversation that has signed in; nothing is said to a stranger."""
        address = self._address
        reader, writer = await asyncio.open_connection(address.host, address.port, ssl=self._tls)
        try:
            if address.tls == "pinned":
                recognise(writer, address.fingerprint)
            conversation = Conversation(reader, writer)
            await conversation.sign_in(address.username, address.password)
        except BaseException:
            writer.transport.abort()
            raise
        return conversation


def _said(error: BaseException) -> str:
    """Return what to tell of it: what a stranger sent is not repeated."""
    plain = isinstance(error, Broken | Stranger)
    return str(error) if plain else type(error).__name__
