"""Somebody holds a voucher and wants to be online with it."""

import logging
from dataclasses import dataclass

from appliance.domain import ids
from appliance.domain.devices import Device, Session, seat_id
from appliance.domain.errors import DeviceAbsent, Invalid, RouterRefused, RouterUnreachable
from appliance.domain.vouchers import State, Voucher
from appliance.flows.access import MOST_PER_DEVICE, Access
from appliance.flows.homing import Homing
from appliance.ports import Clock, Router, Seats, Vouchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """By typed code, by the page of one's own purchase, or by just coming back."""

    vouchers: Vouchers
    seats: Seats
    router: Router
    access: Access
    homing: Homing
    clock: Clock
    router_id: str

    async def by_code(self, typed: str, device: Device | None, *, move: bool = False) -> Voucher:
        """Return the voucher on its way to this device; raise `Invalid` with the sentence.

        Where as many devices are online with it as its plan allows, `move` logs the one out that
        has been in the longest; without it that is `code_in_use`.
        """
        code = ids.typed_voucher_code(typed)
        voucher = await self.vouchers.find("code", code) if code else None
        if voucher is None or voucher.state is State.UNPAID:
            raise Invalid("code_unknown", "code")
        if voucher.router_id != self.router_id:
            voucher = await self.homing.bring_here(voucher, device)
        if not voucher.usable(self.clock.certain()):
            raise Invalid("code_expired", "code")
        if device is None:
            raise Invalid("device_unknown", "code")
        await self._make_room(voucher, device, move=move)
        brought = await self.access.bring_online(voucher, device)
        if brought.router_id != self.router_id:  # another hotspot was a moment faster
            raise Invalid("code_elsewhere", "code")
        return brought

    async def returning(self, known: list[Voucher], device: Device) -> Voucher | None:
        """Return the first usable of the device's vouchers, logged in again where it was not.

        One that others use up to its plan's limit stays theirs: this device was moved away from.
        """
        for voucher in self.usable(known):
            sessions = await self._sessions(voucher)
            if any(session.mac == device.mac for session in sessions):
                return voucher
            if len(sessions) >= voucher.plan.devices:
                continue
            brought = await self.access.bring_online(voucher, device)
            if brought.usable(self.clock.certain()):
                return brought
        return None

    async def known(self, device: Device) -> list[Voucher]:
        """Return the device's vouchers on this hotspot, the newest first, then one it shares."""
        found = await self.vouchers.page("device.mac", device.mac, MOST_PER_DEVICE)
        seat = await self.seats.get(seat_id(self.router_id, device.mac))
        if seat is not None and all(voucher.id != seat.voucher_id for voucher in found):
            shared = await self.vouchers.get(seat.voucher_id)
            found += [] if shared is None else [shared]
        return [voucher for voucher in found if voucher.router_id == self.router_id]

    def usable(self, known: list[Voucher]) -> list[Voucher]:
        """Return what still buys time; the one already running comes first.

        A second one bought meanwhile keeps its whole time.
        """
        now = self.clock.certain()
        usable = [voucher for voucher in known if voucher.usable(now)]
        return sorted(usable, key=lambda v: (v.state is not State.ACTIVE, v.created_at))

    async def follows(self, voucher: Voucher) -> bool:
        """Say whether a paid voucher starts by itself, when its device's present time ends."""
        if voucher.device is None or voucher.state not in {State.PAID, State.READY}:
            return False
        usable = self.usable(await self.known(voucher.device))
        return bool(usable) and usable[0].state is State.ACTIVE

    async def adopt(self, voucher: Voucher, device: Device | None) -> Voucher:
        """Let a device in whose page shows a paid voucher that waits for it, or for any device."""
        if device is None or voucher.state not in {State.PAID, State.READY}:
            return voucher
        if voucher.router_id != self.router_id:
            return voucher
        missed = voucher.owed is not None and voucher.owed.last_error == DeviceAbsent.code
        if voucher.device is None or (missed and voucher.device.mac == device.mac):
            return await self.access.bring_online(voucher, device)
        return voucher

    async def _sessions(self, voucher: Voucher) -> list[Session]:
        """Return who is in with a running voucher; nobody, as far as the router says nothing."""
        if voucher.state is not State.ACTIVE:
            return []
        try:
            return await self.router.sessions(user=voucher.code)
        except (RouterUnreachable, RouterRefused):
            return []

    async def _make_room(self, voucher: Voucher, device: Device, *, move: bool) -> None:
        if voucher.state is not State.ACTIVE:
            return
        sessions = await self.router.sessions(user=voucher.code)
        others = [session for session in sessions if session.mac != device.mac]
        too_many = len(others) - voucher.plan.devices + 1
        if too_many <= 0:
            return
        if not move:
            raise Invalid("code_in_use", "code")
        for session in sorted(others, key=lambda s: s.uptime, reverse=True)[:too_many]:
            await self.router.leave(voucher.code, session.mac)
            log.info("moved to another device voucher=%s", voucher.id)
