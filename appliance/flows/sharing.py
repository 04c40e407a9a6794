"""Several devices on one voucher: who is in, and making room, for those who are in themselves."""

import logging
from dataclasses import dataclass

from appliance.domain.devices import Device, Session, seat_id
from appliance.domain.errors import Conflict, RouterRefused, RouterUnreachable
from appliance.domain.vouchers import State, Voucher
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Router, Seats, Vouchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """What the holders of a voucher may see and do of each other."""

    vouchers: Vouchers
    seats: Seats
    router: Router
    clock: Clock
    router_id: str

    async def inside(self, voucher: Voucher, device: Device | None) -> list[Session]:
        """Return who is in with it, this device first, then who has been in the longest.

        Nobody for a device that is not in itself, and as far as the router says nothing.
        """
        here = voucher.state is State.ACTIVE and voucher.router_id == self.router_id
        if device is None or not here or voucher.plan.devices == 1:
            return []
        try:
            sessions = await self.router.sessions(user=voucher.code)
        except (RouterUnreachable, RouterRefused):
            return []
        if all(session.mac != device.mac for session in sessions):
            return []
        return sorted(sessions, key=lambda s: (s.mac != device.mac, -s.uptime, s.mac))

    async def log_out(self, voucher: Voucher, device: Device, other: Session) -> None:
        """Log another of those inside out; it needs the code to come back.

        That it is no longer that device's is stored first. Raises `RouterUnreachable` or
        `RouterRefused`: then the same again completes it.
        """
        if other.mac == device.mac:
            return
        now = self.clock.now()
        await evolve(self.vouchers, voucher, lambda v: v.left_by(other.mac, device, now))
        seat = await self.seats.get(seat_id(self.router_id, other.mac))
        if seat is not None and seat.voucher_id == voucher.id:
            try:
                await self.seats.change(seat, seat.given_up())
            except Conflict:
                log.info("seat taken meanwhile voucher=%s", voucher.id)
        await self.router.leave(voucher.code, other.mac)
        log.info("logged out by another device of it voucher=%s", voucher.id)
