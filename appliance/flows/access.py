"""A voucher lets its devices through the router while it lasts; the router is read back."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from appliance.domain import accounts
from appliance.domain.debts import Kind
from appliance.domain.devices import Device, Seat, seat_id
from appliance.domain.errors import (
    ClockInDoubt,
    Conflict,
    DeviceAbsent,
    Duplicate,
    RouterRefused,
    RouterUnreachable,
)
from appliance.domain.vouchers import State, Voucher
from appliance.flows.evolve import evolve
from appliance.flows.usage import Usage
from appliance.ports import Clock, Router, Seats, Vouchers

log = logging.getLogger(__name__)

# A device that comes back later is brought online by the page it opens.
_LOOK_FOR_DEVICE = timedelta(hours=1)
MOST_PER_DEVICE = 20
"""Vouchers looked at of one device, the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Opens the gate and closes it; what is read back counts, so all of it is safe to repeat."""

    vouchers: Vouchers
    seats: Seats
    router: Router
    usage: Usage
    clock: Clock

    async def pay(self, voucher: Voucher) -> Voucher:
        """Pay what a voucher owes: access or the end of it."""
        if voucher.owed is not None and voucher.owed.kind is Kind.END:
            return await self.end(voucher)
        return await self.grant(voucher)

    async def grant(self, voucher: Voucher) -> Voucher:
        """Put the voucher on the router and its device online; time starts when both are read back.

        It takes three round trips. Raises `DeviceAbsent`, `RouterUnreachable` or `RouterRefused`:
        the debt then stands.
        """
        if not voucher.usable(self.clock.certain()):
            return await self.end(voucher)
        device, account = voucher.device, accounts.fresh(voucher, self.clock.now())
        if device is None:
            await self.router.ensure_user(account)
            return await self._without_device(voucher)
        _, there = await asyncio.gather(
            self.router.ensure_user(account), self.router.sessions(mac=device.mac)
        )
        if not there:
            refusal = await self._login(voucher, device)
            there = await self.router.sessions(mac=device.mac)
            if not there:
                return await self._not_in(voucher, device, refusal)
        if all(session.user != voucher.code for session in there):
            log.info("kept for later, the device is online already voucher=%s", voucher.id)
            return await self._keep_behind(voucher, device)
        return await self._in(voucher, device)

    async def end(self, voucher: Voucher) -> Voucher:
        """Cut off whoever is in with a voucher that has ended; one that has not yet is left alone.

        The device's next paid voucher takes over in the same step. Raises `ClockInDoubt` where
        only the clock could tell, `RouterUnreachable` or `RouterRefused`: the debt then stands.
        """
        if not voucher.ended:
            now = self.clock.certain()
            if now is None:
                raise ClockInDoubt("nothing expires until the time is known")
            voucher = await evolve(self.vouchers, voucher, lambda v: v.timed(now).run_out(now))
            if not voucher.ended:
                return voucher
        were_in = await self.router.sessions(user=voucher.code)
        await self.router.cut(voucher.code)
        log.info(
            "cut off voucher=%s state=%s devices=%d",
            voucher.id,
            voucher.state,
            len({session.mac for session in were_in}),
        )
        own = [] if voucher.device is None else [voucher.device.mac]
        for mac in dict.fromkeys([*own, *(session.mac for session in were_in)]):
            await self._go_on(mac, voucher.router_id)
        return await evolve(self.vouchers, voucher, Voucher.cut)

    async def bring_online(self, voucher: Voucher, device: Device) -> Voucher:
        """Owe this device access and pay at once; what cannot be paid now the worker pays."""
        now, ours = self.clock.now(), list[Voucher]()
        wanted = await self._here(voucher, lambda v: v.wanted_by(device, now), ours.append)
        if not ours:
            return wanted
        try:
            return await self.grant(wanted)
        except (RouterUnreachable, RouterRefused, DeviceAbsent) as error:
            code, soon = error.code, self.clock.now()
            log.warning("not online yet voucher=%s code=%s", voucher.id, code)
        lease = wanted.owed.lease_until if wanted.owed is not None else None
        return await evolve(self.vouchers, wanted, lambda v: v.put_off(lease, soon, code))

    async def _in(self, voucher: Voucher, device: Device) -> Voucher:
        way = self.router.way
        now, certain = self.clock.now(), self.clock.certain() is not None
        after = await evolve(
            self.vouchers, voucher, lambda v: v.online(now, device, certain=certain, way=way)
        )
        if after.ended:  # revoked or used up while it was being let in
            return await self.end(after)
        log.info("online voucher=%s way=%s", voucher.id, way)
        if after.plan.devices > 1:
            await self._seat(after, device)
        return after

    async def _seat(self, voucher: Voucher, device: Device) -> None:
        """Remember this device as one of several: it gets back in by itself."""
        name = seat_id(voucher.router_id, device.mac)
        seat = await self.seats.get(name)
        try:
            if seat is None:
                await self.seats.insert(Seat(id=name, voucher_id=voucher.id))
            elif seat.voucher_id != voucher.id:
                await self.seats.change(seat, seat.taken_for(voucher.id))
        except (Conflict, Duplicate):
            log.info("seat taken meanwhile voucher=%s", voucher.id)

    async def _login(self, voucher: Voucher, device: Device) -> RouterRefused | None:
        """Log in, and return the refusal: what counts is who is online afterwards."""
        try:
            await self.router.login(voucher.code, device)
        except RouterRefused as refusal:
            return refusal
        return None

    async def _not_in(
        self, voucher: Voucher, device: Device, refusal: RouterRefused | None
    ) -> Voucher:
        """Decide about a login that left nobody online; its device may have another address."""
        if refusal is not None and refusal.used_up:
            return await self._spent(voucher, refusal)
        seen = await self.router.host(mac=device.mac)
        if seen is None:
            return await self._without_device(voucher)
        if seen != device:
            return await self.grant(await evolve(self.vouchers, voucher, lambda v: v.seen(seen)))
        raise refusal or RouterRefused("the login is not in the active table")

    async def _spent(self, voucher: Voucher, refusal: RouterRefused) -> Voucher:
        """Decide about a limit the router holds against it: the books say whether all was used."""
        counted = await self.usage.of_one(voucher)
        if counted is None:
            raise refusal
        after, reading = counted
        if after.ended:
            return await self.end(after)
        await self.router.set_limits(accounts.after(after, self.clock.now(), reading))
        raise refusal

    async def _without_device(self, voucher: Voucher) -> Voucher:
        """Leave the voucher ready on the router; after an hour nobody looks for its device."""
        since = voucher.paid_at or voucher.created_at
        if self.clock.now() - since > _LOOK_FOR_DEVICE:
            return await self._keep(voucher)
        await self._here(voucher, Voucher.on_router)
        raise DeviceAbsent("its device is not on the hotspot")

    async def _keep_behind(self, voucher: Voucher, device: Device) -> Voucher:
        """Keep it for after what the device is in with, which may end in this very moment."""
        kept = await self._keep(voucher)
        here = kept.router_id == voucher.router_id and not kept.ended
        if here and not await self.router.sessions(mac=device.mac):
            return await self.bring_online(kept, device)
        return kept

    async def _keep(self, voucher: Voucher) -> Voucher:
        device, now = voucher.device, self.clock.now()
        after = await self._here(voucher, lambda v: v.kept(device, now))
        ours = after.router_id == voucher.router_id
        return await self.end(after) if ours and after.ended else after

    async def _here(
        self,
        voucher: Voucher,
        step: Callable[[Voucher], Voucher],
        then: Callable[[Voucher], None] | None = None,
    ) -> Voucher:
        """Return the voucher after `step`; one that moved to another hotspot meanwhile stays."""
        home = voucher.router_id
        return await evolve(
            self.vouchers, voucher, lambda v: step(v) if v.router_id == home else v, then
        )

    async def _go_on(self, mac: str, router_id: str) -> None:
        """Start the oldest voucher that this device has paid for and kept, if there is one."""
        for voucher in reversed(await self.vouchers.page("device.mac", mac, MOST_PER_DEVICE)):
            waits = voucher.state in {State.PAID, State.READY} and voucher.router_id == router_id
            if waits and voucher.device is not None:
                await self.bring_online(voucher, voucher.device)
                return
