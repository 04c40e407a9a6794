"""Serve one application on one listener."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log = logging.getLogger(__name__)

_LONGEST_HEADER = 8190


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
async def listening(app: web.Application, listen: str, grace: float = 5.0) -> AsyncIterator[None]:
    """Serve until the block ends on `HOST:PORT` or `unix:/path`.

    What is under way then has `grace` seconds to finish.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=log,
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
