"""Whose account a purchase is paid into."""

import logging
from dataclasses import dataclass

from appliance.domain.errors import SalesClosed
from appliance.domain.paybills import Paybill, RouterRecord
from appliance.ports import Cipher, Paybills, Routers, Users

log = logging.getLogger(__name__)

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Selling:
    """Where a router's money goes."""

    router: RouterRecord
    number: str | None
    """None where nothing can be sold."""
    why: str = ""


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
        try:
            paybill = await self._paybill(await self.routers.get(self.router_id))
        except SalesClosed as error:
            log.error("sales closed, %s", error)
            raise
        return paybill.paybill_info.number

    async def checked(self, number: str) -> str:
        """Return this number if it could be sold through; raise `SalesClosed`."""
        return self._fit(await self._named(number)).paybill_info.number

    async def everywhere(self) -> list[Selling]:
        """Return every router that the database knows, this box's first, and where it sells."""
        known = {router.id: router for router in await self.routers.page(None, None, _MOST)}
        known.setdefault(self.router_id, RouterRecord(id=self.router_id))
        routers = sorted(known.values(), key=lambda r: (r.id != self.router_id, r.name, r.id))
        return [await self._selling(router) for router in routers]

    async def _selling(self, router: RouterRecord) -> Selling:
        try:
            paybill = await self._paybill(router)
        except SalesClosed as error:
            return Selling(router, None, str(error))
        return Selling(router, paybill.paybill_info.number)

    async def _paybill(self, router: RouterRecord | None) -> Paybill:
        chosen = await self._owners_choice(router)
        return self._fit(await self._company() if chosen is None else await self._named(chosen))

    def _fit(self, paybill: Paybill) -> Paybill:
        number, theirs = paybill.paybill_info.number, paybill.config.environment
        if theirs != self.environment:
            raise SalesClosed(f"paybill {number} is {theirs}, daraja.environment is not")
        self._check_keys(paybill)
        return paybill

    def _check_keys(self, paybill: Paybill) -> None:
        """Find out before a customer does that no key fits the paybill's secrets."""
        try:
            for secret in paybill.credentials.secrets:
                self.cipher.open(secret)
        except SalesClosed as error:
            raise SalesClosed(f"paybill {paybill.paybill_info.number}: {error}") from None

    async def _owners_choice(self, router: RouterRecord | None) -> str | None:
        if router is None or router.user_id is None:
            return None
        owner = await self.users.get(router.user_id)
        return None if owner is None else owner.payment_settings.paybill_number

    async def _named(self, number: str) -> Paybill:
        paybill = await self.paybills.find("paybillInfo.number", number)
        if paybill is None or paybill.status != "active":
            why = "missing" if paybill is None else "inactive"
            raise SalesClosed(f"paybill {number} is {why}")
        return paybill

    async def _company(self) -> Paybill:
        active = await self.paybills.page("status", "active", 100)
        company = [paybill for paybill in active if paybill.user_id is None]
        if company:
            return min(company, key=lambda paybill: paybill.id)  # the first, whatever comes later
        raise SalesClosed("no active company paybill")
