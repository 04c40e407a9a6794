"""Safaricom's books held against ours: a statement from its portal, or what it lists if asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation

from aiohttp import web

from appliance import ports
from appliance.domain.errors import Invalid, SalesClosed
from appliance.domain.evidence import Received, Source
from appliance.domain.paybills import Paybill
from appliance.domain.payments import Payment
from appliance.flows.reconcile import FURTHEST, Held, Reconcile
from appliance.flows.reports import Reports
from appliance.mpesa import statement
from appliance.web.console import payment_words as words
from appliance.web.console.shell import SHELL, done, file_of, form_of, page, record

_DAYS = timedelta(days=6)
_MOST_SHOWN = 500
_LARGEST = Decimal(10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The pages where both books are compared, and what is missing is entered."""

    payments: ports.Payments
    paybills: ports.Paybills
    reports: Reports
    reconcile: Reconcile
    path: str = "/payments/reconciliation"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(self.path, self._show),
            web.post(f"{self.path}/statement", self._statement),
            web.post(f"{self.path}/pull", self._pull),
            web.post(f"{self.path}/sweep", self._sweep),
            web.post(f"{self.path}/enter", self._enter),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        since, until = self.reports.day(request.app[SHELL].clock.now())
        paybills = await self.paybills.page(None, None, 100)
        return page(
            request,
            "reconciliation.html",
            days=await self.reports.paybill_days(since - _DAYS, until),
            numbers=_choices(paybills),
            ours=await self._sold_through(),
            pulls=_choices([paybill for paybill in paybills if paybill.config.pull]),
        )

    async def _statement(self, request: web.Request) -> web.Response:
        number = await self._chosen(request)
        file = await file_of(request, "statement")
        if not file:
            raise Invalid("Choose the statement's CSV file first.")
        lines = await asyncio.to_thread(statement.read, statement.text_of(file))
        if not lines:
            raise Invalid("No payment came in by this statement. Is it of the right account?")
        listed = [
            Received(
                source=Source.STATEMENT,
                receipt=line.receipt,
                amount=line.amount,
                short_code=number,
                reference=line.account,
                msisdn=line.payer,
                at=line.at,
            )
            for line in lines
        ]
        times = [line.at for line in lines]
        return await self._compared(request, number, listed, min(times), max(times))

    async def _pull(self, request: web.Request) -> web.Response:
        number, now = await self._chosen(request), request.app[SHELL].clock.now()
        listed = await self.reconcile.listed(number, FURTHEST)
        return await self._compared(request, number, listed, now - FURTHEST, now)

    async def _compared(
        self,
        request: web.Request,
        number: str,
        listed: Sequence[Received],
        since: datetime,
        until: datetime,
    ) -> web.Response:
        zone = request.app[SHELL].pages.zone
        held = await self.reconcile.held_against(number, listed, since, until, zone)
        theirs = {money.receipt: money for money in listed}
        return page(
            request,
            "reconciled.html",
            number=number,
            since=since,
            until=until,
            held=held,
            missing=[theirs[receipt] for receipt in held.missing_here[:_MOST_SHOWN]],
            ours=await self._ours(held),
            theirs=theirs,
            most=_MOST_SHOWN,
            words=words,
        )

    async def _ours(self, held: Held) -> dict[str, Payment]:
        """Return our payments of the receipts that are shown one by one."""
        found = dict[str, Payment]()
        shown = (*held.amounts_differ, *held.doubled, *held.missing_there, *held.matched)
        for receipt in shown[:_MOST_SHOWN]:
            payment = await self.payments.find("mpesaReceiptNumber", receipt)
            if payment is not None:
                found[receipt] = payment
        return found

    async def _sweep(self, request: web.Request) -> web.Response:
        await record(request, "had Safaricom's list settled", "payments")
        news = await self.reconcile.sweep(FURTHEST)
        if news is None:
            raise Invalid("The paybill that this box sells through has no right to such lists.")
        raise done("/payments", "done")

    async def _enter(self, request: web.Request) -> web.Response:
        number, form = await self._chosen(request), await form_of(request)
        money = _entered(form, number)
        await record(
            request,
            "entered a payment by hand",
            money.receipt,
            paybill=number,
            amount=str(money.amount),
        )
        payment = await self.reconcile.enter(number, money)
        raise done(f"/payments/{payment.id}", "done")

    async def _sold_through(self) -> str:
        try:
            return await self.reconcile.cashier.paybill_number()
        except SalesClosed:
            return ""

    async def _chosen(self, request: web.Request) -> str:
        number = (await form_of(request)).get("paybill", "")
        if await self.paybills.find("paybillInfo.number", number) is None:
            raise Invalid("Choose one of your paybills.")
        return number


def _choices(found: Sequence[Paybill]) -> list[tuple[str, str]]:
    infos = [paybill.paybill_info for paybill in found]
    return [(info.number, f"{info.number}, {info.name}") for info in infos]


def _entered(form: dict[str, str], number: str) -> Received:
    """Return what a line of the page says; raise `Invalid`."""
    try:
        amount, at = Decimal(form.get("amount", "")), datetime.fromisoformat(form.get("at", ""))
    except (InvalidOperation, ValueError):
        raise Invalid("This line cannot be read. Read the statement again.") from None
    receipt = form.get("receipt", "").strip().upper()
    sane = amount.is_finite() and 0 < amount <= _LARGEST and at.tzinfo is not None
    if not sane or not receipt.isascii() or not receipt.isalnum() or len(receipt) > 20:  # noqa: PLR2004
        raise Invalid("This line cannot be read. Read the statement again.")
    return Received(
        source=Source.STATEMENT,
        receipt=receipt,
        amount=amount,
        short_code=number,
        reference=form.get("account", "")[:64],
        msisdn=form.get("payer", "")[:64],
        at=at,
    )
