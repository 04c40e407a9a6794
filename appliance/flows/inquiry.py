"""A customer names a receipt that nobody told us of: Safaricom is asked, within bounds."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from appliance.domain import payments
from appliance.domain.devices import Device
from appliance.domain.errors import ApplianceError
from appliance.domain.evidence import StatusResult
from appliance.domain.payments import UNDECIDED
from appliance.domain.records import WebhookLog, WebhookMetadata
from appliance.flows.bounds import Bounds, Rate
from appliance.flows.cashier import Cashier
from appliance.flows.lookup import Lookup
from appliance.flows.matching import Matching
from appliance.flows.reconcile import Reconcile
from appliance.flows.settlement import Settlement
from appliance.ports import Clock, Gateway, Later, Paybills, Payments

log = logging.getLogger(__name__)

_MINUTE = 60.0
# A search is two questions. Daraja's own limits are not published.
_MOST_BY_DEVICE = 6
_MOST = 60
_MOST_PURCHASES = 10
# Shorter than a phone number: whoever calls may write what he likes there.
_LONGEST_CODE = 9


def bounds(clock: Clock) -> tuple[Bounds, Bounds]:
    """Return how often a question may be asked again, and how many a device may have asked."""
    everybody = Rate(_MOST, _MINUTE)
    again = Bounds(clock=clock, each=Rate(1, _MINUTE), everybody=everybody)
    return again, Bounds(clock=clock, each=Rate(_MOST_BY_DEVICE, _MINUTE), everybody=everybody)


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
    again: Bounds
    """By question: the same one not twice within a minute."""
    by_device: Bounds
    clock: Clock
    later: Later
    token: Callable[[str], str]
    """Makes the secret end of the address that a question is answered at."""

    def begin(self, receipt: str, phone: str, device: Device) -> None:
        """Have Safaricom asked soon, unless it was a moment ago; nobody waits for the answer."""
        if self._may(f"receipt {receipt}", device):
            self.later(partial(self._quietly, self._find_money, receipt))
        if self._may(f"phone {phone}", device):
            self.later(partial(self._quietly, self._query_purchases, phone))

    def _may(self, question: str, device: Device) -> bool:
        if self.again.take(question):
            return False
        if self.by_device.take(device.mac):
            self.again.give_back(question)  # somebody else may ask it
            return False
        return True

    async def heard(self, webhook: WebhookLog) -> WebhookLog:
        """Return the answer with what it decided; safe to repeat. Raises `Invalid`."""
        result, payload = self.gateway.read_status(webhook.raw_body)
        account, _, receipt = (webhook.asked or "").partition(" ")
        status, payment_id = await self._believed(result, account, receipt)
        if result.code != "0":
            code = result.code[:_LONGEST_CODE]
            log.warning("no answer about a receipt account=%s code=%s", account, code)
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
        decision, payment = await self.matching.arrived(await self.lookup.with_account(money))
        return decision, payment.id
