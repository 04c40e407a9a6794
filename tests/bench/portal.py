"""The portal's home page per second, against a bare aiohttp handler that sends the same bytes."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from appliance.domain import ids
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.sandbox.neighbours import neighbours
from appliance.store.open import opened
from appliance.store.seed import seed
from provisioning.pages import render_pages
from tests.bench.daemon import Daemon
from tests.servers import free_port

_CONNECTIONS = 16
_SECONDS = 3.0
_ROUNDS = 3


async def measure(mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return both rates, taken in turns, and their ratio."""
    ports = Ports(**{name: free_port() for name in Ports.__dataclass_fields__})
    settings, seeds = config.write(folder, ports, mongodb)
    database = f"bench_{ids.new_id()}"
    async with opened(uri=mongodb, database=database, data_dir=folder) as store:
        await seed(store, seeds)
    async with neighbours(ports, render_pages("http://127.0.0.1")) as near:
        near.router.hotspot.join("127.0.0.1")
        async with Daemon(settings, database):
            page, size = await _page_size(ports.portal)
            bare_port = free_port()
            bare = await _bare(bare_port, size)
            try:
                await asyncio.sleep(0.5)
                ours, limit = 0.0, 0.0
                for _ in range(_ROUNDS):
                    ours = max(ours, await _rate(ports.portal, page))
                    limit = max(limit, await _rate(bare_port, page))
            finally:
                bare.terminate()
                await bare.wait()
    return {
        "page_bytes": size,
        "requests_per_s": round(ours),
        "bare_requests_per_s": round(limit),
        "ratio": round(ours / limit, 2),
    }


async def _bare(port: int, size: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _BARE,
        env={**os.environ, "PORT": str(port), "SIZE": str(size)},
    )


_BARE = """
import os
from aiohttp import web
PAGE = "x" * int(os.environ["SIZE"])
async def page(request):
    return web.Response(text=PAGE, content_type="text/html")
app = web.Application()
app.router.add_get("/", page)
port = int(os.environ["PORT"])
web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)
"""


async def _page_size(port: int) -> tuple[bytes, int]:
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    size = await _answer(reader)
    writer.close()
    await writer.wait_closed()
    return request, size


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head[:100]
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return length


async def _rate(port: int, request: bytes) -> float:
    """Return answers per second over a few lasting connections."""
    until = time.perf_counter() + _SECONDS

    async def visitor() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        seen = 0
        while time.perf_counter() < until:
            writer.write(request)
            await _answer(reader)
            seen += 1
        writer.close()
        await writer.wait_closed()
        return seen

    return sum(await asyncio.gather(*(visitor() for _ in range(_CONNECTIONS)))) / _SECONDS
