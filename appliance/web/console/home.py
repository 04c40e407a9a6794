"""The first page: how the business goes today, and what needs a person."""

from dataclasses import dataclass

from aiohttp import web

from appliance.ports import Clock
from appliance.web.console.shell import page


@dataclass(frozen=True, slots=True)
class Home:
    """The first page."""

    clock: Clock
    title: str = "Today"
    path: str = "/"

    def routes(self) -> list[web.RouteDef]:
        """Return the page."""
        return [web.get(self.path, self._home)]

    async def _home(self, request: web.Request) -> web.Response:
        return page(request, "home.html")
