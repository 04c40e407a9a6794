"""What an outer cron may set off: the token refresh, at the address the owner's cron knows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from appliance.domain.errors import ApplianceError
from appliance.web.bearer import refused, turned_away

_PATH = "/api/cron/refresh-tokens"


class Report(Protocol):
    """How one paybill fared."""

    @property
    def error(self) -> str | None:
        """Return what went wrong, if anything did."""
        ...

    def shown(self) -> dict[str, object]:
        """Return it for JSON; it holds no secret."""
        ...


@dataclass(frozen=True, slots=True)
class Cron:
    """The refresh behind a bearer secret; without a secret there is no such page."""

    refresh: Callable[[], Awaitable[Sequence[Report]]]
    secret: str | None = field(repr=False)

    def routes(self) -> list[web.RouteDef]:
        """Return the page; the owner's own cron used GET."""
        return [
            web.post(_PATH, self._refresh_tokens),
            web.get(_PATH, self._refresh_tokens, allow_head=False),
        ]

    async def _refresh_tokens(self, request: web.Request) -> web.Response:
        answer = turned_away(request, self.secret, "cron_secret")
        if answer is not None:
            return answer
        try:
            reports = await self.refresh()
        except ApplianceError as error:
            return refused(503, error.code, "the tokens could not be looked at")
        paybills = [report.shown() for report in reports]
        success = all(report.error is None for report in reports)
        headers = {"Cache-Control": "no-store"}
        return web.json_response({"success": success, "paybills": paybills}, headers=headers)
