"""A customer names a receipt that nobody told us of: Safaricom is asked, within bounds."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from appliance.domain import payments
from appliance.domain.errors import ApplianceError
from appliance.domain.evidence import Received, StatusResult
from appliance.domain.payments import UNDECIDED
from appliance.domain.records import WebhookLog, WebhookMetadata
from appliance.flows.cashier import Cashier
from appliance.flows.lookup import Lookup
from appliance.flows.matching import Matching
from appliance.flows.reconcile import Reconcile
from appliance.flows.settlement import Settlement
from appliance.ports import Clock, Gateway, Later, Paybills, Payments

log = logging.getLogger(__name__)

_AGAIN_AFTER = timedelta(minutes=1)
# Whatever a crowd or a prankster types: Daraja's own limits are not published.
_MOST = 20
_MOST_PURCHASES = 10
_UNTOLD = "?"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Lets every question through once a minute, and only so many of all of them."""

    clock: Clock
    _asked: deque[tuple[float, str]] = field(default_factory=deque, repr=False)

    def let(self, question: str) -> bool:
        """Say whether this may be asked now; one that may not costs nothing."""
        now = self.clock.monotonic()
        while self._asked and now - self._asked[0][0] >= _AGAIN_AFTER.total_seconds():
            self._asked.popleft()
        if len(self._asked) >= _MOST or any(question == other for _, other in self._asked):
            return False
        self._asked.append((now, question))
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """Ask for the money of a receipt, and hear what Safaricom has found."""

    payments: Payments
    paybills: Paybills
    cashier: Cashier
    gateway: Gateway
    settlement: Settlement
    lookup: Lookup
    matching: Matching
    reconcile: Reconcile
    bounds: Bounds
    clock: Clock
    later: Later
    token: Callable[[str], str]
    """Makes the secret end of the address that a question is answered at."""

    def begin(self, receipt: str, phone: str) -> None:
        """Have Safaricom asked soon, unless it was a moment ago; nobody waits for the answer."""
        if self.bounds.let(f"receipt {receipt}"):
            self.later(partial(self._quietly, self._find_money, receipt))
        if self.bounds.let(f"phone {phone}"):
            self.later(partial(self._quietly, self._query_purchases, phone))

    async def heard(self, webhook: WebhookLog) -> WebhookLog:
        """Return the answer with what it decided; safe to repeat. Raises `Invalid`."""
        result, payload = self.gateway.read_status(webhook.raw_body)
        account, _, receipt = (webhook.asked or "").partition(" ")
        status, payment_id = await self._believed(result, account, receipt)
        if result.code != "0":
            log.warning("no answer about a receipt account=%s code=%s", account, result.code)
        return replace(
            webhook,
            status=status,
            payment_id=payment_id,
            payload=payload,
            metadata=WebhookMetadata(trans_id=receipt, result_code=result.code),
        )

    async def _quietly(self, ask: Callable[[str], Awaitable[None]], what: str) -> None:
        try:
            await ask(what)
        except ApplianceError as error:
            log.warning("Safaricom could not be asked about a receipt code=%s", error.code)

    async def _find_money(self, receipt: str) -> None:
        """Look where proof is to be had, else ask for a hint."""
        if await self.payments.find("mpesaReceiptNumber", receipt) is not None:
            return
        if await self.reconcile.sweep() is not None:
            return
        number = await self.cashier.paybill_number()
        paybill = await self.paybills.find("paybillInfo.number", number)
        if paybill is not None and paybill.has_initiator:
            await self.gateway.ask_status(number, receipt, self.token(f"{number} {receipt}"))

    async def _query_purchases(self, phone: str) -> None:
        """Ask about what this phone has not finished paying; its own next questions stay."""
        now = self.clock.now()
        for payment in await self.payments.page("phoneNumber", phone, _MOST_PURCHASES):
            if payment.state in UNDECIDED and now - payment.created_at >= payments.SEND_WITHIN:
                await self.settlement.ask_early(payment)

    async def _believed(
        self, result: StatusResult, account: str, receipt: str
    ) -> tuple[str, str | None]:
        """Return what an answer decides, and about which payment.

        Only one that names our own short code as payee proves that the money came to us; any
        other is no more than a reason to ask.
        """
        money = result.money(account)
        if result.code != "0" or money is None:
            return ("not_found" if result.code != "0" else "incomplete"), None
        if money.receipt != receipt or not result.completed:
            return ("mismatch" if money.receipt != receipt else "not_completed"), None
        paybill = await self.paybills.find("paybillInfo.number", account)
        if paybill is None or (result.payee and result.payee not in paybill.short_codes):
            return "not_ours", None
        if not result.payee:
            return await self.matching.hinted(money), None
        if paybill.paybill_info.type == "paybill":
            money = replace(money, reference=await self._account_of(money))
        decision, payment = await self.matching.arrived(money)
        return decision, payment.id if payment.voucher_id else None

    async def _account_of(self, money: Received) -> str:
        """Return the account that money to a paybill was paid with, as far as we can know.

        No answer names it, and a paybill may take money for other things than ours. A push of
        ours names its own; whatever else was paid is for a person to find out.
        """
        purchase = (await self.lookup.purchases(money)).only
        return _UNTOLD if purchase is None else purchase.voucher_code
