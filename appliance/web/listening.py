"""Serve one application on one listener."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from appliance.web.guard import IDLE_SECONDS, LONGEST_HEAD, Guard

log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 128
_BACKLOG = 256
_SWEEP_SECONDS = 5.0
_FREEBIND = getattr(socket, "IP_FREEBIND", 15)
"""Of ip(7); Python names it since 3.12."""
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""On every answer of every door, where it does not say something else itself."""


def _not_in_their_words(record: logging.LogRecord) -> bool:
    """Name what was wrong with a request that cannot be read; its text may hold a secret."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError | web.RequestPayloadError):
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = "request not readable why=%s", (type(error).__name__,)
        record.exc_info = record.exc_text = None
    return True


log.addFilter(_not_in_their_words)


@asynccontextmanager
async def listening(
    app: web.Application,
    listen: str,
    grace: float = 5.0,
    most: int = _MOST_CONNECTIONS,
    *,
    ahead: bool = False,
) -> AsyncIterator[Guard]:
    """Serve until the block ends on `HOST:PORT` or `unix:/path`, `most` connections at once.

    What is under way then has `grace` seconds to finish. `ahead` takes an IPv4 address that this
    machine does not have yet; else it is an `OSError`, as whoever has mistyped it must hear.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=log,
        handle_signals=False,
        shutdown_timeout=grace,
        keepalive_timeout=IDLE_SECONDS,
        max_line_size=LONGEST_HEAD,
        max_field_size=LONGEST_HEAD,
    )
    app.on_response_prepare.append(_with_headers)
    guard = Guard(most)
    app.middlewares.insert(0, guard.middleware)
    await runner.setup()
    try:
        guard.serve = runner.server
        server = await (_server_ahead if ahead else _server)(guard, listen)
        if listen.startswith("unix:"):
            # The tunnel runs as somebody else, of our group; the folder keeps out all others.
            await asyncio.to_thread(Path(listen.removeprefix("unix:")).chmod, 0o660)
        sweeping = asyncio.create_task(_sweep(guard))
        try:
            yield guard
        finally:
            sweeping.cancel()
            server.close()
    finally:
        await runner.cleanup()


async def _server(guard: Guard, listen: str) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    if listen.startswith("unix:"):
        return await loop.create_unix_server(guard, listen.removeprefix("unix:"), backlog=_BACKLOG)
    host, _, port = listen.rpartition(":")
    return await loop.create_server(guard, host.strip("[]"), int(port), backlog=_BACKLOG)


async def _server_ahead(guard: Guard, listen: str) -> asyncio.Server:
    host, _, port = listen.rpartition(":")
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.IPPROTO_IP, _FREEBIND, 1)
        bound.bind((host, int(port)))
        loop = asyncio.get_running_loop()
        return await loop.create_server(guard, sock=bound, backlog=_BACKLOG)
    except BaseException:
        bound.close()
        raise


async def _sweep(guard: Guard) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        guard.sweep(asyncio.get_running_loop().time())


async def _with_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.pop("Server", None)
