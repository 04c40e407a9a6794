"""The router's set-up: what would be done, and doing it as somebody whom the router lets."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from appliance.domain.errors import Conflict, RouterUnreachable
from appliance.flows.online import Online
from appliance.web.console.asking import LONG, Away, Together, asked
from appliance.web.console.shell import came_to_nothing, done, form_of, page, record


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an operator says of it, beyond the settings; without a name the box itself signs in."""

    admin: str | None = None
    password: str = field(default="", repr=False)
    interface: str | None = None
    server: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What would be done, as the command line says it; no password is in it."""

    steps: int
    lines: tuple[str, ...]
    troubles: tuple[tuple[str, str, str], ...]
    """How bad it is, what is wrong, what mends it."""
    hopeless: bool
    """Whether something must be mended before anything can be done."""


class Provisioning(Protocol):
    """Sets the router up."""

    def plan(self, wanted: Wanted) -> Awaitable[Outlook]:
        """Return what `apply` would do; raise `Invalid` for what cannot be meant."""
        ...

    def apply(self, wanted: Wanted) -> Awaitable[None]:
        """Do it; raise an `ApplianceError` with the words where not all of it stands afterwards."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SetUp:
    """The pages: look, ask, apply."""

    provisioning: Provisioning
    online: Online
    router_id: str
    path: str = "/routers/set-up"
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    looks: Together[Outlook] = field(default_factory=Together)

    def routes(self) -> list[web.RouteDef]:
        """Return the pages; to look as an administrator takes a password, and so a form."""
        return [
            web.get(self.path, self._look),
            web.post(self.path, self._look_as),
            web.post(f"{self.path}/ask", self._ask),
            web.post(f"{self.path}/apply", self._apply),
        ]

    async def _look(self, request: web.Request) -> web.Response:
        return await self._shown(request, Wanted())

    async def _look_as(self, request: web.Request) -> web.Response:
        return await self._shown(request, _wanted(await form_of(request)))

    async def _shown(self, request: web.Request, wanted: Wanted) -> web.Response:
        outlook, away = None, ""
        try:
            await asked(self.online.sessions())
            outlook = await self.looks.ask(
                wanted, lambda: asked(self.provisioning.plan(wanted), LONG)
            )
        except Away as error:
            away = str(error)
        return page(request, "set_up.html", outlook=outlook, away=away, told=_told(wanted))

    async def _ask(self, request: web.Request) -> web.Response:
        return page(request, "set_up_ask.html", told=_told(_wanted(await form_of(request))))

    async def _apply(self, request: web.Request) -> web.Response:
        wanted = _wanted(await form_of(request))
        if self.turn.locked():
            raise Conflict("The router is being set up already. Look again in a minute.")
        async with self.turn:
            await record(request, "set the router up", self.router_id, by=wanted.admin or "the box")
            try:
                await asked(self.online.sessions())
                # Never cut short: a limit that shuts us out is put back in the next step.
                try:
                    await self.provisioning.apply(wanted)
                finally:
                    self.looks.forget()
            except (Away, RouterUnreachable):
                await came_to_nothing(request, "router_away")
                raise done(self.path, "away") from None
        raise done(self.path, "set-up")


def _wanted(form: Mapping[str, str]) -> Wanted:
    def text(name: str) -> str | None:
        return form.get(name, "").strip()[:64] or None

    return Wanted(
        admin=text("admin"),
        password=form.get("admin_password", ""),
        interface=text("interface"),
        server=text("server"),
    )


def _told(wanted: Wanted) -> dict[str, str]:
    """Return what may stand in the next form: all but the password."""
    return {
        "admin": wanted.admin or "",
        "interface": wanted.interface or "",
        "server": wanted.server or "",
    }
