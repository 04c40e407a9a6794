"""What the router has counted, brought into the books: connected time and data run out by it."""

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from appliance.domain.devices import Entry, Reading, Session
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.domain.vouchers import State, Voucher
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Router, Vouchers

log = logging.getLogger(__name__)

MOST = 20_000
"""Vouchers looked at in one round; nothing is concluded from one that is not among them."""
# Two looks at one session differ by the time between them, and the router rounds to seconds.
_BETWEEN_LOOKS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Counted:
    """The router's users, and a reading of each that was not logging in or out just then."""

    entries: dict[str, Entry]
    readings: dict[str, Reading]
    sessions: dict[str, list[Session]]


async def read(router: Router) -> Counted:
    """Read every user of ours and every session; raise where any part of it is missing.

    A session's counters move to its user when it ends, so one that ended between two commands
    would be counted twice or not at all: sessions are read before and after, and whoever came or
    went in between is not read this time.
    """
    before = _by_user(await router.sessions())
    entries = {entry.name: entry for entry in await router.users()}
    after = _by_user(await router.sessions())
    readings = {
        name: Reading.of(entry, after[name])
        for name, entry in entries.items()
        if _same(before[name], after[name])
    }
    return Counted(entries, readings, after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Keeps the used time of what does not end by the clock alone."""

    vouchers: Vouchers
    router: Router
    clock: Clock
    router_id: str

    async def poll(self) -> int:
        """Count what running vouchers have used; return how many are over now.

        Nothing is asked of the router while no voucher depends on it.
        """
        metered = [voucher for voucher in await self.running() if voucher.metered]
        if not metered:
            return 0
        try:
            counted = await read(self.router)
        except (RouterUnreachable, RouterRefused) as error:
            log.warning("usage not read code=%s", error.code)
            return 0
        over = 0
        for voucher in metered:
            reading = counted.readings.get(voucher.code)
            if reading is not None:
                over += (await self.count(voucher, reading)).ended
        return over

    async def running(self) -> list[Voucher]:
        """Return this hotspot's vouchers whose time has started."""
        found = await self.vouchers.page("status", State.ACTIVE.value, MOST)
        return [voucher for voucher in found if voucher.router_id == self.router_id]

    async def count(self, voucher: Voucher, reading: Reading) -> Voucher:
        """Return the voucher after this reading; one that is over falls due to be cut at once."""
        now = self.clock.now()

        def step(current: Voucher) -> Voucher:
            after = current.counted(reading, now)
            return after.due_at(now) if after.ended and not current.ended else after

        return await evolve(self.vouchers, voucher, step)


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
