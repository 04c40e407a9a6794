"""The last net: what Safaricom has on its books is held against ours."""

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from appliance.domain.errors import ApplianceError
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Pull what came in, and compare."""

    payments: Payments
    paybills: Paybills
    cashier: Cashier
    gateway: Gateway
    matching: Matching
    clock: Clock

    async def sweep(self, back: timedelta = _OVERLAP) -> int | None:
        """Settle what came in lately and was never told of; return how much was news.

        None where the account this box sells through has no right to such lists.
        """
        number = await self.cashier.paybill_number()
        paybill = await self.paybills.find("paybillInfo.number", number)
        if paybill is None or not paybill.config.pull:
            return None
        news = 0
        for money in await self.listed(number, back):
            decision, payment = await self.matching.arrived(money)
            if decision != "already_known":
                news += 1
                log.warning("nobody told of this payment=%s decision=%s", payment.id, decision)
        return news

    async def sweep_quietly(self, back: timedelta = _OVERLAP) -> None:
        """Sweep by the clock; what goes wrong is said and tried again at the next time."""
        try:
            await self.sweep(back)
        except ApplianceError as error:
            log.warning("pull sweep put off code=%s", error.code)

    async def listed(self, number: str, back: timedelta) -> list[Received]:
        """Return what Safaricom lists for the time up to now."""
        now = self.clock.now()
        return await self.gateway.pull(number, now - back, now)

    async def held_against(
        self, theirs: Iterable[tuple[str, Decimal]], since: datetime, until: datetime
    ) -> Held:
        """Compare receipts and amounts with ours of the same time."""
        listed = list(theirs)
        counted = Counter(receipt for receipt, _ in listed)
        amounts = dict(listed)
        ours = {p.receipt: p for p in await self._ours(since, until) if p.receipt is not None}
        for receipt in amounts.keys() - ours.keys():
            known = await self.payments.find("mpesaReceiptNumber", receipt)
            if known is not None:
                ours[receipt] = known
        both = amounts.keys() & ours.keys()
        return Held(
            matched=tuple(sorted(both)),
            missing_here=tuple(sorted(amounts.keys() - ours.keys())),
            missing_there=tuple(sorted(ours.keys() - amounts.keys())),
            doubled=tuple(sorted(receipt for receipt, count in counted.items() if count > 1)),
            amounts_differ=tuple(
                sorted(
                    receipt
                    for receipt in both
                    if ours[receipt].state is not State.DISPUTED
                    and int(amounts[receipt]) != ours[receipt].amount
                )
            ),
        )

    async def _ours(self, since: datetime, until: datetime) -> list[Payment]:
        states = (State.PAID, State.UNMATCHED, State.DISPUTED, State.REFUNDED)
        found = [
            payment
            for state in states
            for payment in await self.payments.page("status", state.value, _MOST)
        ]
        return [p for p in found if p.paid_at is not None and since <= p.paid_at <= until]
