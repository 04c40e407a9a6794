"""The operator is told by SMS what only a person can mend, once, and once that it is over."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from appliance.domain.errors import ApplianceError
from appliance.domain.messages import Message
from appliance.domain.payments import State
from appliance.flows.messages import Outbox
from appliance.flows.unsettled import unsettled
from appliance.ports import Clock, Payments

log = logging.getLogger(__name__)

_AT_MOST_EVERY = timedelta(hours=1)
_LATELY = timedelta(hours=1)
_CALLED_BY_NOW = timedelta(minutes=2)
_IN_A_ROW = 3
_NEWEST = 20
_MOST_COUNTED = 99


class Trouble(StrEnum):
    """What an operator is told of."""

    ROUTER = "router_away"
    CALLBACKS = "callbacks_missing"
    PERSON = "needs_a_person"


_PATIENCE = {
    Trouble.ROUTER: timedelta(minutes=5),
    Trouble.CALLBACKS: timedelta(),
    Trouble.PERSON: timedelta(),
}
"""How long each must last first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Looks now and then; what was told before is read from the messages themselves."""

    outbox: Outbox
    payments: Payments
    router_answers: Callable[[], bool]
    clock: Clock
    _since: dict[Trouble, tuple[float, datetime]] = field(default_factory=dict, repr=False)

    async def look(self) -> None:
        """Tell what is wrong now and was not told yet, and what was told and is over."""
        if not self.outbox.wanted.alerts_to:
            return
        try:
            waiting = len(await unsettled(self.payments, _MOST_COUNTED))
            told = await self.outbox.alerts()
            await self._weigh(Trouble.ROUTER, told, wrong=not self.router_answers())
            await self._weigh(Trouble.CALLBACKS, told, wrong=await self._not_called())
            await self._weigh(Trouble.PERSON, told, wrong=waiting > 0, count=waiting)
        except ApplianceError as error:
            log.warning("no alerts now code=%s", error.code)

    async def _weigh(
        self, trouble: Trouble, told: list[Message], *, wrong: bool | None, **values: object
    ) -> None:
        mine = [message for message in told if message.subject in {trouble, f"{trouble}_over"}]
        standing = bool(mine) and mine[0].subject == trouble
        if not wrong:
            self._since.pop(trouble, None)
            if standing and wrong is not None:
                await self.outbox.alert(f"{trouble}_over")
            return
        now, moment = self.clock.monotonic(), self.clock.now()
        began, since = self._since.setdefault(trouble, (now, moment))
        lately = any(
            message.subject == trouble and moment - message.created_at < _AT_MOST_EVERY
            for message in mine
        )
        if now - began >= _PATIENCE[trouble].total_seconds() and not standing and not lately:
            await self.outbox.alert(trouble, since=since, **values)

    async def _not_called(self) -> bool | None:
        """Say whether the latest purchases were paid without a word from Safaricom.

        A query proves a payment and names no receipt; a callback does. None where nothing was sold
        lately.
        """
        now = self.clock.now()
        sold = [
            payment
            for payment in await self.payments.page("status", State.PAID.value, _NEWEST)
            if payment.asked_for and _CALLED_BY_NOW < now - payment.created_at < _LATELY
        ][:_IN_A_ROW]
        if any(payment.receipt is not None for payment in sold):
            return False
        return True if len(sold) == _IN_A_ROW else None
