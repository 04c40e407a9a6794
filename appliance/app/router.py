"""The router as the settings know it: by API, with SSH to fall back on where it is set up."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from appliance import settings
from appliance.ports import Router
from appliance.router.api import RouterApi
from appliance.router.failover import Failover
from appliance.router.hotspot import Hotspot
from appliance.router.pool import Address, Pool


@asynccontextmanager
async def open_router(router: settings.Router) -> AsyncIterator[Router]:
    """Yield the router, which does not have to be reachable."""
    async with AsyncExitStack() as stack:
        pool = Pool(_address(router))
        stack.push_async_callback(pool.close)
        api = RouterApi(pool)
        if router.ssh_fingerprint is None:
            yield api
            return
        failover = Failover(api, _by_ssh(router, router.ssh_fingerprint, stack))
        stack.push_async_callback(failover.close)
        yield failover


@asynccontextmanager
async def open_pool(
    router: settings.Router, username: str | None = None, password: str = ""
) -> AsyncIterator[Pool]:
    """Yield one connection to the router's API, as the box or as somebody who may do more."""
    address = _address(router)
    if username is not None:
        address = replace(address, username=username, password=password)
    pool = Pool(address, size=1)
    try:
        yield pool
    finally:
        await pool.close()


def _address(router: settings.Router) -> Address:
    return Address(
        host=router.host,
        port=router.api_port,
        username=router.username,
        password=router.password.get_secret_value(),
        timeout=router.timeout,
        tls=router.api_tls,
        fingerprint=router.api_fingerprint or "",
    )


def _by_ssh(router: settings.Router, fingerprint: str, stack: AsyncExitStack) -> Hotspot:
    """Return the second way; its library costs memory that a box without it need not spend."""
    from appliance.router.line import Line, Login, private_key  # noqa: PLC0415
    from appliance.router.ssh import RouterSsh  # noqa: PLC0415

    key = router.ssh_key
    line = Line(
        Login(
            host=router.host,
            port=router.ssh_port,
            username=router.username,
            fingerprint=fingerprint,
            password=router.password.get_secret_value(),
            key=None if key is None else private_key(key.get_secret_value()),
            timeout=router.timeout,
        )
    )
    stack.push_async_callback(line.close)
    return RouterSsh(line)
