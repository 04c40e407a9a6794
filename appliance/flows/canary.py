"""A canary goes the way of every voucher that is kept for later: on the router, read back, cut."""

import logging
from contextlib import suppress
from dataclasses import dataclass

from appliance.domain.canary import LASTS, Outcome, hatched
from appliance.domain.errors import ApplianceError, DeviceAbsent, RouterRefused, SalesClosed
from appliance.domain.plans import Plan
from appliance.domain.vouchers import Voucher
from appliance.flows.access import Access
from appliance.flows.evolve import evolve, load
from appliance.ports import Clock, Plans, Router, Vouchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Sends one at a time. No money and no customer's device is in it.

    What is left of one that could not be taken back goes when its minute is over: its end has
    been owed since its birth.
    """

    vouchers: Vouchers
    plans: Plans
    router: Router
    access: Access
    clock: Clock
    router_id: str

    async def send(self) -> Outcome:
        """Send one and return what became of it; nothing that goes wrong is raised."""
        at, born = self.clock.now(), self.clock.monotonic()
        granted, way, trouble = None, None, None
        try:
            canary = hatched(await self._like(), self.router_id, at)
            await self.vouchers.insert(canary)
            try:
                await self._put_on(canary)
                granted, way = self.clock.monotonic() - born, self.router.way
            finally:
                await self._take_back(canary)
        except ApplianceError as error:
            trouble = f"{error.code}: {error}"
        seconds = self.clock.monotonic() - born
        if trouble is None:
            log.info("canary came back way=%s seconds=%.3f", way, seconds)
        else:
            log.error("canary did not come back: %s", trouble)
        return Outcome(at=at, seconds=seconds, granted_seconds=granted, way=way, trouble=trouble)

    async def _like(self) -> Plan:
        """Return the first plan that is for sale: its profile is one that customers get."""
        plans = await self.plans.page("active", value=True, limit=100)
        if not plans:
            raise SalesClosed("no plan is for sale")
        return min(plans, key=lambda plan: plan.order)

    async def _put_on(self, canary: Voucher) -> None:
        with suppress(DeviceAbsent):  # which it is: nobody's
            await self.access.grant(canary)
        found = [user for user in await self.router.users(name=canary.code) if not user.disabled]
        if not found:
            raise RouterRefused("it took the canary, and does not show it")
        if found[0].limit_uptime is None or found[0].limit_uptime > LASTS:
            raise RouterRefused("it took the canary, and not its limit")

    async def _take_back(self, canary: Voucher) -> None:
        now = self.clock.now()
        latest = await load(self.vouchers, canary.id)
        await self.access.end(await evolve(self.vouchers, latest, lambda v: v.revoked(now)))
        if await self.router.users(name=canary.code):
            raise RouterRefused("it was told to forget the canary, and still shows it")
