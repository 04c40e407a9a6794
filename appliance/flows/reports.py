"""What an operator reads: the report of a day, a customer's purchases, the story of one payment."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from appliance.domain import phones, reports
from appliance.domain.payments import Payment, State
from appliance.domain.queries import DAY, HOUR, Cursor, Slots
from appliance.domain.records import Initiation, WebhookLog
from appliance.domain.reports import Money, PaybillDay, Report, Speed
from appliance.domain.vouchers import Voucher
from appliance.flows.unsettled import unsettled
from appliance.ports import Clock, Initiations, Payments, Vouchers, WebhookLogs

MOST_WAITING = 1_000
"""More of what waits for a person is not counted."""
_CALLS = 50
# Whoever comes later than this kept the voucher: that says nothing about the way to the router.
_AT_ONCE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Purchase:
    """A payment and what it bought."""

    payment: Payment
    voucher: Voucher | None


@dataclass(frozen=True, slots=True)
class Customer:
    """A page of what one phone bought, the newest first."""

    purchases: tuple[Purchase, ...]
    more: Cursor | None
    """Where the next page begins; None after the last."""


@dataclass(frozen=True, slots=True)
class Story:
    """All that is written down of one payment; calls are the newest first."""

    payment: Payment
    voucher: Voucher | None
    initiation: Initiation | None
    webhooks: tuple[WebhookLog, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """Reads and changes nothing. A payment is of the hour it was asked for in, or heard of."""

    payments: Payments
    vouchers: Vouchers
    initiations: Initiations
    webhooks: WebhookLogs
    clock: Clock
    offset: timedelta
    """How far the operator's clocks are ahead of UTC."""

    def day(self, moment: datetime) -> tuple[datetime, datetime]:
        """Return when the operator's day of this moment began, and when it ends."""
        local = (moment + self.offset).astimezone(UTC)
        began = local.replace(hour=0, minute=0, second=0, microsecond=0) - self.offset
        return began, began + DAY

    async def today(self) -> Report:
        """Return the report of the operator's day."""
        return await self.between(*self.day(self.clock.now()))

    async def between(self, since: datetime, until: datetime) -> Report:
        """Return the report from `since` until before `until`."""
        hours = Slots(HOUR, self.offset)
        paid, used, waiting = await asyncio.gather(
            self.payments.tally(reports.PAYMENTS_BY, since, until, "amount", slots=hours),
            self.vouchers.tally(reports.VOUCHERS_BY, since, until),
            self.waiting(),
        )
        return reports.report((since, until), paid, used, waiting)

    async def waiting(self) -> Money:
        """Return the money that needs a person, whenever it came, up to `MOST_WAITING`."""
        found = await unsettled(self.payments, MOST_WAITING)
        came = (Decimal(one.received or one.amount) for one in found)
        return Money(len(found), sum(came, Decimal(0)))

    async def paybill_days(self, since: datetime, until: datetime) -> tuple[PaybillDay, ...]:
        """Return what came to each account on each of the operator's days, the newest first."""
        days = Slots(DAY, self.offset)
        found = await self.payments.tally(reports.PAYBILLS_BY, since, until, "amount", slots=days)
        return reports.paybill_days(found, since)

    async def speed(self, last: int = 50) -> Speed:
        """Return how long the last buyers waited, of those who came at once and were told of."""
        sold = await self.payments.page("status", State.PAID.value, last)
        waits = await asyncio.gather(*map(self._wait, sold))
        return reports.speed([wait for wait in waits if wait is not None])

    async def customer(self, phone: str, limit: int, before: Cursor | None = None) -> Customer:
        """Return what was bought with a phone, typed in any form; raise `Invalid`."""
        number = phones.normalise(phone)
        paid = await self.payments.page("phoneNumber", number, limit, before=before)
        bought = await asyncio.gather(*map(self._voucher, paid))
        purchases = tuple(map(Purchase, paid, bought))
        return Customer(purchases, _place(paid[-1]) if len(paid) == limit else None)

    async def story(self, payment_id: str) -> Story | None:
        """Return all that is known of a payment; None where there is none."""
        payment = await self.payments.get(payment_id)
        if payment is None:
            return None
        voucher, initiation, webhooks = await asyncio.gather(
            self._voucher(payment),
            self.initiations.get(payment_id),
            self.webhooks.page("paymentId", payment_id, _CALLS),
        )
        return Story(payment, voucher, initiation, tuple(webhooks))

    async def _voucher(self, payment: Payment) -> Voucher | None:
        return await self.vouchers.get(payment.voucher_id) if payment.voucher_id else None

    async def _wait(self, payment: Payment) -> timedelta | None:
        voucher = await self._voucher(payment)
        if voucher is None or voucher.activated_at is None:
            return None
        calls = await self.webhooks.page("paymentId", payment.id, _CALLS)
        heard = [call.timestamp for call in calls if call.proved and not call.doubted]
        wait = voucher.activated_at - min(heard) if heard else None
        return wait if wait is not None and timedelta() <= wait <= _AT_ONCE else None


def _place(payment: Payment) -> Cursor:
    return Cursor(payment.created_at, payment.id)
