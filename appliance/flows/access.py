"""A paid voucher lets its device through the router, and the router is read back."""

import asyncio
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
    """Grant access in three round trips; what is read back counts, so it is safe to repeat."""

    vouchers: Vouchers
    router: Router
    clock: Clock

    async def grant(self, voucher: Voucher) -> Voucher:
        """Put the voucher on the router and its device online; time starts when both are read back.

        Raises `DeviceAbsent`, `RouterUnreachable` or `RouterRefused`: the debt then stands.
        """
        if not voucher.usable(self.clock.now()):
            return await evolve(self.vouchers, voucher, Voucher.over)
        device = voucher.device
        if device is None:
            await self.router.ensure_user(voucher.account())
            return await self._without_device(voucher)
        _, there = await asyncio.gather(
            self.router.ensure_user(voucher.account()), self.router.sessions(mac=device.mac)
        )
        if not there:
            refusal = await self._login(voucher, device)
            there = await self.router.sessions(mac=device.mac)
            if not there:
                return await self._not_in(voucher, device, refusal)
        if all(session.user != voucher.code for session in there):
            log.info("kept for later, the device is online already voucher=%s", voucher.id)
            return await evolve(self.vouchers, voucher, lambda v: v.kept(device))
        now = self.clock.now()
        after = await evolve(self.vouchers, voucher, lambda v: v.online(now, device))
        log.info("online voucher=%s", voucher.id)
        return after

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
            return await evolve(self.vouchers, voucher, Voucher.over)
        seen = await self.router.host(mac=device.mac)
        if seen is None:
            return await self._without_device(voucher)
        if seen != device:
            return await self.grant(await evolve(self.vouchers, voucher, lambda v: v.seen(seen)))
        raise refusal or RouterRefused("the login is not in the active table")

    async def _without_device(self, voucher: Voucher) -> Voucher:
        """Leave the voucher ready on the router; after an hour nobody looks for its device."""
        since = voucher.paid_at or voucher.created_at
        if self.clock.now() - since > _LOOK_FOR_DEVICE:
            return await evolve(self.vouchers, voucher, lambda v: v.kept(voucher.device))
        await evolve(self.vouchers, voucher, Voucher.on_router)
        raise DeviceAbsent("its device is not on the hotspot")
