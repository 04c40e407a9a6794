"""What an operator reads of a time: sales, how far customers came, and why they came no further."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import mean, median

from appliance.domain.payments import MONEY_CAME, State
from appliance.domain.queries import Tally

PAYMENTS_BY = ("status", "planId", "reason", "callbackHash?", "CheckoutRequestID?", "received")
"""What a report of payments is counted by; it adds up their amounts."""
VOUCHERS_BY = ("paymentId?", "activatedAt?")
PAYBILLS_BY = ("paybillNumber", "status", "received")
_NEVER_PAID = frozenset({State.FAILED, State.CANCELLED})
_UNNAMED = "unknown"


@dataclass(frozen=True, slots=True)
class Money:
    """So many payments and what they are together, in shillings."""

    count: int = 0
    kes: Decimal = Decimal(0)

    def __add__(self, more: "Money") -> "Money":
        """Return both together."""
        return Money(self.count + more.count, self.kes + more.kes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """How far the purchases of a time came."""

    initiated: int = 0
    prompted: int = 0
    """Safaricom took the push."""
    paid: int = 0
    online: int = 0
    """The time of a voucher that was sold has started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Of what was asked for in a time, as far as it has come by now."""

    since: datetime
    until: datetime
    sales: Money = Money()
    by_hour: tuple[tuple[datetime, Money], ...] = ()
    """When each hour with a sale began, in UTC, and what was sold in it."""
    by_plan: tuple[tuple[str, Money], ...] = ()
    """What sold best first."""
    funnel: Funnel = Funnel()
    failures: tuple[tuple[str, int], ...] = ()
    """Why nothing was paid: the key of the customer's sentence, the most frequent first."""
    waiting: Money = Money()
    """Money that waits for a person now, whenever it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaybillDay:
    """What came to one account on one day, to be held against its statement."""

    day: datetime
    """When it began, in UTC."""
    paybill_number: str
    came: Money
    refunded: Money
    """How much of it a person gave back since."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How long customers waited from Safaricom's callback until they were online."""

    count: int = 0
    average: timedelta | None = None
    median: timedelta | None = None


def report(
    times: tuple[datetime, datetime], paid: Iterable[Tally], used: Iterable[Tally], waiting: Money
) -> Report:
    """Return what these tallies of payments by hour, and of vouchers, come to."""
    hours, plans = defaultdict[datetime, Money](Money), defaultdict[str, Money](Money)
    failures, funnel = defaultdict[str, int](int), defaultdict[str, int](int)
    sales, since, until = Money(), *times
    for tally in paid:
        status, plan, reason, asked_for, prompted, received = tally.group
        sold = status == State.PAID
        if sold:
            money = _money(tally, received)
            sales += money
            plans[str(plan or "")] += money
            hours[tally.slot or since] += money
        if status in _NEVER_PAID:
            failures[str(reason or _UNNAMED)] += tally.count
        if asked_for:
            steps = {"initiated": True, "prompted": prompted, "paid": sold}
            for step in (name for name, reached in steps.items() if reached):
                funnel[step] += tally.count
    for tally in used:
        if all(tally.group):
            funnel["online"] += tally.count
    return Report(
        since=since,
        until=until,
        sales=sales,
        by_hour=tuple(sorted(hours.items())),
        by_plan=tuple(sorted(plans.items(), key=lambda one: (-one[1].kes, one[0]))),
        funnel=Funnel(**funnel),
        failures=tuple(sorted(failures.items(), key=lambda one: (-one[1], one[0]))),
        waiting=waiting,
    )


def paybill_days(tallies: Iterable[Tally], since: datetime) -> tuple[PaybillDay, ...]:
    """Return what came to each account on each day, the newest day first."""
    came, refunded = (defaultdict[tuple[datetime, str], Money](Money) for _ in range(2))
    for tally in tallies:
        number, status, received = tally.group
        if status not in MONEY_CAME:
            continue
        place = (tally.slot or since, str(number))
        came[place] += _money(tally, received)
        if status == State.REFUNDED:
            refunded[place] += _money(tally, received)
    return tuple(
        PaybillDay(day=day, paybill_number=number, came=came[day, number], refunded=back)
        for day, number in sorted(came, reverse=True)
        for back in (refunded[day, number],)
    )


def speed(waits: list[timedelta]) -> Speed:
    """Return what these come to."""
    if not waits:
        return Speed()
    seconds = [wait.total_seconds() for wait in waits]
    return Speed(len(waits), timedelta(seconds=mean(seconds)), timedelta(seconds=median(seconds)))


def _money(tally: Tally, received: object) -> Money:
    """Return what came, which is not always what was asked for."""
    each = None if received is None else Decimal(str(received))
    return Money(tally.count, Decimal(tally.total) if each is None else each * tally.count)
