"""The money: every payment there is, by its state, and found by receipt, voucher or phone."""

import heapq
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from aiohttp import web

from appliance import ports
from appliance.domain import phones
from appliance.domain.errors import Invalid
from appliance.domain.payments import UNDECIDED, Payment, State
from appliance.domain.queries import Cursor
from appliance.flows.background import Archive
from appliance.flows.unsettled import KEYS, unsettled
from appliance.flows.walk import payments_of
from appliance.web.console import payment_words as words
from appliance.web.console.payment_story import PaymentStory
from appliance.web.console.reconciliation import Reconciliation
from appliance.web.console.sheets import sheet
from appliance.web.console.shell import SHELL, done, form_of, page, record

_PAGE = 50
_MOST_COUNTED = 99
_LONGEST_PERIOD = timedelta(days=366)
_Keys = tuple[tuple[str | None, str | None], ...]
_ALL: _Keys = ((None, None),)


def _in(*states: State) -> _Keys:
    return tuple(("status", state.value) for state in states)


_VIEWS: dict[str, tuple[str, _Keys]] = {
    "": ("All", _ALL),
    "waiting": ("Needs a person", KEYS),
    "paid": ("Paid", _in(State.PAID)),
    "open": ("Under way", _in(*UNDECIDED)),
    "unpaid": ("Not paid", _in(State.FAILED, State.CANCELLED)),
    "refunded": ("Given back", _in(State.REFUNDED)),
}
_COLUMNS = (
    "id",
    "begun",
    "paid",
    "state",
    "price",
    "received",
    "receipt",
    "account or voucher",
    "plan",
    "phone",
    "paybill",
    "reason",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsChapter:
    """Lists of payments; each leads to its story."""

    payments: ports.Payments
    plans: ports.Plans
    archive: Archive
    story: PaymentStory
    reconciliation: Reconciliation
    title: str = "Payments"
    path: str = "/payments"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages; those of one payment come last, for an id could be any word."""
        return [
            web.get(self.path, self._list),
            web.post(f"{self.path}/find", self._find),
            web.get(f"{self.path}/export", self._ask_period),
            web.post(f"{self.path}/export", self._export),
            web.get(f"{self.path}/of/{{payment_id}}", self._of_phone),
            *self.reconciliation.routes(),
            *self.story.routes(),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        view = request.query.get("view", "")
        if view not in _VIEWS:
            raise web.HTTPNotFound
        before = _before(request)
        found = await self._newest(_VIEWS[view][1], _PAGE, before)
        return await self._page(request, found, f"{self.path}?view={view}", view=view)

    async def _of_phone(self, request: web.Request) -> web.Response:
        payment_id = request.match_info["payment_id"]
        payment = await self.payments.get(payment_id)
        if payment is None or not payment.phone:
            raise web.HTTPNotFound
        found = await self.payments.page(
            "phoneNumber", payment.phone, _PAGE, before=_before(request)
        )
        here = f"{self.path}/of/{payment_id}?"
        return await self._page(request, found, here, phone=phones.local(payment.phone))

    async def _find(self, request: web.Request) -> web.Response:
        text = (await form_of(request)).get("text", "").strip()[:100]
        try:
            of_phone = await self.payments.page("phoneNumber", phones.normalise(text), 1)
        except Invalid:
            of_phone = []
        if of_phone:
            raise done(f"{self.path}/of/{of_phone[0].id}")
        found = await self.archive.found(text) if text else None
        if found is not None:
            raise done(f"{self.path}/{found.id}")
        newest = await self._newest(_ALL, _PAGE, None)
        return await self._page(request, newest, f"{self.path}?view=", view="", missed=text)

    async def _page(  # what the lists differ in
        self,
        request: web.Request,
        found: list[Payment],
        here: str,
        *,
        view: str | None = None,
        phone: str = "",
        missed: str = "",
    ) -> web.Response:
        full = len(found) == _PAGE
        after = f"{here}&before={Cursor(found[-1].created_at, found[-1].id)}" if full else ""
        waiting = await unsettled(self.payments, _MOST_COUNTED + 1)
        return page(
            request,
            "payments.html",
            payments=found,
            plans=await self._plan_names(),
            views=[(name, title) for name, (title, _) in _VIEWS.items()],
            waiting=f"{_MOST_COUNTED}+" if len(waiting) > _MOST_COUNTED else len(waiting),
            older=after,
            first=here.rstrip("?") if "before" in request.query else "",
            words=words,
            local=phones.local,
            view=view,
            phone=phone,
            missed=missed,
        )

    async def _newest(self, keys: _Keys, limit: int, before: Cursor | None) -> list[Payment]:
        """Return the payments of these values of indexes, the newest first."""
        pages = [
            await self.payments.page(index, value, limit, before=before) for index, value in keys
        ]
        newest = heapq.merge(*pages, key=lambda p: (p.created_at, p.id), reverse=True)
        return list(newest)[:limit]

    async def _plan_names(self) -> dict[str, str]:
        return {plan.id: plan.name for plan in await self.plans.page(None, None, 200)}

    async def _ask_period(self, request: web.Request) -> web.Response:
        today = request.app[SHELL].clock.now().astimezone(request.app[SHELL].pages.zone).date()
        return page(request, "payments_export.html", first=today.replace(day=1), last=today)

    async def _export(self, request: web.Request) -> web.StreamResponse:
        form, zone = await form_of(request), request.app[SHELL].pages.zone
        since, until = _period(form.get("first", ""), form.get("last", ""), zone)
        name = f"payments-{since:%Y-%m-%d}-to-{until:%Y-%m-%d}"
        await record(request, "exported payments", f"{since:%Y-%m-%d} to {until:%Y-%m-%d}")
        return await sheet(request, name, _COLUMNS, self._rows(since, until, zone))

    async def _rows(
        self, since: datetime, until: datetime, zone: tzinfo
    ) -> AsyncIterator[Iterable[object]]:
        plans = await self._plan_names()
        async for payment in payments_of(self.payments, since, until):
            yield (
                payment.id,
                _written(payment.created_at, zone),
                _written(payment.paid_at, zone),
                payment.state,
                payment.amount if payment.asked_for else "",
                payment.received or (payment.amount if payment.paid_at else ""),
                payment.receipt,
                payment.voucher_code,
                plans.get(payment.plan_id, payment.plan_id),
                phones.local(payment.phone) if payment.phone else payment.msisdn,
                payment.paybill_number,
                words.reason(payment),
            )


def _before(request: web.Request) -> Cursor | None:
    text = request.query.get("before")
    return None if text is None else Cursor.read(text)


def _period(first: str, last: str, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the moments that two days begin and end with."""
    try:
        days = date.fromisoformat(first), date.fromisoformat(last)
        since = datetime.combine(days[0], time.min, zone)
        until = datetime.combine(days[1], time(23, 59, 59, 999_000), zone)
    except (ValueError, OverflowError):
        raise Invalid("Choose the first and the last day.") from None
    if not timedelta() < until - since <= _LONGEST_PERIOD:
        raise Invalid("The last day comes after the first, at most a year later.")
    return since, until


def _written(moment: datetime | None, zone: tzinfo) -> str:
    return "" if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"
