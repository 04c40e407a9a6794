"""Lends a file out by HTTP while the router fetches it: RouterOS 6 can take one in no other way."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LONGEST_REQUEST = 8192
_PATIENCE = 10.0
_GONE = b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Lender:
    """Files at addresses that nobody can guess; it listens from the first one on."""

    def __init__(self, host: str) -> None:
        """Take the address of the box that the router reaches."""
        self._host = host
        self._lent: dict[str, str] = {}
        self._server: asyncio.Server | None = None

    async def lend(self, contents: str) -> str:
        """Return the address at which this can be fetched."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self.serve, self._host, 0, limit=_LONGEST_REQUEST
            )
        path = f"/{secrets.token_hex(16)}"
        self._lent[path] = contents
        return f"http://{self._host}:{self._server.sockets[0].getsockname()[1]}{path}"

    async def close(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head.split(b" ", 2)))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    def _answer(self, words: list[bytes]) -> bytes:
        path = words[1].decode("ascii", "replace") if len(words) > 1 else ""
        contents = self._lent.get(path)
        if contents is None:
            return _GONE
        body = contents.encode()
        head = f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        return head.encode() + body


@asynccontextmanager
async def lending(host: str) -> AsyncIterator[Lender]:
    """Lend on any free port of this address until the block ends."""
    lender = Lender(host)
    try:
        yield lender
    finally:
        await lender.close()
