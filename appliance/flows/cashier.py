"""Whose account a purchase is paid into."""

import logging
from dataclasses import dataclass

from appliance.domain.errors import SalesClosed
from appliance.domain.paybills import Paybill
from appliance.ports import Cipher, Paybills, Routers, Users

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Cashier:
    """The router owner's paybill; without one, the company's."""

    paybills: Paybills
    routers: Routers
    users: Users
    router_id: str
    environment: str
    """The Daraja this box sells on: a paybill of the other one would take no real money."""
    cipher: Cipher

    async def paybill_number(self) -> str:
        """Return the number to charge for; raise `SalesClosed` with the operator's reason."""
        chosen = await self._owners_choice()
        paybill = await self._company() if chosen is None else await self._named(chosen)
        number, theirs = paybill.paybill_info.number, paybill.config.environment
        if theirs != self.environment:
            log.error("sales closed, the paybill is of another environment number=%s", number)
            raise SalesClosed(f"paybill {number} is {theirs}, daraja.environment is not")
        self._check_keys(paybill)
        return number

    def _check_keys(self, paybill: Paybill) -> None:
        """Find out before a customer does that no key fits the paybill's secrets."""
        try:
            for secret in paybill.credentials.secrets:
                self.cipher.open(secret)
        except SalesClosed as error:
            log.error("sales closed, %s number=%s", error, paybill.paybill_info.number)
            raise

    async def _owners_choice(self) -> str | None:
        router = await self.routers.get(self.router_id)
        if router is None or router.user_id is None:
            return None
        owner = await self.users.get(router.user_id)
        return None if owner is None else owner.payment_settings.paybill_number

    async def _named(self, number: str) -> Paybill:
        paybill = await self.paybills.find("paybillInfo.number", number)
        if paybill is None or paybill.status != "active":
            why = "missing" if paybill is None else "inactive"
            log.error("sales closed, the owner's paybill is %s number=%s", why, number)
            raise SalesClosed(f"paybill {number} is {why}")
        return paybill

    async def _company(self) -> Paybill:
        active = await self.paybills.page("status", "active", 100)
        company = [paybill for paybill in active if paybill.user_id is None]
        if company:
            return min(company, key=lambda paybill: paybill.id)  # the first, whatever comes later
        log.error("sales closed, no active company paybill and no owner's choice")
        raise SalesClosed("no active company paybill")
