"""Somebody holds a voucher and wants to be online with it."""

import logging
from dataclasses import dataclass

from appliance.domain import ids
from appliance.domain.devices import Device
from appliance.domain.errors import DeviceAbsent, Invalid, RouterRefused, RouterUnreachable
from appliance.domain.vouchers import State, Voucher
from appliance.flows.access import Access
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Router, Vouchers

log = logging.getLogger(__name__)

_MOST_PER_DEVICE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """By typed code, by the page of one's own purchase, or by just coming back."""

    vouchers: Vouchers
    router: Router
    access: Access
    clock: Clock
    router_id: str

    async def by_code(self, typed: str, device: Device | None) -> Voucher:
        """Return the voucher on its way to this device; raise `Invalid` with the sentence."""
        code = ids.typed_voucher_code(typed)
        voucher = await self.vouchers.find("code", code) if code else None
        if voucher is None or voucher.state is State.UNPAID:
            raise Invalid("code_unknown", "code")
        if voucher.router_id != self.router_id:
            raise Invalid("code_elsewhere", "code")
        if not voucher.usable(self.clock.now()):
            raise Invalid("code_expired", "code")
        if device is None:
            raise Invalid("device_unknown", "code")
        await self._refuse_in_use(voucher, device)
        return await self.bring_online(voucher, device)

    async def returning(self, known: list[Voucher], device: Device) -> Voucher | None:
        """Return the first usable of the device's vouchers, logged in again where it was not."""
        for voucher in self.usable(known):
            if await self._is_online(voucher, device):
                return voucher
            brought = await self.bring_online(voucher, device)
            if brought.usable(self.clock.now()):
                return brought
        return None

    async def known(self, device: Device) -> list[Voucher]:
        """Return the device's vouchers on this hotspot, the newest first."""
        found = await self.vouchers.page("device.mac", device.mac, _MOST_PER_DEVICE)
        return [voucher for voucher in found if voucher.router_id == self.router_id]

    def usable(self, known: list[Voucher]) -> list[Voucher]:
        """Return what still buys time; the one already running comes first.

        A second one bought meanwhile keeps its whole time.
        """
        now = self.clock.now()
        usable = [voucher for voucher in known if voucher.usable(now)]
        return sorted(usable, key=lambda v: (v.state is not State.ACTIVE, v.created_at))

    async def adopt(self, voucher: Voucher, device: Device | None) -> Voucher:
        """Let a device in whose page shows a paid voucher that waits for it, or for any device."""
        if device is None or voucher.state not in {State.PAID, State.READY}:
            return voucher
        missed = voucher.owed is not None and voucher.owed.last_error == DeviceAbsent.code
        if voucher.device is None or (missed and voucher.device.mac == device.mac):
            return await self.bring_online(voucher, device)
        return voucher

    async def bring_online(self, voucher: Voucher, device: Device) -> Voucher:
        """Owe this device access and pay at once; what cannot be paid now the worker pays."""
        now, ours = self.clock.now(), list[Voucher]()
        wanted = await evolve(
            self.vouchers, voucher, lambda v: v.wanted_by(device, now), then=ours.append
        )
        if not ours:
            return wanted
        try:
            return await self.access.grant(wanted)
        except (RouterUnreachable, RouterRefused, DeviceAbsent) as error:
            code, soon = error.code, self.clock.now()
            log.warning("not online yet voucher=%s code=%s", voucher.id, code)
        lease = wanted.owed.lease_until if wanted.owed is not None else None
        return await evolve(self.vouchers, wanted, lambda v: v.put_off(lease, soon, code))

    async def _is_online(self, voucher: Voucher, device: Device) -> bool:
        if voucher.state is not State.ACTIVE:
            return False
        try:
            sessions = await self.router.sessions(mac=device.mac)
        except (RouterUnreachable, RouterRefused):
            return False
        return any(session.user == voucher.code for session in sessions)

    async def _refuse_in_use(self, voucher: Voucher, device: Device) -> None:
        if voucher.state is not State.ACTIVE:
            return
        sessions = await self.router.sessions(user=voucher.code)
        others = [session for session in sessions if session.mac != device.mac]
        if len(others) >= voucher.plan.devices:
            raise Invalid("code_in_use", "code")
