"""The pretend router: its API, its console and its hotspot on sockets, until the block ends."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from appliance.sandbox.addresses import HOST
from appliance.sandbox.routeros.console import scripts
from appliance.sandbox.routeros.console.door import ConsoleDoor
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.doors import ApiDoor, SecureApiDoor
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.hostkeys import fingerprint, host_key, well_known
from appliance.sandbox.routeros.pages import Pages
from appliance.sandbox.routeros.rest import Rest
from appliance.sandbox.routeros.ssh import SshDoor
from appliance.sandbox.routeros.versions import NEWEST
from appliance.sandbox.routeros.versions import Name as VersionName
from appliance.sandbox.routeros.web import HotspotWeb

# A router that is switched off waits for nobody.
_GRACE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterOptions:
    """Where it listens (port 0: any; None: not at all), what it is, and its hotspot's pages."""

    host: str = HOST
    api_port: int = 8728
    api_ssl_port: int | None = None
    ssh_port: int | None = None
    web_port: int = 8091
    console_socket: Path | None = None
    """A unix socket for another SSH server."""
    keys_dir: Path | None = None
    """Where its SSH host key is kept; without it, every start makes a new one."""
    well_known_key: bool = False
    """Show the host key that the sandbox's settings pin."""
    latency: float = 0.0
    """Seconds before every answer."""
    pages: Mapping[str, str] = field(default_factory=dict)
    name: str = "MikroTik"
    version: VersionName = NEWEST


class PretendRouter:
    """A running router."""

    def __init__(self, options: RouterOptions) -> None:
        self.faults = Faults(options.latency)
        self.device = Device(self.faults, options.name, options.version)
        self.device.install("", scripts.menu(self.device))
        self.clock = self.device.clock
        self.hotspot = self.device.hotspot
        self.api_port = 0
        self.api_ssl_port = 0
        self.ssh_port = 0
        self.ssh_fingerprint = ""
        self.web_port = 0
        self._options = options
        self._apis: list[ApiDoor] = []
        self._ssh: SshDoor | None = None
        self._down = False
        self._restart: asyncio.Task[None] | None = None
        self.faults.on_change = self._react
        self.device.on_reboot = self._restart_soon

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

    def certify(self, address: str = HOST, name: str = "api-ssl") -> str:
        """Give the TLS API a certificate of its own, and return its SHA-256 fingerprint as hex.

        Takes a while: call it from a thread.
        """
        certificates, services = self.device.certificates, self.device.services
        certificates.table.add(
            {"name": name, "common-name": address, "subject-alt-name": f"IP:{address}"}
        )
        certificates.sign(name, None)
        services.certify("api-ssl", name)
        return certificates.table.named_row(name)["fingerprint"]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen until the block ends."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._close)
            await self._open_apis(stack)
            await self._open_consoles(stack)
            await self._open_web(stack)
            yield

    async def _open_apis(self, stack: AsyncExitStack) -> None:
        plain = ApiDoor(self.device, self.is_away)
        stack.push_async_callback(plain.close)
        self._apis.append(plain)
        self.api_port = await plain.open(self._options.host, self._options.api_port)
        if self._options.api_ssl_port is not None:
            secure = SecureApiDoor(self.device, self.is_away)
            stack.push_async_callback(secure.close)
            self._apis.append(secure)
            self.api_ssl_port = await secure.open(self._options.host, self._options.api_ssl_port)

    async def _open_consoles(self, stack: AsyncExitStack) -> None:
        if self._options.ssh_port is not None:
            old = not self.device.version.seven
            if self._options.well_known_key:
                key = well_known()
            else:
                key = await asyncio.to_thread(host_key, self._options.keys_dir, rsa_only=old)
            self.ssh_fingerprint = fingerprint(key.asbytes())
            self._ssh = SshDoor(self.device, key, self.is_away)
            stack.push_async_callback(self._ssh.close)
            self.ssh_port = self._ssh.open(self._options.host, self._options.ssh_port)
        if self._options.console_socket is not None:
            console = ConsoleDoor(self.device)
            stack.push_async_callback(console.close)
            await console.open(self._options.console_socket)

    async def _open_web(self, stack: AsyncExitStack) -> None:
        pages = Pages(self.device.files, self.hotspot.config, self._options.pages)
        rest = Rest(self.device)
        site = HotspotWeb(self.hotspot, self.faults, pages, self._options.name, rest)
        runner = web.AppRunner(
            site.application(self.is_away), access_log=None, shutdown_timeout=_GRACE
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self._options.host, self._options.web_port).start()
        self.web_port = runner.addresses[0][1]

    async def _close(self) -> None:
        if self._restart is not None:
            self._restart.cancel()
            await asyncio.gather(self._restart, return_exceptions=True)

    def _react(self) -> None:
        if self.faults.menu.ssh_refuse and self._ssh is not None:
            self._ssh.hang_up()
        if self.faults.menu.refuse:
            self._hang_up_apis()
        seconds = self.faults.take_reboot()
        if seconds is not None:
            self._restart_soon(seconds)

    def _restart_soon(self, seconds: float = 0.0) -> None:
        self._restart = asyncio.ensure_future(self.reboot(seconds))

    def _hang_up(self) -> None:
        self._hang_up_apis()
        if self._ssh is not None:
            self._ssh.hang_up()

    def _hang_up_apis(self) -> None:
        for door in self._apis:
            door.hang_up()


@asynccontextmanager
async def pretend_router(options: RouterOptions) -> AsyncIterator[PretendRouter]:
    """Serve a router; its ports say where."""
    router = PretendRouter(options)
    async with router.open():
        yield router
