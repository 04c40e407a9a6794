"""Serve one application on one listener."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

_LONGEST_HEADER = 8190


@asynccontextmanager
async def listening(app: web.Application, listen: str, grace: float = 5.0) -> AsyncIterator[None]:
    """Serve until the block ends on `HOST:PORT` or `unix:/path`.

    What is under way then has `grace` seconds to finish.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=grace,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    )
    await runner.setup()
    try:
        await _site(runner, listen).start()
        yield
    finally:
        await runner.cleanup()


def _site(runner: web.AppRunner, listen: str) -> web.BaseSite:
    if listen.startswith("unix:"):
        return web.UnixSite(runner, Path(listen.removeprefix("unix:")))
    host, _, port = listen.rpartition(":")
    return web.TCPSite(runner, host.strip("[]"), int(port), backlog=1024)
