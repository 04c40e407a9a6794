"""A paid voucher lets its device through the router, and the router is read back."""

import logging
from dataclasses import dataclass

from appliance.domain.devices import Device
from appliance.domain.errors import DeviceAbsent, RouterRefused
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Router, Vouchers

log = logging.getLogger(__name__)


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
            return await evolve(self.vouchers, voucher, Voucher.kept)
        await self.router.ensure_user(voucher.account())
        device = await self._present(voucher)
        others = await self.router.sessions(mac=device.mac)
        if any(session.user != voucher.code for session in others):
            log.info("kept for later, the device is online already voucher=%s", voucher.id)
            return await evolve(self.vouchers, voucher, Voucher.kept)
        if not others:
            try:
                await self.router.login(voucher.code, device)
            except RouterRefused as error:
                if not error.used_up:
                    raise
                return await evolve(self.vouchers, voucher, Voucher.used_up)
        return await self._confirmed(voucher, device)

    async def _present(self, voucher: Voucher) -> Device:
        """Return the device as the router sees it now; without one the voucher stays ready."""
        wanted = voucher.device
        device = None if wanted is None else await self.router.host(mac=wanted.mac)
        if device is None:
            await evolve(self.vouchers, voucher, Voucher.on_router)
            raise DeviceAbsent("its device is not on the hotspot")
        return device

    async def _confirmed(self, voucher: Voucher, device: Device) -> Voucher:
        """Start the time only when the router itself says that the device is online."""
        sessions = await self.router.sessions(user=voucher.code)
        if all(session.mac != device.mac for session in sessions):
            raise RouterRefused("the login is not in the active table")
        now = self.clock.now()
        after = await evolve(self.vouchers, voucher, lambda v: v.online(now, device))
        log.info("online voucher=%s", voucher.id)
        return after
