"""Is it alive, is it ready, and how it fares: for whoever watches over many boxes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from aiohttp import web

from appliance.domain.errors import ApplianceError

Check = Callable[[], Awaitable[object]]
_LONGEST_CHECK = 5.0
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"
_FRESH = {"Cache-Control": "no-store"}


class Closed(ApplianceError):
    """A door that nobody can come in by."""

    code = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What the three pages tell; no secret and nobody's name is among it."""

    checks: Mapping[str, Check]
    """What a box needs to do its work. The router may be away: the box works on without it."""
    late: Callable[[], tuple[str, ...]]
    """The loops that do not come round."""
    scrape: Callable[[], bytes]
    began: float = field(default_factory=monotonic)

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
        reasons = {}
        for name, check in self.checks.items():
            try:
                async with asyncio.timeout(_LONGEST_CHECK):
                    await check()
            except ApplianceError as error:
                reasons[name] = error.code
            except TimeoutError:
                reasons[name] = "slow"
        return _answer({"ready": not reasons, "reasons": reasons}, well=not reasons)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.scrape(), headers=_FRESH | {"Content-Type": _EXPOSITION})


def _answer(told: Mapping[str, object], *, well: bool) -> web.Response:
    status = web.HTTPOk.status_code if well else web.HTTPServiceUnavailable.status_code
    return web.json_response(told, status=status, headers=_FRESH)
