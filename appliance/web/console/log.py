"""The audit log: who did what, in the order it was done, and whether anybody changed it since."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from appliance.domain.audit import Entry
from appliance.domain.queries import Cursor
from appliance.flows.audit import Audit
from appliance.web.console.sheets import sheet
from appliance.web.console.shell import page

_PAGE = 100
_COLUMNS = ("place", "at", "who", "did", "subject", "detail", "previous", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Its pages; nothing here changes an entry, for nothing can."""

    audit: Audit
    title: str = "Audit"
    path: str = "/audit"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(self.path, self._list),
            web.get(f"{self.path}/verify", self._verify),
            web.get(f"{self.path}/export", self._export),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        at = request.query.get("before")
        found = await self.audit.page(_PAGE, Cursor.read(at) if at else None)
        older = ""
        if len(found) == _PAGE:
            older = f"{self.path}?before={Cursor(found[-1].place, found[-1].id)}"
        return page(request, "audit.html", entries=found, older=older, paged=at is not None)

    async def _verify(self, request: web.Request) -> web.Response:
        chain = await self.audit.verified()
        return page(request, "audit_verified.html", broken=chain.broken(), head=chain.head)

    async def _export(self, request: web.Request) -> web.StreamResponse:
        return await sheet(request, "audit", _COLUMNS, self._rows())

    async def _rows(self) -> AsyncIterator[list[object]]:
        async for entries in self.audit.pages():
            for entry in entries:
                yield [_cell(entry, name) for name in _COLUMNS]


def _cell(entry: Entry, name: str) -> object:
    if name == "detail":
        return "; ".join(f"{name}={value}" for name, value in entry.detail.items())
    return getattr(entry, name)
