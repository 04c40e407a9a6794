"""Every way to a pretend router: its API three times over, and its console twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from appliance.domain.devices import Device, HotspotUser
from appliance.router.api import RouterApi
from appliance.router.hotspot import Hotspot
from appliance.router.line import Line, Login, private_key
from appliance.router.pool import Address, Pool
from appliance.router.ssh import RouterSsh
from appliance.sandbox.routeros.hotspot import mac_of
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from appliance.sandbox.routeros.versions import Name as Version
from tests.openssh import open_ssh

Kind = Literal["api", "api-pinned", "api-anonymous", "ssh", "openssh"]
KINDS: tuple[Kind, ...] = ("api", "api-pinned", "api-anonymous", "ssh", "openssh")
TIMEOUT = 5
CODE = "ABC3DEF4GH"
USER = HotspotUser(name=CODE, profile="appliance-1x-full.", limit_uptime=timedelta(hours=1))


@dataclass(frozen=True)
class Beside:
    """A pretend router and one way to it."""

    router: PretendRouter
    hotspot: Hotspot
    kind: Kind


def heard(router: PretendRouter, number: int = 5) -> Device:
    """Return a device that the router has heard."""
    address = f"127.0.1.{number}"
    router.hotspot.join(address)
    return Device(mac_of(address), address)


def names(router: PretendRouter) -> set[str]:
    return {user.name for user in router.hotspot.users}


def options(**more: object) -> RouterOptions:
    plain = RouterOptions(api_port=0, api_ssl_port=0, ssh_port=0, web_port=0)
    return replace(plain, **more)  # type: ignore[arg-type] # whatever a test names


def address(router: PretendRouter) -> Address:
    return Address(
        host="127.0.0.1",
        port=router.api_port,
        username="appliance",
        password="sandbox",
        timeout=TIMEOUT,
    )


def login(router: PretendRouter) -> Login:
    return Login(
        host="127.0.0.1",
        port=router.ssh_port,
        username="appliance",
        password="sandbox",
        fingerprint=router.ssh_fingerprint,
        timeout=TIMEOUT,
    )


@asynccontextmanager
async def beside(kind: Kind, version: Version, folder: Path) -> AsyncIterator[Beside]:
    """Yield a router of this version and a way of this kind to it."""
    console = folder / "console"
    async with pretend_router(options(version=version, console_socket=console)) as router:
        if kind == "openssh":
            async with open_ssh(folder, console) as server:
                key = await asyncio.to_thread(server.client.key.read_text)
                known = replace(login(router), port=server.port, username=server.user)
                known = replace(known, fingerprint=server.fingerprint, key=private_key(key))
                async with by_ssh(known) as hotspot:
                    yield Beside(router, hotspot, kind)
        elif kind == "ssh":
            async with by_ssh(login(router)) as hotspot:
                yield Beside(router, hotspot, kind)
        else:
            async with by_api(await _known(router, kind)) as hotspot:
                yield Beside(router, hotspot, kind)


@asynccontextmanager
async def by_api(where: Address) -> AsyncIterator[RouterApi]:
    pool = Pool(where)
    try:
        yield RouterApi(pool)
    finally:
        await pool.close()


@asynccontextmanager
async def by_ssh(where: Login) -> AsyncIterator[RouterSsh]:
    line = Line(where)
    try:
        yield RouterSsh(line)
    finally:
        await line.close()


async def _known(router: PretendRouter, kind: Kind) -> Address:
    plain = address(router)
    if kind == "api-pinned":
        fingerprint = await asyncio.to_thread(router.certify)
        return replace(plain, port=router.api_ssl_port, tls="pinned", fingerprint=fingerprint)
    if kind == "api-anonymous":
        return replace(plain, port=router.api_ssl_port, tls="anonymous")
    return plain
