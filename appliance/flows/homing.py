"""Money paid by hand buys a voucher of whichever box heard of it; its holder may be at another."""

import logging
from dataclasses import dataclass

from appliance.domain.devices import Device
from appliance.domain.errors import Invalid, SalesClosed
from appliance.domain.homing import movable, moved
from appliance.domain.payments import State
from appliance.domain.vouchers import Voucher
from appliance.flows.cashier import Cashier
from appliance.flows.evolve import evolve
from appliance.ports import Clock, Payments, Vouchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Homing:
    """Brings such a voucher to this hotspot at once; the other box takes it off its own router."""

    payments: Payments
    vouchers: Vouchers
    cashier: Cashier
    clock: Clock
    router_id: str

    async def bring_here(self, voucher: Voucher, device: Device | None) -> Voucher:
        """Return another hotspot's voucher as this one's, owing this device access.

        Raises `Invalid` unless it was sold by hand, for money into the account that this hotspot
        sells through, and nobody has used it.
        """
        if not movable(voucher) or not await self._sold_by_hand(voucher):
            raise Invalid("code_elsewhere", "code")
        if device is None:
            raise Invalid("device_unknown", "code")
        now = self.clock.now()
        here = await evolve(self.vouchers, voucher, lambda v: moved(v, self.router_id, device, now))
        if here.router_id != self.router_id:  # it was used meanwhile
            raise Invalid("code_elsewhere", "code")
        log.info("moved here voucher=%s from=%s", here.id, here.moved_from)
        return here

    async def _sold_by_hand(self, voucher: Voucher) -> bool:
        payment = await self.payments.get(voucher.payment_id) if voucher.payment_id else None
        if payment is None or payment.asked_for or payment.voucher_id != voucher.id:
            return False
        if payment.state is not State.PAID:
            return False
        try:
            return payment.paybill_number == await self.cashier.paybill_number()
        except SalesClosed:
            return False
