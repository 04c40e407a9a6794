"""What one listener puts up with: how many connections, how long and how large a request's head.

It stands between the socket and aiohttp, which limits neither. A customer on a slow network has
half a minute for a request that such a network carries in two seconds.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from aiohttp import web
from aiohttp.typedefs import Handler

log = logging.getLogger(__name__)

LONGEST_HEAD = 10 * 1024
HEAD_SECONDS = 30.0
BODY_SECONDS = 30.0
IDLE_SECONDS = 60.0
# Longer than any push may take by the settings.
REQUEST_SECONDS = 300.0
SHARE = 8
"""What one phone's browser opens at once, and more: whoever has no more is never greedy."""

_END = b"\r\n\r\n"
_TOO_SLOW = "408 Request Timeout"
_TOO_LARGE = "431 Request Header Fields Too Large"
_TOO_MANY = "503 Service Unavailable"

T = TypeVar("T")


async def in_time(reading: Awaitable[T]) -> T:
    """Return what a request's body was read as; one that drips in is 408."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await reading
    except TimeoutError:
        raise web.HTTPRequestTimeout from None


class Guard:
    """The connections of one listener; where there are too many, the longest idle one goes.

    Of the address that has the most of them. Where none is idle, the longest busy one goes of the
    address that has the most, if that is more than its share and more than the newcomer has: who
    opens thousands shuts out nobody else, and a crowd behind one address has what is left.
    """

    serve: Callable[[], asyncio.Protocol] | None = None
    """Makes aiohttp's own protocol of a connection; known only when the application is set up."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[asyncio.Protocol, _Connection] = {}
        self._by_address: Counter[str] = Counter()

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a connection that is about to be made."""
        if self.serve is None:
            raise RuntimeError("not set up yet")
        return _Connection(self, self.serve())

    def __len__(self) -> int:
        """Return how many connections are open."""
        return len(self._open)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a connection be, from a request's head to its answer."""
        connection = self._open.get(cast("asyncio.Protocol", request.protocol))
        if connection is None:
            return await handler(request)
        connection.begin()
        try:
            return await handler(request)
        finally:
            if request.content.is_eof():  # else aiohttp lingers over the rest, and may close
                connection.wait()

    def sweep(self, now: float) -> None:
        """End what has taken too long; to be called every few seconds."""
        for connection in list(self._open.values()):
            connection.look(now)

    def let_in(self, connection: "_Connection") -> bool:
        """Make room for a connection, or say that there is none."""
        if len(self._open) >= self._most and not self._evict(connection.address):
            return False
        self._open[connection.inner] = connection
        self._by_address[connection.address] += 1
        return True

    def gone(self, connection: "_Connection") -> None:
        """Forget a connection."""
        if self._open.pop(connection.inner, None) is None:
            return
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]

    def _evict(self, newcomer: str) -> bool:
        """End a connection that may go for this newcomer's, or say that none may."""
        mine = self._by_address[newcomer]
        may_go = [
            connection for connection in self._open.values() if self._may_go(connection, mine)
        ]
        if not may_go:
            return False
        worst = max(may_go, key=lambda c: (not c.busy, self._by_address[c.address], -c.since))
        self.gone(worst)
        worst.end()
        return True

    def _may_go(self, connection: "_Connection", mine: int) -> bool:
        """Say whether a connection may go for somebody who has so many already."""
        theirs = self._by_address[connection.address]
        if connection.busy:
            return theirs > max(mine, SHARE)
        return theirs >= mine or mine < SHARE


class _Connection(asyncio.Protocol):
    """One connection: it waits for a head, or is busy with what came."""

    __slots__ = ("_guard", "_head", "_tail", "_transport", "address", "busy", "inner", "since")

    def __init__(self, guard: Guard, inner: asyncio.Protocol) -> None:
        self.inner = inner
        self.address = ""
        self._guard = guard
        self._transport: asyncio.Transport | None = None
        self.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made, peer = cast("asyncio.Transport", transport), transport.get_extra_info("peername")
        self.address = str(peer[0]) if isinstance(peer, tuple) else ""
        if not self._guard.let_in(self):
            _refuse(made, _TOO_MANY)
            return
        self._transport = made
        self.inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        if not self.busy and not self._fits(data):
            log.warning("request not readable why=%s", _TOO_LARGE)
            _refuse(self._transport, _TOO_LARGE)
            return
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        if self._transport is not None:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        if self._transport is not None:
            self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        self._guard.gone(self)
        self.inner.connection_lost(exc)

    def begin(self) -> None:
        """Take note that a request is being answered."""
        self.busy, self.since = True, asyncio.get_running_loop().time()

    def wait(self) -> None:
        """Take note that the next request may come."""
        self.busy, self.since = False, asyncio.get_running_loop().time()
        self._head, self._tail = 0, b""

    def look(self, now: float) -> None:
        """End the connection where it has taken too long."""
        passed = now - self.since
        if self._transport is None:
            return
        if self.busy:
            if passed > REQUEST_SECONDS:
                self._transport.abort()
        elif self._head:
            if passed > HEAD_SECONDS:
                _refuse(self._transport, _TOO_SLOW)
        elif passed > IDLE_SECONDS:
            self.end()

    def end(self) -> None:
        """Close the connection; what it asked for is done all the same."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()  # who does not read would keep it open for ever
        else:
            self._transport.close()

    def _fits(self, data: bytes) -> bool:
        """Count what has come of a head, and say whether there is not too much of it."""
        seen = self._tail + data
        end = seen.find(_END)
        if end >= 0:
            self.begin()
            return self._head + end - len(self._tail) <= LONGEST_HEAD
        if not self._head:
            self.since = asyncio.get_running_loop().time()
        self._head += len(data)
        self._tail = seen[1 - len(_END) :]
        return self._head <= LONGEST_HEAD


def _refuse(transport: asyncio.Transport, status: str) -> None:
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 5\r\n\r\n"
    transport.write(head.encode())
    transport.close()
