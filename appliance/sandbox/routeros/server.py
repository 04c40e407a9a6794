"""The pretend router: its API and its hotspot on sockets, until the block ends."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from appliance.sandbox.addresses import HOST
from appliance.sandbox.routeros.api import ApiSession
from appliance.sandbox.routeros.console.door import ConsoleDoor
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.hostkeys import fingerprint, host_key
from appliance.sandbox.routeros.ssh import SshDoor
from appliance.sandbox.routeros.versions import NEWEST
from appliance.sandbox.routeros.versions import Name as VersionName
from appliance.sandbox.routeros.web import HotspotWeb


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterOptions:
    """Where it listens (port 0: any), how slow it is in seconds, and its hotspot's pages."""

    host: str = HOST
    api_port: int = 8728
    web_port: int = 8091
    ssh_port: int | None = None
    """None: no SSH."""
    keys_dir: Path | None = None
    """Where its SSH host key is kept; without it, every start makes a new one."""
    console_socket: Path | None = None
    """A unix socket for another SSH server; None: there is none."""
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
        self.ssh_port = 0
        self.ssh_fingerprint = ""
        self._ssh: SshDoor | None = None
        self._console = ConsoleDoor(self.device)
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
        session = ApiSession(reader, writer, self.device)
        address = writer.get_extra_info("peername")[0]
        if self._down or self.faults.menu.refuse or not self._admits("api", address):
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

    async def open_ssh(self, host: str, port: int, kept_in: Path | None) -> None:
        """Let people in by SSH as well."""
        old = not self.device.version.seven
        key = await asyncio.to_thread(host_key, kept_in, rsa_only=old)
        self.ssh_fingerprint = fingerprint(key.asbytes())
        self._ssh = SshDoor(self.device, key, self.is_away)
        self.ssh_port = self._ssh.open(host, port)
        self.device.services.listens("ssh", self.ssh_port)

    async def open_console(self, path: Path) -> None:
        """Let another SSH server hand its commands in."""
        await self._console.open(path)

    async def close(self) -> None:
        """Hang up on everybody."""
        await self._console.close()
        if self._ssh is not None:
            await self._ssh.close()
        under_way = [*self._sessions.values(), *([self._restart] if self._restart else [])]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _admits(self, service: str, address: str) -> bool:
        services = self.device.services
        return services.admits(service, address) and not services.full(service, len(self._sessions))

    def _react(self) -> None:
        if self.faults.menu.ssh_refuse and self._ssh is not None:
            self._ssh.hang_up()
        if self.faults.menu.refuse:
            self._hang_up()
        seconds = self.faults.take_reboot()
        if seconds is not None:
            self._restart = asyncio.ensure_future(self.reboot(seconds))

    def _hang_up(self) -> None:
        for session in list(self._sessions):
            session.abort()
        if self._ssh is not None and self._down:
            self._ssh.hang_up()


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
        router.device.services.listens("api", router.api_port)
        if options.ssh_port is not None:
            await router.open_ssh(options.host, options.ssh_port, options.keys_dir)
        if options.console_socket is not None:
            await router.open_console(options.console_socket)
        router.web_port = runner.addresses[0][1]
        yield router
    finally:
        server.close()
        await router.close()
        await server.wait_closed()
        await runner.cleanup()
