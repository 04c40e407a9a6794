"""What the operator's console reads, as it is read with that many sales in the books."""

import random
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from appliance.domain.payments import Payment, State
from appliance.domain.queries import Cursor
from appliance.flows.reports import Reports
from appliance.store.port import Store
from appliance.store.records import books
from tests.conftest import HandClock

_A_PAGE = 20
_PAGE_50 = 49 * _A_PAGE
_SOLD_TODAY = timedelta(seconds=1_000)  # as many as there are among few
Verb = Callable[[], Awaitable[float]]


def reads(store: Store, count: int, now: datetime) -> dict[str, Verb]:  # noqa: C901 # a list
    """Return each; it returns its seconds."""
    kept, chance = books(store), random.Random(count)  # noqa: S311 # only spread
    reports = Reports(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        webhooks=kept.webhooks,
        clock=HandClock(now),
        offset=timedelta(hours=3),
    )

    async def one() -> Payment:
        """Return a sale that has its voucher and its callback, as every tenth has."""
        number = 10 * chance.randrange(count // 10)
        older_than = now - timedelta(seconds=number - 1)
        return (await kept.payments.page(None, None, 1, before=Cursor(older_than)))[0]

    async def timed(work: Callable[[], Awaitable[object]]) -> float:
        began = time.perf_counter()
        assert await work()
        return time.perf_counter() - began

    async def first_page() -> float:
        return await timed(lambda: kept.payments.page(None, None, _A_PAGE))

    async def page_50() -> float:
        place = Cursor(now - timedelta(seconds=_PAGE_50))
        return await timed(lambda: kept.payments.page(None, None, _A_PAGE, before=place))

    async def by_status() -> float:
        return await timed(lambda: kept.payments.page("status", State.PAID.value, _A_PAGE))

    async def vouchers_by_plan() -> float:
        return await timed(lambda: kept.vouchers.page("plan.id", "hour", _A_PAGE))

    async def report() -> float:
        return await timed(lambda: reports.between(now - _SOLD_TODAY, now))

    async def customer() -> float:
        phone = (await one()).phone
        return await timed(lambda: reports.customer(phone, _A_PAGE))

    async def story() -> float:
        payment_id = (await one()).id
        return await timed(lambda: reports.story(payment_id))

    every = (first_page, page_50, by_status, vouchers_by_plan, report, customer, story)
    return {verb.__name__: verb for verb in every}
