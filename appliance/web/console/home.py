"""The first page: how the business goes today, and what needs a person."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from appliance.domain.errors import SalesClosed
from appliance.domain.queries import HOUR
from appliance.domain.reports import Report
from appliance.flows.cashier import Cashier
from appliance.flows.online import Online
from appliance.flows.reports import MOST_WAITING, Reports
from appliance.ports import Clock, Plans, WebhookLogs
from appliance.web.console.asking import Away, asked
from appliance.web.console.shell import page
from appliance.web.console.work import Outstanding

_HOURS = 24
_MOST_PLANS = 1000
_MOST_FAILURES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The first page; whatever does not answer is said, and holds up nothing else."""

    reports: Reports
    online: Online
    cashier: Cashier
    outstanding: Outstanding
    plans: Plans
    webhooks: WebhookLogs
    clock: Clock
    title: str = "Today"
    path: str = "/"

    def routes(self) -> list[web.RouteDef]:
        """Return the page."""
        return [web.get(self.path, self._home)]

    async def _home(self, request: web.Request) -> web.Response:
        today, speed, (guests, away) = await asyncio.gather(
            self.reports.today(), self.reports.speed(), self._guests()
        )
        (paybill, closed), waiting, calls, plans = await asyncio.gather(
            self._selling(),
            self.outstanding.waiting(),
            self.webhooks.page(None, None, 1),
            self.plans.page(None, None, _MOST_PLANS),
        )
        names = {plan.id: plan.name for plan in plans}
        return page(
            request,
            "home.html",
            today=today,
            hours=_by_hour(today),
            plans=[(names.get(plan, plan or "?"), money) for plan, money in today.by_plan],
            failures=today.failures[:_MOST_FAILURES],
            success=_share(today.funnel.paid, today.funnel.prompted),
            speed=speed,
            guests=guests,
            router_away=away,
            paybill=paybill,
            closed=closed,
            waiting=waiting,
            most_waiting=MOST_WAITING,
            heard=calls[0].timestamp if calls else None,
            clock_sure=self.clock.certain() is not None,
        )

    async def _guests(self) -> tuple[int | None, str]:
        """Return how many devices are in, or why nobody knows."""
        try:
            return len(await asked(self.online.sessions())), ""
        except Away as error:
            return None, str(error)

    async def _selling(self) -> tuple[str, str]:
        """Return the number that is paid to, or why nothing can be sold."""
        try:
            return await self.cashier.paybill_number(), ""
        except SalesClosed as error:
            return "", str(error)


def _by_hour(today: Report) -> list[float]:
    """Return what was sold in each hour of the day, in shillings."""
    sold: dict[datetime, float] = {began: float(money.kes) for began, money in today.by_hour}
    hours: list[timedelta] = [HOUR * number for number in range(_HOURS)]
    return [sold.get(today.since + ahead, 0.0) for ahead in hours]


def _share(part: int, whole: int) -> int | None:
    """Return a share in per cent; None of nothing."""
    return round(100 * part / whole) if whole else None
