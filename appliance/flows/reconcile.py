"""The last net: what Safaricom has on its books is held against ours."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Protocol

from appliance.domain.errors import ApplianceError, Invalid, SalesClosed, StoreUnavailable
from appliance.domain.evidence import Received
from appliance.domain.payments import MONEY_CAME, Payment
from appliance.flows.cashier import Cashier
from appliance.flows.matching import Matching
from appliance.flows.walk import payments_of
from appliance.ports import Clock, Gateway, Paybills, Payments

log = logging.getLogger(__name__)

# Safaricom lists two days back; a minute less, so that the request may take its time.
FURTHEST = timedelta(hours=48) - timedelta(minutes=1)
_OVERLAP = timedelta(hours=2)


class Listed(Protocol):
    """One payment on Safaricom's books."""

    @property
    def receipt(self) -> str:
        """Return its receipt."""
        ...

    @property
    def amount(self) -> Decimal:
        """Return what came, in shillings."""
        ...

    @property
    def at(self) -> datetime | None:
        """Return when the money moved; None where that is not said."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What came in on one day, by our books and by Safaricom's."""

    date: date
    ours: int = 0
    our_total: Decimal = Decimal()
    theirs: int = 0
    their_total: Decimal = Decimal()

    @property
    def agrees(self) -> bool:
        """Say whether both have the same."""
        return (self.ours, self.our_total) == (self.theirs, self.their_total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One list of receipts held against another."""

    matched: tuple[str, ...] = ()
    missing_here: tuple[str, ...] = ()
    """Safaricom has them, we do not: money nobody was served for."""
    missing_there: tuple[str, ...] = ()
    """We have them, Safaricom does not: time given for nothing."""
    doubled: tuple[str, ...] = ()
    amounts_differ: tuple[str, ...] = ()
    days: tuple[Day, ...] = ()
    """By the day that the money moved, the latest first."""

    @property
    def agrees(self) -> bool:
        """Say whether both sides tell the same."""
        return not (self.missing_here or self.missing_there or self.doubled or self.amounts_differ)


@dataclass(slots=True, kw_only=True)
class Reconcile:
    """Pull what came in, and compare."""

    payments: Payments
    paybills: Paybills
    cashier: Cashier
    gateway: Gateway
    matching: Matching
    clock: Clock
    _swept: float | None = field(default=None, init=False)
    """When it last worked, by the clock's `monotonic`."""

    async def sweep(self, back: timedelta = _OVERLAP) -> int | None:
        """Settle what came in lately and was never told of; return how much was news.

        None where this box sells through no account that has a right to such lists.
        """
        try:
            number = await self.cashier.paybill_number()
        except SalesClosed:
            return None
        paybill = await self.paybills.find("paybillInfo.number", number)
        if paybill is None or not paybill.config.pull:
            return None
        news = 0
        for money in await self.listed(number, back):
            news += await self._is_news(money)
        return news

    async def catch_up(self) -> None:
        """Sweep back beyond the last time it worked; at first as far as there is.

        Raises what `sweep` raises, so that a list nobody gets shows as a job that fails; the next
        time reaches back for both.
        """
        now, back = self.clock.monotonic(), FURTHEST
        if self._swept is not None:
            back = min(FURTHEST, _OVERLAP + timedelta(seconds=now - self._swept))
        await self.sweep(back)
        self._swept = now

    async def _is_news(self, money: Received) -> bool:
        """Settle one row; a row that cannot be settled now never keeps the others waiting."""
        try:
            decision, payment = await self.matching.arrived(money)
        except StoreUnavailable:
            raise
        except ApplianceError as error:
            log.error("a listed payment is not settled code=%s why=%s", error.code, error)
            return False
        except Exception:
            log.exception("a listed payment is not settled, this is a bug")
            return False
        if decision == "already_known":
            return False
        log.warning("nobody told of this payment=%s decision=%s", payment.id, decision)
        return True

    async def listed(self, number: str, back: timedelta) -> list[Received]:
        """Return what Safaricom lists for the time up to now."""
        now = self.clock.now()
        return await self.gateway.pull(number, now - back, now)

    async def held_against(
        self,
        paybill_number: str,
        theirs: Iterable[Listed],
        since: datetime,
        until: datetime,
        zone: tzinfo = UTC,
    ) -> Held:
        """Compare an account's receipts and amounts of a time with ours of the same time.

        Days are those of the zone.
        """
        listed = list(theirs)
        counted = Counter(line.receipt for line in listed)
        amounts = {line.receipt: line.amount for line in listed}
        found = await self._ours(paybill_number, since, until)
        ours = {payment.receipt: payment for payment in found if payment.receipt is not None}
        for receipt in amounts.keys() - ours.keys():
            known = await self.payments.find("mpesaReceiptNumber", receipt)
            if known is not None:
                ours[receipt] = known
        both = amounts.keys() & ours.keys()
        differ = (r for r in both if amounts[r] != _came(ours[r]))
        return Held(
            matched=tuple(sorted(both)),
            missing_here=tuple(sorted(amounts.keys() - ours.keys())),
            missing_there=tuple(sorted(ours.keys() - amounts.keys())),
            doubled=tuple(sorted(receipt for receipt, count in counted.items() if count > 1)),
            amounts_differ=tuple(sorted(differ)),
            days=_by_day(ours.values(), {line.receipt: line for line in listed}.values(), zone),
        )

    async def enter(self, paybill_number: str, money: Received) -> Payment:
        """Settle money that a person found on Safaricom's books; return who has its receipt now.

        It goes the way of all money that names no push of ours. Raises `Invalid`.
        """
        if await self.paybills.find("paybillInfo.number", paybill_number) is None:
            raise Invalid(f"there is no paybill {paybill_number}")
        if money.amount <= 0 or not money.receipt.isalnum():
            raise Invalid("a payment has a receipt, and an amount above nothing")
        money = replace(money, short_code=paybill_number)
        money = await self.matching.lookup.with_account(money)
        decision, payment = await self.matching.arrived(money)
        log.warning("entered by a person payment=%s decision=%s", payment.id, decision)
        return payment

    async def _ours(self, paybill_number: str, since: datetime, until: datetime) -> list[Payment]:
        """Return what must be on Safaricom's list: its money moved between order and news."""
        return [
            payment
            async for payment in payments_of(self.payments, since, until)
            if payment.state in MONEY_CAME
            and payment.paybill_number == paybill_number
            and payment.paid_at is not None
            and since <= payment.paid_at <= until
        ]


def _came(payment: Payment) -> Decimal:
    return Decimal(payment.received or payment.amount)


def _by_day(ours: Iterable[Payment], theirs: Iterable[Listed], zone: tzinfo) -> tuple[Day, ...]:
    days = dict[date, Day]()
    for payment in ours:
        on = (payment.paid_at or payment.created_at).astimezone(zone).date()
        day = days.get(on, Day(date=on))
        days[on] = replace(day, ours=day.ours + 1, our_total=day.our_total + _came(payment))
    for line in theirs:
        if line.at is not None:
            on = line.at.astimezone(zone).date()
            day, total = days.get(on, Day(date=on)), line.amount
            days[on] = replace(day, theirs=day.theirs + 1, their_total=day.their_total + total)
    return tuple(sorted(days.values(), key=lambda day: day.date, reverse=True))
