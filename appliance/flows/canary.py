"""A canary goes the way of every voucher: on the router, read back, cut.

Where the operator has named a device of his own, that one is in with it meanwhile.
"""

import logging
from dataclasses import dataclass, replace

from appliance.domain.canary import ABSENT, CANARY, IN_USE, LASTS, Outcome, forgotten, hatched
from appliance.domain.devices import Device
from appliance.domain.errors import ApplianceError, DeviceAbsent, RouterRefused, SalesClosed
from appliance.domain.plans import Plan
from appliance.domain.vouchers import State, Voucher
from appliance.flows.access import Access
from appliance.flows.evolve import evolve, load
from appliance.flows.redeem import Redeem
from appliance.ports import Clock, Plans, Router, Vouchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Sends one at a time. No money and no customer's device is in it.

    What is left of one that could not be taken back goes when its minute is over, whoever is in
    with it: its end has been owed since its birth.
    """

    vouchers: Vouchers
    plans: Plans
    router: Router
    access: Access
    redeem: Redeem
    clock: Clock
    router_id: str
    mac: str | None = None
    """The only device that is ever logged in, while it has nothing of its own; None for none."""

    async def send(self) -> Outcome:
        """Send one and return what became of it; nothing that goes wrong is raised."""
        outcome, born = Outcome(at=self.clock.now(), seconds=0.0), self.clock.monotonic()
        try:
            device, left_alone = await self._device()
            outcome = replace(outcome, left_alone=left_alone)
            like = await self._like(alone=device is not None)
            canary = hatched(like, self.router_id, outcome.at, device)
            await self.vouchers.insert(canary)
            try:
                outcome = await self._put_on(canary, outcome, born)
            finally:
                await self._take_back(canary)
        except ApplianceError as error:
            outcome = replace(outcome, trouble=f"{error.code}: {error}")
        outcome = replace(outcome, seconds=self.clock.monotonic() - born)
        if outcome.trouble is None:
            log.info("canary came back way=%s seconds=%.3f", outcome.way, outcome.seconds)
        else:
            log.error("canary did not come back: %s", outcome.trouble)
        return outcome

    async def _like(self, *, alone: bool) -> Plan:
        """Return the first plan that is for sale: its profile is one that customers get.

        For a device, the first that is for one alone: who shares one keeps a seat.
        """
        plans = await self.plans.page("active", value=True, limit=100)
        if not plans:
            raise SalesClosed("no plan is for sale")
        return min(plans, key=lambda plan: (alone and plan.devices > 1, plan.order))

    async def _device(self) -> tuple[Device | None, str | None]:
        """Return the device to log in, or why there is none where one is named."""
        if self.mac is None:
            return None, None
        device = await self.router.host(mac=self.mac)
        if device is None:
            return None, ABSENT
        known = await self.redeem.known(device)
        for one in known:
            if one.plan.id == CANARY and one.ended:  # it died before it was forgotten
                await evolve(self.vouchers, one, forgotten)
        if self.redeem.usable(known) or await self.router.sessions(mac=self.mac):
            return None, IN_USE
        return device, None

    async def _put_on(self, canary: Voucher, outcome: Outcome, born: float) -> Outcome:
        try:
            granted = await self.access.grant(canary)
        except DeviceAbsent:
            if canary.device is not None:  # else it is nobody's
                outcome = replace(outcome, left_alone=ABSENT)
        else:
            if granted.state is State.ACTIVE:
                outcome = replace(outcome, online_seconds=self.clock.monotonic() - born)
            else:
                outcome = replace(outcome, left_alone=IN_USE)
        found = [user for user in await self.router.users(name=canary.code) if not user.disabled]
        if not found:
            raise RouterRefused("it took the canary, and does not show it")
        if found[0].limit_uptime is None or found[0].limit_uptime > LASTS:
            raise RouterRefused("it took the canary, and not its limit")
        granted_seconds = self.clock.monotonic() - born
        return replace(outcome, granted_seconds=granted_seconds, way=self.router.way)

    async def _take_back(self, canary: Voucher) -> None:
        now = self.clock.now()
        latest = await load(self.vouchers, canary.id)
        ended = await self.access.end(await evolve(self.vouchers, latest, lambda v: v.revoked(now)))
        if await self.router.users(name=canary.code):
            raise RouterRefused("it was told to forget the canary, and still shows it")
        await evolve(self.vouchers, ended, forgotten)
