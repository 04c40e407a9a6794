"""An operator makes vouchers to be sold on paper; their time starts when they are first used."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from appliance.domain import batches, ids
from appliance.domain.batches import Batch
from appliance.domain.errors import Conflict, Duplicate, Invalid
from appliance.domain.plans import Plan
from appliance.domain.queries import Cursor
from appliance.domain.vouchers import State, Voucher, drawn_up_for_cash
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Plans, Router, Vouchers

log = logging.getLogger(__name__)

_TOGETHER = 25
"""Written or read at once: customers' writes go between."""
_LONGEST_KEY = 200
_DRAWS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Makes and finds batches. A voucher's id follows from its batch and number.

    So a request that died half-way is simply made again, and nothing of it is there twice.
    """

    vouchers: Vouchers
    plans: Plans
    router: Router
    clock: Clock
    router_id: str

    async def make(
        self, plan_id: str, count: int, *, key: str | None = None, note: str | None = None
    ) -> list[Voucher]:
        """Return a batch of so many vouchers of a plan, in order; raise `Invalid` in words.

        The same request with the same key again returns the same vouchers, and makes those that
        are still lacking: they are alike, whatever has become of the plan meanwhile.
        """
        if not 1 <= count <= batches.MOST:
            raise Invalid(f"a batch has 1 to {batches.MOST} vouchers", "count")
        _plain("note", note, batches.LONGEST_NOTE)
        _plain("key", key, _LONGEST_KEY)
        name = batches.batch_id(key or ids.new_token())
        first = Batch(id=name, number=1, size=count, note=(note or "").strip() or None)
        head = await self._head(name)
        if head is None:
            head = await self._made(await self._plan(plan_id), first, self.router_id)
        if head.plan.id != plan_id or head.batch is None or head.batch.size != count:
            raise Invalid("this key has made another batch already", "key")
        made = [head]
        for start in range(2, count + 1, _TOGETHER):
            numbers = range(start, min(start + _TOGETHER, count + 1))
            lots = [replace(head.batch, number=number) for number in numbers]
            drawn = (self._made(head.plan, batch, head.router_id) for batch in lots)
            made += await asyncio.gather(*drawn)
        log.info("batch made batch=%s plan=%s count=%d", name, plan_id, count)
        return made

    async def find(self, batch: str) -> list[Voucher]:
        """Return what there is of a batch, in order; nothing for an id that nobody was given."""
        head = await self._head(batch) if batch.isascii() else None
        if head is None or head.batch is None:
            return []
        return [head, *[voucher async for voucher in self._others(head.batch)]]

    async def withdraw(self, batch: str) -> int:
        """Take away every voucher of a batch that nobody has used, and return how many.

        For paper that was lost or stolen. Cut off, it is simply asked for again. Raises
        `RouterUnreachable`: only the router knows who came in at its own page just now.
        """
        made = await self.find(batch)
        if made and made[0].router_id != self.router_id:
            raise Invalid("this batch is another hotspot's: take it away at its own box")
        in_use, now, count = await self._in_use(), self.clock.now(), 0

        def step(voucher: Voucher) -> Voucher:
            return voucher.revoked(now).due_at(now) if voucher.in_stock else voucher

        unused = [one for one in made if one.in_stock and one.code not in in_use]
        for start in range(0, len(unused), _TOGETHER):
            lot = unused[start : start + _TOGETHER]
            after = await asyncio.gather(*(evolve(self.vouchers, one, step) for one in lot))
            count += sum(one.state is State.REVOKED for one in after)
        log.info("batch withdrawn batch=%s count=%d", batch, count)
        return count

    async def _in_use(self) -> set[str]:
        """Return the codes that somebody is, or was, in with at the router."""
        sessions, entries = await asyncio.gather(self.router.sessions(), self.router.users())
        online = {session.user for session in sessions}
        return online | {entry.name for entry in entries if entry.uptime or entry.moved}

    async def latest(self, limit: int, before: Cursor | None = None) -> list[Voucher]:
        """Return the first voucher of each batch, the newest batch first."""
        return await self.vouchers.page("batch.number", 1, limit, before=before)

    async def _others(self, batch: Batch) -> AsyncIterator[Voucher]:
        for start in range(2, batch.size + 1, _TOGETHER):
            numbers = range(start, min(start + _TOGETHER, batch.size + 1))
            names = [batches.voucher_id(batch.id, number) for number in numbers]
            for voucher in await asyncio.gather(*map(self.vouchers.get, names)):
                if voucher is not None:
                    yield voucher

    async def _head(self, batch: str) -> Voucher | None:
        return await self.vouchers.get(batches.voucher_id(batch, 1))

    async def _plan(self, plan_id: str) -> Plan:
        plan = await self.plans.get(plan_id) if 0 < len(plan_id) <= ids.LONGEST else None
        if plan is None or not plan.active:
            raise Invalid("there is no such plan for sale", "plan")
        return plan

    async def _made(self, plan: Plan, batch: Batch, router_id: str) -> Voucher:
        """Return the voucher of this number, made now unless it is there already."""
        for _ in range(_DRAWS):
            now = self.clock.now()
            drawn = drawn_up_for_cash(plan, batch, router_id=router_id, now=now)
            try:
                return await self.vouchers.insert(drawn)
            except Duplicate:
                there = await self.vouchers.get(drawn.id)
                if there is not None:
                    return there
        raise Conflict(f"no free code for {batch.id} {batch.number}")


def _plain(what: str, text: str | None, longest: int) -> None:
    if text and (len(text) > longest or not text.isprintable()):
        raise Invalid(f"the {what} must be one line of at most {longest} characters", what)
