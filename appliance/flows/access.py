"""A paid voucher lets its device through the router, and the router is read back."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from appliance.domain.devices import Device
from appliance.domain.errors import DeviceAbsent, RouterRefused
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Router, Vouchers

log = logging.getLogger(__name__)

# A device that comes back later is brought online by the page it opens.
_LOOK_FOR_DEVICE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Grant access; every step looks first, so it is safe to repeat after any crash."""

    vouchers: Vouchers
    router: Router
    clock: Clock

    async def grant(self, voucher: Voucher) -> Voucher:
        """Put the voucher on the router and its device online; time starts when both are read back.

        Raises `DeviceAbsent`, `RouterUnreachable` or `RouterRefused`: the debt then stands.
        """
        if not voucher.usable(self.clock.now()):
            return await evolve(self.vouchers, voucher, Voucher.over)
        await self.router.ensure_user(voucher.account())
        device = None if voucher.device is None else await self.router.host(mac=voucher.device.mac)
        if device is None:
            return await self._without_device(voucher)
        others = await self.router.sessions(mac=device.mac)
        if any(session.user != voucher.code for session in others):
            log.info("kept for later, the device is online already voucher=%s", voucher.id)
            return await evolve(self.vouchers, voucher, lambda v: v.kept(voucher.device))
        if not others:
            try:
                await self.router.login(voucher.code, device)
            except RouterRefused as error:
                if not error.used_up:
                    raise
                return await evolve(self.vouchers, voucher, Voucher.over)
        return await self._confirmed(voucher, device)

    async def _without_device(self, voucher: Voucher) -> Voucher:
        """Leave the voucher ready on the router; after an hour nobody looks for its device."""
        since = voucher.paid_at or voucher.created_at
        if self.clock.now() - since > _LOOK_FOR_DEVICE:
            return await evolve(self.vouchers, voucher, lambda v: v.kept(voucher.device))
        await evolve(self.vouchers, voucher, Voucher.on_router)
        raise DeviceAbsent("its device is not on the hotspot")

    async def _confirmed(self, voucher: Voucher, device: Device) -> Voucher:
        """Start the time only when the router itself says that the device is online."""
        sessions = await self.router.sessions(user=voucher.code)
        if all(session.mac != device.mac for session in sessions):
            raise RouterRefused("the login is not in the active table")
        now = self.clock.now()
        after = await evolve(self.vouchers, voucher, lambda v: v.online(now, device))
        log.info("online voucher=%s", voucher.id)
        return after
