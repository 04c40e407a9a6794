"""Is it alive, is it ready, and how it fares: for whoever watches over many boxes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from time import monotonic
from typing import Any

from aiohttp import web

from appliance.domain.errors import ApplianceError
from appliance.web.bearer import turned_away

Check = Callable[[], Awaitable[object]]
# Who asks waits for five seconds.
_LONGEST_CHECK = 4.0
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_FRESH = {"Cache-Control": "no-store"}


class Closed(ApplianceError):
    """A door that nobody can come in by."""

    code = "closed"


class NotReady(ApplianceError):
    """What a box lacks, in words that anybody may read."""

    code = "not_ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the three pages tell; no secret and nobody's name is among it."""

    checks: Mapping[str, Check]
    """What a box needs to do its work. The router may be away: the box works on without it."""
    late: Callable[[], tuple[str, ...]]
    """The loops that do not come round."""
    scrape: Callable[[], bytes]
    began: float = field(default_factory=monotonic)
    facts: Callable[[], Mapping[str, object]] = dict
    """What else is told with the reasons, and is none."""
    metrics_token: str | None = field(default=None, repr=False)
    """What whoever scrapes from elsewhere must show; without one it is for the box alone."""

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get("/healthz", self._healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", self._metrics),
        ]

    async def _healthz(self, _: web.Request) -> web.Response:
        late = self.late()
        up = int(monotonic() - self.began)
        return _answer({"alive": not late, "late": list(late), "upSeconds": up}, well=not late)

    async def _readyz(self, _: web.Request) -> web.Response:
        found = await asyncio.gather(*map(_reason, self.checks.values()))
        reasons = {name: why for name, why in zip(self.checks, found, strict=True) if why}
        told = {"ready": not reasons, "reasons": reasons, "facts": self.facts()}
        return _answer(told, well=not reasons)

    async def _metrics(self, request: web.Request) -> web.Response:
        if not _from_the_box(request):
            answer = turned_away(request, self.metrics_token, "metrics_token")
            if answer is not None:
                return answer
        return web.Response(body=self.scrape(), headers=_FRESH | {"Content-Type": _EXPOSITION})


async def _reason(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_LONGEST_CHECK):
            await check()
    except NotReady as error:
        return str(error)
    except ApplianceError as error:
        return error.code
    except TimeoutError:
        return "slow"
    return None


def _answer(told: Mapping[str, object], *, well: bool) -> web.Response:
    status = web.HTTPOk.status_code if well else web.HTTPServiceUnavailable.status_code
    return web.json_response(told, status=status, headers=_FRESH)


def _from_the_box(request: web.Request) -> bool:
    """Say whether the box itself asks, or a proxy on it: by the connection, and no header."""
    here, there = _ends(request)
    if isinstance(here, str):  # a unix socket: its folder keeps out all others
        return True
    if not here or not there:  # gone already
        return False
    address = ip_address(there[0])
    plain = getattr(address, "ipv4_mapped", None) or address
    return plain.is_loopback or there[0] == here[0]


def _ends(request: web.Request) -> tuple[Any, Any]:
    """Return the connection's two addresses as the kernel has them, ours first."""
    transport = request.transport
    if transport is None:
        return None, None
    return transport.get_extra_info("sockname"), transport.get_extra_info("peername")
