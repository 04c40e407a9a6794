"""Safaricom, the phone and the router of one sandbox, running together."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.sandbox.addresses import HOST, Ports
from appliance.sandbox.daraja.server import DarajaOptions, PretendDaraja, pretend_daraja
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The running neighbours."""

    daraja: PretendDaraja
    router: PretendRouter


@asynccontextmanager
async def neighbours(
    ports: Ports,
    pages: Mapping[str, str],
    *,
    autopay: float | None = None,
    router_latency: float = 0.0,
    keys_dir: Path | None = None,
) -> AsyncIterator[Neighbours]:
    """Serve the neighbours until the block ends; latency in seconds before each router answer.

    The router's keys are kept in `keys_dir`; without it, every start makes new ones.
    """
    daraja = DarajaOptions(host=HOST, port=ports.daraja, autopay=autopay)
    router = RouterOptions(
        host=HOST,
        api_port=ports.router_api,
        web_port=ports.router_web,
        ssh_port=ports.router_ssh,
        keys_dir=keys_dir,
        latency=router_latency,
        pages=pages,
    )
    async with pretend_daraja(daraja) as safaricom, pretend_router(router) as mikrotik:
        yield Neighbours(safaricom, mikrotik)
