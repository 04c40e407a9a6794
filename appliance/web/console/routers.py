"""This box's router: how it is, who is in, what has drifted; and where the others sell."""

import asyncio
from dataclasses import dataclass, field

from aiohttp import web

from appliance.domain.devices import Session
from appliance.domain.drift import Fault
from appliance.domain.errors import Invalid, RouterUnreachable
from appliance.domain.health import RouterHealth
from appliance.flows.cashier import Cashier
from appliance.flows.drift import Difference, Drift
from appliance.flows.online import Online
from appliance.ports import Router
from appliance.web.console.asking import LONG, Away, Together, asked
from appliance.web.console.set_up import SetUp
from appliance.web.console.shell import came_to_nothing, done, form_of, page, record

_ON_A_PAGE = 100
_MOST_DIFFERENCES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Routers:
    """The router's pages; while it is away they say so, calmly and at once."""

    router: Router
    router_id: str
    host: str
    ways: tuple[str, ...]
    """By which it may be reached, as the settings have it: `api`, `ssh`."""
    online: Online
    drift: Drift
    cashier: Cashier
    set_up: SetUp
    looks: Together[list[Difference]] = field(default_factory=Together)
    title: str = "Routers"
    path: str = "/routers"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(self.path, self._show),
            web.post(f"{self.path}/log-out", self._log_out),
            web.get(f"{self.path}/drift", self._drift),
            web.post(f"{self.path}/drift", self._repair),
            *self.set_up.routes(),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        start = _start(request)
        health, sessions, away = None, list[Session](), ""
        try:
            health, sessions = await asked(
                asyncio.gather(self.router.health(), self.online.sessions())
            )
        except Away as error:
            away = str(error)
        after = start + _ON_A_PAGE
        return page(
            request,
            "routers.html",
            selling=await self.cashier.everywhere(),
            host=self.host,
            away=away,
            health=health,
            ways=[] if health is None else [(way, _why_out(health, way)) for way in self.ways],
            without_ssh="ssh" not in self.ways,
            guests=await self.online.guests(sessions[start:after]),
            count=len(sessions),
            first=self.path if start else "",
            older=f"{self.path}?from={after}" if after < len(sessions) else "",
        )

    async def _log_out(self, request: web.Request) -> web.Response:
        form = await form_of(request)
        voucher_id, mac = form.get("voucher", ""), form.get("mac", "")
        await record(request, "logged a device out", voucher_id[:64])
        try:
            await asked(self.online.sessions())
            await self.online.log_out(voucher_id, mac)
        except (Away, RouterUnreachable):
            await came_to_nothing(request, "router_away")
            raise done(self.path, "away") from None
        raise done(self.path, "logged-out")

    async def _drift(self, request: web.Request) -> web.Response:
        found, away = list[Difference](), ""
        try:
            await asked(self.online.sessions())
            found = await self.looks.ask("drift", lambda: asked(self.drift.look(), LONG))
        except Away as error:
            away = str(error)
        kinds = {kind: [each for each in found if each.fault is kind] for kind in Fault}
        return page(
            request,
            "drift.html",
            away=away,
            kinds={str(kind): each for kind, each in kinds.items() if each},
            words={str(kind): words for kind, words in _WORDS.items()},
            most=_MOST_DIFFERENCES,
            repairable=any(each.fault is not Fault.UNKNOWN for each in found),
        )

    async def _repair(self, request: web.Request) -> web.Response:
        await record(request, "put the router right", self.router_id)
        path = f"{self.path}/drift"
        try:
            await asked(self.online.sessions())
        except Away:
            repairs = None
        else:
            repairs = await self.drift.repair()
            self.looks.forget()
        if repairs is None:
            await came_to_nothing(request, "router_away")
            raise done(path, "away")
        raise done(path, "repaired")


_WORDS = {
    Fault.MISSING: ("Missing there", "Paid for, and the router does not know it: it is put back."),
    Fault.LIMITS: ("Other limits", "The router's limit is not what is left: it is set again."),
    Fault.ENDED: ("Ended", "Its time is over, and the router still has it: it is cut off."),
    Fault.LEFT: ("Moved away", "It is used at another hotspot now: it is taken off this one."),
    Fault.UNKNOWN: (
        "Unknown",
        "It has our mark, and no voucher has this code. It is left alone: remove it at the router "
        "(/ip hotspot user) if nobody needs it.",
    ),
}
"""What each difference is called, and what becomes of it."""


def _why_out(health: RouterHealth, way: str) -> str:
    """Return why a way does not answer; empty where it does."""
    return next(
        (told.partition(": ")[2] for told in health.silent if told.startswith(f"{way}:")), ""
    )


def _start(request: web.Request) -> int:
    text = request.query.get("from", "0")
    if not (text.isascii() and text.isdecimal() and len(text) < len("100000")):
        raise Invalid("this list has no such place", "from")
    return int(text)
