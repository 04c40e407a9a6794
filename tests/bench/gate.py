"""The router's side: how fast devices are let in, and what one look at everything costs.

The bare limit is the round trips alone: as many commands that the router answers at once, over as
many connections, one after the other where a grant's own wait for each other.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from appliance.domain.devices import Device
from appliance.domain.vouchers import Voucher
from appliance.router.pool import Address, Pool
from appliance.sandbox.routeros.server import RouterOptions, pretend_router
from tests.box import Box
from tests.servers import free_port

_LATENCIES_MS = (0, 5, 20)
_GRANTS = 120
_AT_ONCE = 8
_TRIPS = 3
"""What a grant waits for: user and sessions together, the login, the reading back."""
_USERS = 2_000


class CountingPool(Pool):
    """Counts what is said to the router, and how often somebody had to wait for it."""

    commands = 0

    async def command(self, *words: str) -> list[dict[str, str]]:
        """Send one sentence."""
        self.commands += 1
        return await super().command(*words)


async def measure(folder: Path) -> dict[str, Any]:
    """Return grants per second at several latencies, and one pass over everything."""
    folder.mkdir(parents=True, exist_ok=True)
    grants = {f"{ms}_ms": await _at(ms / 1000) for ms in _LATENCIES_MS}
    return {"grants": grants, "drift": await _pass_over_everything()}


async def _at(latency: float) -> dict[str, Any]:
    options = RouterOptions(api_port=free_port(), web_port=free_port(), latency=latency)
    async with pretend_router(options) as router:
        pool = CountingPool(_address(router.api_port))
        box = Box(router, pool)
        sold = [await box.sold(_device(box, number)) for number in range(_GRANTS)]
        await pool.command("/system/identity/print")
        bare = await _rate(lambda _: _bare(pool), sold)
        pool.commands = 0
        ours = await _rate(box.access.grant, sold)
        assert len(router.hotspot.logins) == _GRANTS
        said = pool.commands
        await pool.close()
    return {
        "grants_per_s": round(ours),
        "bare_per_s": round(bare),
        "ratio": round(ours / bare, 2),
        "round_trips": _TRIPS,
        "commands_per_grant": round(said / _GRANTS, 2),
    }


async def _pass_over_everything() -> dict[str, Any]:
    """Hold as many users as a busy hotspot has against the books, when all agrees."""
    options = RouterOptions(api_port=free_port(), web_port=free_port())
    async with pretend_router(options) as router:
        pool = CountingPool(_address(router.api_port))
        box = Box(router, pool)
        for number in range(_USERS):
            await box.access.grant(await box.sold(_device(box, number)))
        pool.commands, began = 0, time.perf_counter()
        repairs = await box.drift.repair()
        ours, said = time.perf_counter() - began, pool.commands
        assert repairs is not None
        assert repairs.failed == 0
        began = time.perf_counter()
        await pool.command("/ip/hotspot/user/print")
        await pool.command("/ip/hotspot/active/print")
        bare = time.perf_counter() - began
        await pool.close()
    return {
        "users": _USERS,
        "seconds": round(ours, 3),
        "commands": said,
        "bare_two_lists_s": round(bare, 3),
        "ratio": round(ours / bare, 2),
    }


async def _rate(grant: Any, sold: list[Voucher]) -> float:
    """Return how many are done in a second, so many at once."""
    queue, began = list(sold), time.perf_counter()

    async def hand() -> None:
        while queue:
            await grant(queue.pop())

    await asyncio.gather(*(hand() for _ in range(_AT_ONCE)))
    return len(sold) / (time.perf_counter() - began)


async def _bare(pool: Pool) -> None:
    for _ in range(_TRIPS):
        await pool.command("/system/identity/print")


def _device(box: Box, number: int) -> Device:
    ip = f"127.1.{number // 250}.{number % 250 + 1}"
    host = box.router.hotspot.join(ip)
    return Device(host.mac, ip)


def _address(port: int) -> Address:
    return Address(host="127.0.0.1", port=port, username="appliance", password="sandbox")
