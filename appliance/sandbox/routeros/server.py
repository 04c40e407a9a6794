"""The pretend router: its API and its hotspot on sockets, until the block ends."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from appliance.sandbox.addresses import HOST
from appliance.sandbox.routeros.api import Account, ApiSession
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.versions import NEWEST
from appliance.sandbox.routeros.versions import Name as VersionName
from appliance.sandbox.routeros.web import HotspotWeb

_ACCOUNTS = (
    Account("appliance", "sandbox"),
    Account("reader", "sandbox", frozenset({"read", "api"})),
)
_MOST_SESSIONS = 20
"""`max-sessions` of the API service: a client that leaks connections runs into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterOptions:
    """Where it listens (port 0: any), how slow it is in seconds, and its hotspot's pages."""

    host: str = HOST
    api_port: int = 8728
    web_port: int = 8091
    latency: float = 0.0
    pages: Mapping[str, str] = field(default_factory=dict)
    name: str = "MikroTik"
    version: VersionName = NEWEST


class PretendRouter:
    """A running router."""

    def __init__(self, options: RouterOptions) -> None:
        self.faults = Faults(options.latency)
        self.device = Device(self.faults, options.name, options.version)
        self.clock = self.device.clock
        self.hotspot = self.device.hotspot
        self.api_port = 0
        self.web_port = 0
        self._accounts = {account.name: account for account in _ACCOUNTS}
        self._sessions: dict[ApiSession, asyncio.Future[None]] = {}
        self._down = False
        self._restart: asyncio.Task[None] | None = None
        self.faults.on_change = self._react

    async def reboot(self, seconds: float = 0.0) -> None:
        """Lose power for so long: hosts, sessions and their counters are gone."""
        self._down = True
        self._hang_up()
        self.device.power_cut()
        await asyncio.sleep(seconds)
        self._down = False

    def is_away(self) -> bool:
        """Say whether the router is without power."""
        return self._down

    async def serve_api(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one API client."""
        session = ApiSession(reader, writer, self.device, self._accounts)
        if self._down or self.faults.menu.refuse or len(self._sessions) >= _MOST_SESSIONS:
            session.abort()
            return
        self._sessions[session] = serving = asyncio.ensure_future(session.serve())
        try:
            await serving
        except asyncio.CancelledError:
            session.abort()
        finally:
            self._sessions.pop(session, None)
            writer.close()

    async def close(self) -> None:
        """Hang up on everybody."""
        under_way = [*self._sessions.values(), *([self._restart] if self._restart else [])]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _react(self) -> None:
        if self.faults.menu.refuse:
            self._hang_up()
        seconds = self.faults.take_reboot()
        if seconds is not None:
            self._restart = asyncio.ensure_future(self.reboot(seconds))

    def _hang_up(self) -> None:
        for session in list(self._sessions):
            session.abort()


@asynccontextmanager
async def pretend_router(options: RouterOptions) -> AsyncIterator[PretendRouter]:
    """Serve a router; `api_port` and `web_port` say where."""
    router = PretendRouter(options)
    server = await asyncio.start_server(
        router.serve_api, options.host, options.api_port, backlog=1024
    )
    site = HotspotWeb(router.hotspot, router.faults, options.pages, options.name)
    runner = web.AppRunner(site.application(router.is_away), access_log=None)
    await runner.setup()
    try:
        listener = web.TCPSite(runner, options.host, options.web_port)
        await listener.start()
        router.api_port = server.sockets[0].getsockname()[1]
        router.web_port = runner.addresses[0][1]
        yield router
    finally:
        server.close()
        await router.close()
        await server.wait_closed()
        await runner.cleanup()
