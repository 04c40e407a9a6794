"""Router and books are held against each other: what was paid for is there, what ended is not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from appliance.domain import accounts
from appliance.domain.debts import LEASE
from appliance.domain.devices import Device, Reading, Session
from appliance.domain.drift import Fault, of_user, of_voucher
from appliance.domain.errors import (
    ClockInDoubt,
    Conflict,
    RouterRefused,
    RouterUnreachable,
    StoreUnavailable,
    Unreadable,
)
from appliance.domain.homing import taken_off, used_elsewhere
from appliance.domain.vouchers import State, Voucher
from appliance.flows.access import Access
from appliance.flows.evolve import evolve, load
from appliance.flows.usage import MOST, Counted, Usage
from appliance.ports import Clock, Router, Vouchers

log = logging.getLogger(__name__)

# Fewer than the router's connections: customers are let in meanwhile.
_HANDS = 2


@dataclass(slots=True)
class Repairs:
    """What one pass did."""

    stocked: int = 0
    """Printed vouchers that the router knows now; nothing had drifted."""
    put_back: int = 0
    limits: int = 0
    cut: int = 0
    unknown: int = 0
    """Users with our mark and no voucher of this name: left alone, a person must look."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """One user on which router and books do not agree."""

    fault: Fault
    name: str
    voucher: Voucher | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One pass reads everything in a few commands, then touches only what differs.

    Whatever differs is decided about on the latest document, so a list that was cut short, or has
    aged while it was gone through, leads to nothing wrong.
    """

    vouchers: Vouchers
    router: Router
    access: Access
    usage: Usage
    clock: Clock
    router_id: str

    async def repair(self) -> Repairs | None:
        """Put right what has drifted; None when the router could not be read in full."""
        try:
            counted = await self.usage.survey()
        except (RouterUnreachable, RouterRefused) as error:
            log.warning("router not read, nothing repaired code=%s", error.code)
            return None
        if self.clock.certain() is None:
            log.warning("the time is not certain: nothing expires until it is")
        repairs, listed = Repairs(), await self._usable()
        ours = {v.code: v for v in listed if v.router_id == self.router_id}
        steps = [partial(self._there, repairs, counted, voucher) for voucher in ours.values()]
        steps += [
            partial(self._known_to_be_off, voucher)
            for voucher in listed
            if voucher.moved_from == self.router_id
            and voucher.left_at is None
            and voucher.code not in counted.entries
        ]
        steps += [
            partial(self._gone, repairs, counted, name)
            for name in counted.entries.keys() - ours.keys()
        ]
        for start in range(0, len(steps), _HANDS):
            batch = [_tried(repairs, step) for step in steps[start : start + _HANDS]]
            if not all(await asyncio.gather(*batch)):
                break  # the router went away: what is left waits for the next pass
        if repairs.stocked:
            log.info("printed vouchers on the router count=%d", repairs.stocked)
        if repairs != Repairs(stocked=repairs.stocked):
            log.warning("router put right %s", repairs)
        return repairs

    async def look(self) -> list[Difference]:
        """Return what a pass would put right now; nothing is written, here or there.

        Raises `RouterUnreachable` or `RouterRefused` where any part of it could not be read.
        """
        counted, usable = await self.usage.look(), await self._usable()
        ours = {v.code: v for v in usable if v.router_id == self.router_id}
        certain, now = self.clock.certain(), self.clock.now()
        found = list[Difference]()
        for code, listed in ours.items():
            entry, reading = counted.entries.get(code), counted.readings.get(code)
            voucher = listed
            if reading is not None and listed.metered:
                voucher = listed.counted(reading, now)
            fault = of_voucher(voucher, self.router_id, certain, entry, reading, counted.at)
            if fault is not None and not _under_way(listed, now):
                found.append(Difference(fault, code, voucher))
        for name in sorted(counted.entries.keys() - ours.keys()):
            known = await self._named(name)
            fault = of_user(known, self.router_id)
            if fault is not None and not (known is not None and _under_way(known, now)):
                found.append(Difference(fault, name, known))
        return found

    async def _usable(self) -> list[Voucher]:
        """Return what the routers of all boxes must know; what nobody has bought comes last.

        What owes access is for who pays debts.
        """
        return [
            voucher
            for state in (State.ACTIVE, State.READY, State.PAID)
            for voucher in await self.vouchers.page("status", state.value, MOST)
            if state is not State.PAID or (voucher.in_stock and voucher.owed is None)
        ]

    async def _there(self, repairs: Repairs, counted: Counted, listed: Voucher) -> None:
        """Have a voucher that buys time on the router, with what is left of it."""
        entry = counted.entries.get(listed.code)
        reading = counted.readings.get(listed.code)
        now, voucher = self.clock.now(), listed
        if voucher.owed is None:  # as an earlier version left it
            voucher = await evolve(self.vouchers, voucher, lambda v: v.with_end(now))
        if entry is not None:
            voucher = await evolve(self.vouchers, voucher, Voucher.stocked)
        sessions = counted.sessions.get(listed.code)
        if voucher.state is State.READY and sessions and not _under_way(voucher, now):
            voucher = await self._found(voucher, sessions)
        match of_voucher(voucher, self.router_id, self.clock.certain(), entry, reading, counted.at):
            case Fault.LEFT:
                await self._left(repairs, counted, voucher)
            case Fault.ENDED:
                await self._end(repairs, voucher)
            case Fault.MISSING:
                await self._put_back(repairs, voucher)
            case Fault.LIMITS if reading is not None:
                await self.router.set_limits(accounts.after(voucher, counted.at, reading))
                repairs.limits += 1

    async def _found(self, voucher: Voucher, sessions: list[Session]) -> Voucher:
        """Start a voucher that somebody is in with behind our back, from when they came in."""
        first = max(sessions, key=lambda session: session.uptime)
        since, certain = self.clock.now() - first.uptime, self.clock.certain() is not None
        device = Device(first.mac, first.ip)

        def step(latest: Voucher) -> Voucher:
            if latest.router_id != self.router_id:
                return latest
            return latest.found(since, device, certain=certain)

        return await evolve(self.vouchers, voucher, step)

    async def _put_back(self, repairs: Repairs, listed: Voucher) -> None:
        """Add a user that the router has lost, or never had: its counters start at zero there."""
        voucher = await load(self.vouchers, listed.id)
        if voucher.router_id != self.router_id or _under_way(voucher, self.clock.now()):
            return
        if not voucher.usable(self.clock.certain()):
            return
        await self.router.ensure_user(accounts.fresh(voucher, self.clock.now()))
        if voucher.stocked() == voucher:
            repairs.put_back += 1
        else:
            repairs.stocked += 1
            await evolve(self.vouchers, voucher, Voucher.stocked)
        again = await load(self.vouchers, voucher.id)
        if again.router_id != self.router_id:
            await self.router.cut(again.code)
        elif not again.usable(self.clock.certain()):  # it ended, and was cut, in between
            await self.access.end(again)

    async def _gone(self, repairs: Repairs, counted: Counted, name: str) -> None:
        """Have a user that no longer buys time here off the router."""
        voucher = await self._named(name)
        match of_user(voucher, self.router_id):
            case Fault.UNKNOWN:
                repairs.unknown += 1
            case Fault.LEFT if voucher is not None:
                await self._left(repairs, counted, voucher)
            case Fault.ENDED if voucher is not None:
                await self._end(repairs, voucher)

    async def _named(self, name: str) -> Voucher | None:
        try:
            return await self.vouchers.find("code", name)
        except Unreadable:
            return None  # it may buy time by a later version's rules

    async def _left(self, repairs: Repairs, counted: Counted, voucher: Voucher) -> None:
        """Have the user of a voucher that moved away off the router; what was used here counts.

        It is counted before the cut takes the counters with it; a death in between counts on.
        """
        entry, now = counted.entries.get(voucher.code), self.clock.now()
        if entry is not None:
            used = Reading.of(entry, await self.router.sessions(user=voucher.code))
            voucher = await evolve(self.vouchers, voucher, lambda v: used_elsewhere(v, used, now))
            if used != Reading(0, 0):
                log.warning(
                    "used at the hotspot that it had left voucher=%s seconds=%d state=%s",
                    voucher.id,
                    used.seconds,
                    voucher.state,
                )
        await self.router.cut(voucher.code)
        repairs.cut += 1
        await self._known_to_be_off(voucher)

    async def _known_to_be_off(self, voucher: Voucher) -> None:
        now = self.clock.now()
        await evolve(self.vouchers, voucher, lambda v: taken_off(v, now))

    async def _end(self, repairs: Repairs, voucher: Voucher) -> None:
        if not _under_way(voucher, self.clock.now()):
            await self.access.end(voucher)
            repairs.cut += 1


async def _tried(repairs: Repairs, step: Callable[[], Awaitable[None]]) -> bool:
    """Take one step, and say whether the router is there for the next."""
    try:
        await step()
    except RouterUnreachable:
        repairs.failed += 1
        return False
    except (RouterRefused, Conflict, ClockInDoubt, Unreadable) as error:
        repairs.failed += 1
        log.warning("one voucher not put right code=%s", error.code)
    except StoreUnavailable:
        raise
    except Exception:
        repairs.failed += 1
        log.exception("one voucher not put right, this is a bug")
    return True


def _under_way(voucher: Voucher, now: datetime) -> bool:
    """Say whether a worker is paying the voucher's debt right now."""
    lease = None if voucher.owed is None else voucher.owed.lease_until
    return lease is not None and now < lease <= now + LEASE
