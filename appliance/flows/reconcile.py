"""The last net: what Safaricom has on its books is held against ours."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from appliance.domain.errors import ApplianceError, SalesClosed, StoreUnavailable
from appliance.domain.evidence import Received
from appliance.domain.payments import Payment, State
from appliance.flows.cashier import Cashier
from appliance.flows.matching import Matching
from appliance.ports import Clock, Gateway, Paybills, Payments

log = logging.getLogger(__name__)

# Safaricom lists two days back; a minute less, so that the request may take its time.
FURTHEST = timedelta(hours=48) - timedelta(minutes=1)
_OVERLAP = timedelta(hours=2)
_MOST = 100_000


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
        theirs: Iterable[tuple[str, Decimal]],
        since: datetime,
        until: datetime,
    ) -> Held:
        """Compare an account's receipts and amounts of a time with ours of the same time."""
        listed = list(theirs)
        counted = Counter(receipt for receipt, _ in listed)
        amounts = dict(listed)
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
        )

    async def _ours(self, paybill_number: str, since: datetime, until: datetime) -> list[Payment]:
        """Return what must be on Safaricom's list: its money moved between order and news."""
        states = (State.PAID, State.UNMATCHED, State.DISPUTED, State.REFUNDED)
        return [
            payment
            for state in states
            for payment in await self.payments.page("status", state.value, _MOST)
            if payment.paybill_number == paybill_number
            and payment.paid_at is not None
            and since <= min(payment.created_at, payment.paid_at)
            and max(payment.created_at, payment.paid_at) <= until
        ]


def _came(payment: Payment) -> Decimal:
    return Decimal(payment.received or payment.amount)
