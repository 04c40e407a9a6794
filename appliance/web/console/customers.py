"""Customers: what somebody bought with a phone, which stands in no address."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from aiohttp import web

from appliance import ports
from appliance.domain import phones
from appliance.domain.errors import Invalid
from appliance.domain.messages import Kind, Message
from appliance.domain.queries import Cursor
from appliance.flows.messages import about
from appliance.flows.reports import Purchase, Reports
from appliance.web.console.shell import done, form_of, page

_PAGE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPages:
    """A customer's page is named by one of their payments: no log on the way has a phone in it."""

    payments: ports.Payments
    messages: ports.Messages
    reports: Reports
    title: str = "Customers"
    path: str = "/customers"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(self.path, self._ask),
            web.post(self.path, self._find),
            web.get(f"{self.path}/{{payment_id}}", self._one),
        ]

    async def _ask(self, request: web.Request) -> web.Response:
        return page(request, "customers.html", problem="", typed="")

    async def _find(self, request: web.Request) -> web.Response:
        typed = (await form_of(request)).get("phone", "").strip()[:40]
        try:
            found = await self.reports.customer(typed, 1)
        except Invalid:
            problem = "That is no Kenyan mobile number. Write it as 0712 345 678, or with 254."
            return page(request, "customers.html", status=400, problem=problem, typed=typed)
        if not found.purchases:
            problem = "Nobody has bought anything with this number."
            return page(request, "customers.html", status=404, problem=problem, typed=typed)
        raise done(self._at(found.purchases[0].payment.id))

    async def _one(self, request: web.Request) -> web.Response:
        payment = await self.payments.get(request.match_info["payment_id"])
        if payment is None:
            raise web.HTTPNotFound
        before = request.query.get("before")
        try:
            place = Cursor.read(before) if before else None
            phone = phones.normalise(payment.phone)
        except Invalid:
            raise web.HTTPNotFound from None
        found = await self.reports.customer(phone, _PAGE, place)
        here = self._at(payment.id)
        return page(
            request,
            "customer.html",
            masked=phones.masked(phone),
            phone=phones.local(phone),
            purchases=found.purchases,
            devices=_devices(found.purchases),
            messages=await self._messages(found.purchases),
            older=f"{here}?before={found.more}" if found.more else "",
            first=here if before else "",
        )

    async def _messages(self, purchases: Sequence[Purchase]) -> list[Message]:
        """Return what was sent about these vouchers, the newest first."""
        keys = [
            about(kind, purchase.voucher.id)
            for purchase in purchases
            if purchase.voucher is not None
            for kind in (Kind.RECEIPT, Kind.REMINDER)
        ]
        found = await asyncio.gather(*(self.messages.find("about", key) for key in keys))
        sent = [message for message in found if message is not None]
        return sorted(sent, key=lambda message: message.created_at, reverse=True)

    def _at(self, payment_id: str) -> str:
        return f"{self.path}/{quote(payment_id, safe='')}"


def _devices(purchases: Sequence[Purchase]) -> list[str]:
    """Return the MAC of each device that these were used or asked for with, the latest first."""
    seen = dict[str, None]()
    for purchase in purchases:
        for one in (purchase.voucher, purchase.payment):
            if one is not None and one.device is not None:
                seen[one.device.mac] = None
    return list(seen)
