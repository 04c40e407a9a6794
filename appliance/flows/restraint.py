"""Who may have another phone prompted: a customer may try again, a prankster rings nobody up.

Counted by phone and by device, as the router sees it; never by address, which many may share.
"""

from dataclasses import dataclass

from appliance.domain.devices import Device
from appliance.domain.errors import TooMany
from appliance.domain.payments import PROMPTS_AT_ONCE, Payment, until_next_prompt
from appliance.domain.vouchers import State
from appliance.flows.bounds import Bounds, Rate
from appliance.ports import Clock, Payments, Vouchers

_MINUTE = 60.0
_BY_UNKNOWN_DEVICES = 30
# Some of what is looked back at may never have rung.
_LOOK_BACK = 2 * PROMPTS_AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Restraint:
    """Asked before anything of a purchase is stored."""

    payments: Payments
    vouchers: Vouchers
    clock: Clock
    known: Bounds
    """By device: holds where many are asked for in the same moment."""
    unknown: Bounds
    """For devices that the router does not see, or while it is away."""

    async def check(self, phone: str, device: Device | None) -> None:
        """Raise `TooMany` where this phone or this device had enough prompts that nobody paid."""
        now, newest = self.clock.now(), await self.payments.page("phoneNumber", phone, _LOOK_BACK)
        if any(payment.open_phone for payment in newest):
            return  # it is that same purchase again, or it has to wait for it
        wait = until_next_prompt(newest, now)
        if device is not None and not wait:
            wait = until_next_prompt(await self._sent_by(device), now)
        if wait:
            raise TooMany(wait.total_seconds(), "phone", "too_many_prompts")
        bounds, name = (self.unknown, phone) if device is None else (self.known, device.mac)
        if seconds := bounds.take(name):
            raise TooMany(seconds, "phone")

    async def _sent_by(self, device: Device) -> list[Payment]:
        """Return what this device asked for lately, the newest first; often none is looked up."""
        vouchers = await self.vouchers.page("device.mac", device.mac, _LOOK_BACK)
        if sum(voucher.state is State.UNPAID for voucher in vouchers) < PROMPTS_AT_ONCE:
            return []
        found = [await self.payments.get(v.payment_id) for v in vouchers if v.payment_id]
        return [payment for payment in found if payment is not None]


def restrained(payments: Payments, vouchers: Vouchers, clock: Clock, most: int) -> Restraint:
    """Return what lets through no more than `most` prompts a minute altogether."""
    each, altogether = Rate(PROMPTS_AT_ONCE, _MINUTE), Rate(most, _MINUTE)
    few = Rate(min(most, _BY_UNKNOWN_DEVICES), _MINUTE)
    return Restraint(
        payments=payments,
        vouchers=vouchers,
        clock=clock,
        known=Bounds(clock=clock, each=each, everybody=altogether),
        unknown=Bounds(clock=clock, each=each, everybody=few),
    )
