"""What the router has counted, brought into the books: connected time and data run out by it."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from appliance.domain.devices import Entry, Reading, Session
from appliance.domain.errors import RouterRefused, RouterUnreachable, StoreUnavailable
from appliance.domain.vouchers import State, Voucher
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Router, Vouchers

log = logging.getLogger(__name__)

MOST = 20_000
"""Vouchers looked at in one round; nothing is concluded from one that is not among them."""


async def _nobody(_: list[Voucher]) -> None:
    """Tell nobody."""


# Two looks at one session differ by the time between them, and the router rounds to seconds.
_BETWEEN_LOOKS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """The router's users, and a reading of each that was not logging in or out just then."""

    at: datetime
    entries: dict[str, Entry]
    readings: dict[str, Reading]
    sessions: dict[str, list[Session]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Keeps the used time of what does not end by the clock alone.

    Readings go into the books in the order in which they were taken, one after the other: an old
    one after a newer one would look like a counter that went back, and be counted again.
    """

    vouchers: Vouchers
    router: Router
    clock: Clock
    router_id: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    tell: Callable[[list[Voucher]], Awaitable[None]] = _nobody
    """Is told what each round counted."""

    async def poll(self) -> int:
        """Count what running vouchers have used; return how many are over now.

        Nothing is asked of the router while no voucher depends on it.
        """
        metered = [voucher for voucher in await self._running() if voucher.metered]
        if not metered:
            return 0
        try:
            async with self.turn:
                counted = await self._read()
                after = await self._count_all(metered, counted)
        except (RouterUnreachable, RouterRefused) as error:
            log.warning("usage not read code=%s", error.code)
            return 0
        await self.tell(after)
        return sum(voucher.ended for voucher in after)

    async def survey(self) -> Counted:
        """Read the whole router, count what was used, and return what was read.

        Raises `RouterUnreachable` or `RouterRefused` where any part of it is missing.
        """
        async with self.turn:
            counted = await self._read()
            metered = [voucher for voucher in await self._running() if voucher.metered]
            await self._count_all(metered, counted)
        return counted

    async def look(self) -> Counted:
        """Read the whole router and count nothing; raise as `survey` does."""
        return await self._read()

    async def of_one(self, voucher: Voucher) -> tuple[Voucher, Reading] | None:
        """Count what one voucher has used; None where the router cannot say just now."""
        async with self.turn:
            counted = await self._read(voucher.code)
            reading = counted.readings.get(voucher.code)
            return None if reading is None else (await self._count(voucher, counted), reading)

    async def _running(self) -> list[Voucher]:
        found = await self.vouchers.page("status", State.ACTIVE.value, MOST)
        return [voucher for voucher in found if voucher.router_id == self.router_id]

    async def _count_all(self, metered: list[Voucher], counted: Counted) -> list[Voucher]:
        """Count each; one that cannot be counted holds up no other."""
        after = []
        for voucher in metered:
            try:
                after.append(await self._count(voucher, counted))
            except StoreUnavailable:
                raise
            except Exception:
                log.exception("usage not counted voucher=%s", voucher.id)
        return after

    async def _count(self, voucher: Voucher, counted: Counted) -> Voucher:
        """Return the voucher after its reading; one that is over falls due to be cut at once."""
        now, reading = self.clock.now(), counted.readings.get(voucher.code)
        if reading is None:
            return voucher

        def step(current: Voucher) -> Voucher:
            after = current.counted(reading, now)
            return after.due_at(now) if after.ended and not current.ended else after

        return await evolve(self.vouchers, voucher, step)

    async def _read(self, name: str | None = None) -> Counted:
        """Read every user of ours, or one, and their sessions.

        A session's counters move to its user when it ends, so one that ended between two commands
        would be counted twice or not at all: sessions are read before and after, and whoever came
        or went in between is not read this time.
        """
        before = _by_user(await self.router.sessions(user=name))
        at = self.clock.now()
        entries = {entry.name: entry for entry in await self.router.users(name=name)}
        after = _by_user(await self.router.sessions(user=name))
        readings = {
            name: Reading.of(entry, after[name])
            for name, entry in entries.items()
            if _same(before[name], after[name])
        }
        sessions = {name: found for name, found in after.items() if found}
        return Counted(at, entries, readings, sessions)


def _by_user(sessions: list[Session]) -> defaultdict[str, list[Session]]:
    found: defaultdict[str, list[Session]] = defaultdict(list)
    for session in sessions:
        found[session.user].append(session)
    return found


def _same(before: list[Session], after: list[Session]) -> bool:
    """Say whether these are the same sessions, a moment later."""
    earlier = {session.mac: session.uptime for session in before}
    later = {session.mac: session.uptime for session in after}
    return earlier.keys() == later.keys() and all(
        timedelta() <= later[mac] - earlier[mac] <= _BETWEEN_LOOKS for mac in later
    )
