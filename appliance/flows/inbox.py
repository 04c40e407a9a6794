"""Stored webhooks are read and decided about; the decision is written beside them."""

import logging
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from appliance.domain import ids
from appliance.domain.errors import Duplicate, Invalid
from appliance.domain.evidence import Evidence, Received
from appliance.domain.payments import NotOurs, Payment, SecondPayment, State
from appliance.domain.records import WebhookLog, WebhookMetadata
from appliance.flows.evolve import evolve
from appliance.flows.inquiry import Inquiry
from appliance.flows.matching import Matching
from appliance.flows.reversal import Reversal
from appliance.flows.settlement import Settlement
from appliance.flows.validation import Validation
from appliance.ports import Clock, Gateway, Initiations, Later, Payments, WebhookLogs

log = logging.getLogger(__name__)

STK_CALLBACK, C2B_CONFIRMATION = "stk_callback", "c2b_confirmation"
STATUS_RESULT, STATUS_TIMEOUT = "status_result", "status_timeout"
REVERSAL_RESULT, REVERSAL_TIMEOUT = "reversal_result", "reversal_timeout"
_TIMEOUTS = frozenset({STATUS_TIMEOUT, REVERSAL_TIMEOUT})

# What a webhook's reader sees; the first two words are the owner's other programs'.
_STATUS = {
    State.PAID: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
    State.DISPUTED: "disputed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """What Safaricom called us with."""

    payments: Payments
    initiations: Initiations
    webhooks: WebhookLogs
    gateway: Gateway
    settlement: Settlement
    matching: Matching
    inquiry: Inquiry
    reversal: Reversal
    validation: Validation
    clock: Clock
    later: Later

    async def settle(self, webhook: WebhookLog) -> None:
        """Decide about a stored webhook; safe to repeat."""
        try:
            decided = await self._read(webhook)
        except Invalid as error:
            log.error("webhook not readable webhook=%s why=%s", webhook.id, error.reason)
            decided = replace(webhook, status="malformed")
        self.later(partial(self._keep, webhook, decided))

    async def expecting(self, body: str) -> str | None:
        """Return what speaks against letting this money in; in a body we cannot read, nothing."""
        try:
            money, _ = self.gateway.read_confirmation(body)
        except Invalid:
            return None
        return await self.validation.against(money)

    async def _read(self, webhook: WebhookLog) -> WebhookLog:
        if webhook.type in _TIMEOUTS:  # it proves nothing
            return replace(webhook, status="timed_out")
        readers = {
            STK_CALLBACK: self._of_push,
            C2B_CONFIRMATION: self._of_money,
            STATUS_RESULT: self.inquiry.heard,
            REVERSAL_RESULT: self.reversal.heard,
        }
        reader = readers.get(webhook.type)
        if reader is None:  # such as what was turned away at the door
            raise Invalid("type_unknown")
        return await reader(webhook)

    async def _of_money(self, webhook: WebhookLog) -> WebhookLog:
        money, payload = self.gateway.read_confirmation(webhook.raw_body)
        found = None
        if webhook.proved:
            status, payment = await self.matching.arrived(money)
            found = payment.id
        elif webhook.doubted:
            status = await self.matching.doubted(money)
            found = ids.of_receipt(money.receipt) if status == "unmatched" else None
        else:
            status = await self.matching.hinted(money)
        return replace(
            webhook,
            status=status,
            payment_id=found,
            payload=payload,
            metadata=_of_confirmation(money),
        )

    async def _of_push(self, webhook: WebhookLog) -> WebhookLog:
        evidence, payload = self.gateway.read_callback(webhook.raw_body)
        payment = await self._called_about(webhook, evidence)
        read = replace(webhook, payload=payload, metadata=_of_stk(evidence, payload))
        if payment is None:
            return replace(read, status="payment_not_found")
        status = await self._of_callback(webhook, payment, evidence)
        return replace(read, status=status, payment_id=payment.id)

    async def _of_callback(self, webhook: WebhookLog, payment: Payment, evidence: Evidence) -> str:
        if not webhook.proved:
            await self.settlement.ask_early(payment)
            return "asked"
        try:
            after = await self.matching.believe(payment, evidence)
        except NotOurs:
            log.error("callback names another request payment=%s", payment.id)
            await self.settlement.ask_early(payment)
            return "mismatch"
        except SecondPayment:
            return await self._other_money(payment, evidence)
        except Duplicate:
            log.error("receipt has paid for something else payment=%s", payment.id)
            return "receipt_used"
        return _STATUS.get(after.state, "undecided")

    async def _called_about(self, webhook: WebhookLog, evidence: Evidence) -> Payment | None:
        """Return the payment of the secret address, else the one of the push it names."""
        if webhook.payment_id is not None:
            return await self.payments.recall(webhook.payment_id)
        name = evidence.checkout_request_id
        push = await self.initiations.find("CheckoutRequestID", name) if name else None
        return None if push is None else await self.payments.get(push.payment_id)

    async def _other_money(self, payment: Payment, evidence: Evidence) -> str:
        """Keep for a person what came on top of what had paid already."""
        if evidence.receipt is None:
            return "second_payment"
        money = Received(
            source=evidence.source,
            receipt=evidence.receipt,
            amount=evidence.amount or Decimal(payment.amount),
            short_code=payment.paybill_number,
            reference=payment.voucher_code,
            msisdn=evidence.phone or "",
        )
        await self.matching.arrived(money)
        return "second_payment"

    async def _keep(self, webhook: WebhookLog, decided: WebhookLog) -> None:
        took = self.clock.now() - webhook.timestamp

        def step(current: WebhookLog) -> WebhookLog:
            return replace(
                current,
                status=decided.status,
                payment_id=decided.payment_id,
                payload=decided.payload,
                metadata=decided.metadata,
                # One that is read again was decided about long ago.
                processing_time=current.processing_time or int(took.total_seconds() * 1000),
                owed=None,
            )

        await evolve(self.webhooks, webhook, step)


def _of_stk(evidence: Evidence, payload: dict[str, object]) -> WebhookMetadata:
    body = payload.get("Body")
    callback = body.get("stkCallback", {}) if isinstance(body, dict) else {}
    return WebhookMetadata(
        checkout_request_id=evidence.checkout_request_id,
        merchant_request_id=evidence.merchant_request_id,
        result_code=callback.get("ResultCode"),
        result_desc=callback.get("ResultDesc"),
    )


def _of_confirmation(money: Received) -> WebhookMetadata:
    return WebhookMetadata(trans_id=money.receipt, bill_ref_number=money.reference or None)
