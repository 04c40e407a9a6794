"""Work that waits or is put aside: why, when it is tried next, and what a person can do."""

from dataclasses import dataclass

from aiohttp import web

from appliance.domain.errors import StoreUnavailable, Unreadable
from appliance.domain.records import PutAside
from appliance.flows.give_up import GiveUp
from appliance.ports import Clock, Spool
from appliance.store.debts import Debt, Debts
from appliance.web.console.shell import done, form_of, page, record

_GIVEN_UP_IN = frozenset({"webhook_logs", "payments"})


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is to do for a person, or will be done by itself."""

    debts: tuple[Debt, ...]
    calls: tuple[PutAside, ...]
    """What the shared database refuses, kept on this box."""

    @property
    def parked(self) -> int:
        """Return how much of it waits for a person."""
        return len(self.calls) + sum(debt.parked_at is not None for debt in self.debts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outstanding:
    """Reads it all, from the database and from this box."""

    debts: Debts
    spool: Spool | None
    clock: Clock

    async def waiting(self) -> Waiting:
        """Return what waits now, the oldest first."""
        return Waiting(
            tuple(await self.debts.outstanding(self.clock.now())), tuple(await self.calls())
        )

    async def calls(self) -> list[PutAside]:
        """Return what the shared database refuses."""
        try:
            return [] if self.spool is None else await self.spool.parked()
        except StoreUnavailable:
            return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The list, with a retry for each, and an end where nobody loses by it."""

    outstanding: Outstanding
    give_up: GiveUp
    title: str = "Waiting work"
    path: str = "/work"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(self.path, self._list),
            web.post(f"{self.path}/retry", self._retry),
            web.post(f"{self.path}/give-up", self._give_up),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        waiting = await self.outstanding.waiting()
        return page(request, "work.html", waiting=waiting, given_up_in=_GIVEN_UP_IN)

    async def _retry(self, request: web.Request) -> web.Response:
        which = (await form_of(request)).get("id", "")[:64]
        await record(request, "retry debt", which)
        calls = {call.id: call.place for call in await self.outstanding.calls()}
        if which in calls and self.outstanding.spool is not None:
            await self.outstanding.spool.unpark(calls[which])
        else:
            await self.outstanding.debts.retry(which, self.outstanding.clock.now())
        raise done(self.path, "asked")

    async def _give_up(self, request: web.Request) -> web.Response:
        which = (await form_of(request)).get("id", "")[:64]
        await record(request, "give up debt", which)
        try:
            said = await self.give_up.debt(which)
        except Unreadable:
            said = "This version cannot read it: it stays, for a later one."
        return page(request, "message.html", heading="Given up", message=said)
