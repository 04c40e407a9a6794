"""A long list is read a page at a time: nobody holds all of it, or keeps others waiting."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from appliance.domain.payments import Payment
from appliance.domain.queries import Cursor
from appliance.ports import Payments

_PAGE = 200


async def payments_of(
    payments: Payments, since: datetime, until: datetime
) -> AsyncIterator[Payment]:
    """Yield the payments that were begun from `since` up to `until`, the newest first."""
    before = Cursor(until + timedelta(milliseconds=1))
    while True:
        page = await payments.page(None, None, _PAGE, before=before, since=since)
        for payment in page:
            yield payment
        if len(page) < _PAGE:
            return
        before = Cursor(page[-1].created_at, page[-1].id)
