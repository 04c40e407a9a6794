"""A few lasting connections to the router's API, thrown away at the first doubt."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from librouteros import async_connect
from librouteros.api import AsyncApi
from librouteros.exceptions import LibRouterosError

from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router import wire

# librouteros raises the last three on answers that it cannot take apart.
_TROUBLE = (LibRouterosError, OSError, TimeoutError, ValueError, IndexError, TypeError)
_FIRST_WAIT = 0.25
_LONGEST_WAIT = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the router's API is and who signs in. Timeout in seconds, for one command."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    timeout: float = 5.0


class Pool:
    """Lends one connection to one command at a time.

    A command that fails or times out may leave its answer in the stream, so its connection is
    closed. While the router is away, callers are refused at once between attempts, and the wait
    between attempts grows: signing in fills the router's log.
    """

    def __init__(self, address: Address, size: int = 4) -> None:
        self._address = address
        self._free = asyncio.Semaphore(size)
        self._idle: list[AsyncApi] = []
        self._failures = 0
        self._closed_until = 0.0

    async def command(self, *words: str) -> list[wire.Row]:
        """Send one sentence and return its rows; raise `RouterRefused` or `RouterUnreachable`."""
        async with self._lent() as api:
            await api.protocol.writeSentence(*words)
            return await _rows(api)

    async def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            await _close(self._idle.pop())

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[AsyncApi]:
        async with self._turn():
            api = await self._connection()
            try:
                async with asyncio.timeout(self._address.timeout):
                    yield api
            except RouterRefused:
                self._idle.append(api)
                raise
            except _TROUBLE as error:
                await _close(api)
                await self.close()
                if isinstance(error, TimeoutError):
                    self._failed()  # it takes connections and answers nobody: do not queue for it
                raise RouterUnreachable(type(error).__name__) from error
            except BaseException:
                await _close(api)
                raise
            self._failures = 0
            self._idle.append(api)

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

    async def _connection(self) -> AsyncApi:
        while self._idle:
            api = self._idle.pop()
            reader = api.protocol.transport.reader
            if not reader.at_eof() and reader.exception() is None:
                return api
            await _close(api)
        if asyncio.get_running_loop().time() < self._closed_until:
            raise RouterUnreachable("waiting before the next attempt")
        try:
            return await self._connect()
        except _TROUBLE as error:
            self._failed()
            raise RouterUnreachable(type(error).__name__) from error

    def _failed(self) -> None:
        self._failures = min(self._failures + 1, 10)
        longest = min(_FIRST_WAIT * 2**self._failures, _LONGEST_WAIT)
        wait = random.uniform(longest / 2, longest)  # noqa: S311 # jitter
        self._closed_until = asyncio.get_running_loop().time() + wait

    async def _connect(self) -> AsyncApi:
        address = self._address
        async with asyncio.timeout(address.timeout):
            api: AsyncApi = await async_connect(
                address.host,
                address.username,
                address.password,
                port=address.port,
                timeout=address.timeout,
                encoding="utf-8",
            )
        return api


async def _rows(api: AsyncApi) -> list[wire.Row]:
    """Read one whole answer; `!empty` and `!done` carry no row unless `!done` returns a value."""
    rows: list[wire.Row] = []
    traps: list[str] = []
    while True:
        reply, words = await api.protocol.readSentence()
        found = wire.row(words)
        if reply == "!trap":
            traps.append(found.get("message", "no reason given"))
        elif found:
            rows.append(found)
        if reply == "!done":
            break
    if traps:
        raise wire.refusal("; ".join(traps))
    return rows


async def _close(api: AsyncApi) -> None:
    with suppress(LibRouterosError, OSError, TimeoutError):
        await api.close()
