"""Writes down what a person is about to do, and that it came to nothing where it did."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from appliance.domain.audit import FAILED, Chain, Detail, Entry, following
from appliance.domain.errors import ApplianceError, Duplicate, StoreUnavailable
from appliance.domain.queries import Cursor
from appliance.ports import Clock, Entries

log = logging.getLogger(__name__)

_PAGE = 500
# Each round that we lose, somebody else wrote: this many losses in a row mean a bug.
_ROUNDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The audit log of one box. Entries are added; nothing changes or removes one."""

    entries: Entries
    clock: Clock
    box: str

    async def write(self, who: str, did: str, subject: str = "", /, **detail: Detail) -> Entry:
        """Return the entry once it is on the disk; raise `StoreUnavailable` where it cannot be.

        Say nothing in it that may be a phone number or a secret.
        """
        for _ in range(_ROUNDS):
            entry = following(
                await self._last(),
                box=self.box,
                at=self.clock.now(),
                who=who,
                did=did,
                subject=subject,
                detail=detail,
            )
            try:
                return await self.entries.insert(entry)
            except Duplicate:
                continue
        raise Duplicate("audit", "_id")

    @asynccontextmanager
    async def deed(
        self, who: str, did: str, subject: str = "", /, **detail: Detail
    ) -> AsyncIterator[Entry]:
        """Write the deed down, then let it be done; where it fails, that is written down too.

        A deed that nobody wrote down is not done.
        """
        entry = await self.write(who, did, subject, **detail)
        try:
            yield entry
        except Exception as error:
            why = error.code if isinstance(error, ApplianceError) else type(error).__name__
            try:
                await self.write(who, FAILED, subject, of=entry.place, did=did, why=why)
            except (StoreUnavailable, Duplicate):
                log.warning("a failed deed is not written down place=%d why=%s", entry.place, why)
            raise

    async def page(self, limit: int, before: Cursor | None = None) -> list[Entry]:
        """Return this box's entries, the newest first; `Cursor(place, id)` of the last goes on."""
        return await self.entries.page("box", self.box, limit, before=before)

    async def pages(self) -> AsyncIterator[list[Entry]]:
        """Yield every entry of this box, so many at a time, the newest first."""
        before = None
        while page := await self.page(_PAGE, before):
            yield page
            before = Cursor(page[-1].place, page[-1].id)

    async def verified(self) -> Chain:
        """Return the whole chain, each entry held to the one before it."""
        chain = Chain()
        async for page in self.pages():
            await asyncio.to_thread(chain.goes_on, page)
        return chain

    async def _last(self) -> Entry | None:
        return next(iter(await self.page(1)), None)
