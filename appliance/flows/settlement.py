"""Evidence completes a payment, and a completed payment reaches its voucher."""

import logging
from dataclasses import dataclass, replace
from functools import partial

from appliance.domain.debts import Kind
from appliance.domain.errors import Duplicate, Invalid
from appliance.domain.evidence import Evidence
from appliance.domain.payments import NotOurs, Payment, State
from appliance.domain.records import WebhookLog, WebhookMetadata
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import evolve, recall
from appliance.ports import (
    Clock,
    Gateway,
    Handover,
    Initiations,
    Later,
    Payments,
    Vouchers,
    WebhookLogs,
)

log = logging.getLogger(__name__)

# What a webhook's reader sees; the first three words are the owner's other programs'.
_STATUS = {
    State.PAID: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
    State.DISPUTED: "disputed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One function for every kind of evidence; all of it is safe to repeat."""

    payments: Payments
    vouchers: Vouchers
    initiations: Initiations
    webhooks: WebhookLogs
    gateway: Gateway
    clock: Clock
    hand_over: Handover[Voucher]
    """Who opens the gate: told the moment the voucher is stored as paid."""
    later: Later

    async def pay(self, payment: Payment) -> None:
        """Pay what a payment owes: its outcome to its voucher, or a question to Safaricom."""
        if payment.owed is not None and payment.owed.kind is Kind.CONCLUDE:
            await self.conclude(payment)
        else:
            await self.ask(payment)

    async def hear(self, payment: Payment, evidence: Evidence) -> Payment:
        """Return the payment as the evidence leaves it, its consequence carried out.

        Raises `NotOurs` for evidence of another request, `Duplicate` for a receipt that has
        already paid for something else; the payment then stays as it was.
        """
        now = self.clock.now()
        after = await evolve(self.payments, payment, lambda p: p.heard(evidence, now))
        return await self._carried_out(after, evidence)

    async def settle(self, webhook: WebhookLog) -> None:
        """Decide about a stored callback and write the decision beside it."""
        try:
            evidence, payload = self.gateway.read_callback(webhook.raw_body)
        except Invalid as error:
            log.error("callback not readable webhook=%s why=%s", webhook.id, error.reason)
            await self._decided(webhook, "malformed", None, None)
            return
        status = await self._status(webhook, evidence)
        self.later(partial(self._decided, webhook, status, evidence, payload))

    async def ask(self, payment: Payment) -> None:
        """Query a payment that nobody called about; what proves nothing plans the next query."""
        initiation = await self.initiations.get(payment.id)
        now = self.clock.now()
        if initiation is None and payment.state is State.INITIATING:
            # The initiation is stored before the push leaves: without it nothing was sent.
            after = await evolve(
                self.payments, payment, lambda p: p.never_sent("gateway_unreachable", now)
            )
            await self.conclude(after)
            return
        if initiation is not None and initiation.checkout_request_id is not None:
            name = initiation.checkout_request_id
            payment = await evolve(self.payments, payment, lambda p: p.prompted(name))
        answer = await self.gateway.query(payment)
        now = self.clock.now()
        after = await evolve(self.payments, payment, lambda p: p.asked(answer, now))
        after = await self._carried_out(after, answer)
        if after.state is State.UNKNOWN:
            await self._tell_initiation(after)

    async def conclude(self, payment: Payment) -> None:
        """Carry the payment's outcome to its voucher and its initiation."""
        if payment.state is State.PAID:
            await self._deliver(payment)
        await self._tell_initiation(payment)
        await evolve(self.payments, payment, lambda p: p.concluded(payment.state))

    async def _carried_out(self, payment: Payment, evidence: Evidence) -> Payment:
        if payment.owed is not None and payment.owed.kind is Kind.CONCLUDE:
            log.info("payment %s by %s payment=%s", payment.state, evidence.source, payment.id)
            if payment.state is State.PAID:
                await self._deliver(payment)
            self.later(partial(self.conclude, payment))
        return payment

    async def _deliver(self, payment: Payment) -> None:
        now = self.clock.now()
        voucher = await recall(self.vouchers, payment.voucher_id)
        await evolve(
            self.vouchers, voucher, lambda v: v.paid(now, payment.device), then=self.hand_over
        )

    async def _tell_initiation(self, payment: Payment) -> None:
        """Let the push's own record follow; other programs read it, access never waits for it."""
        initiation = await self.initiations.recall(payment.id)
        if initiation is None:
            return
        try:
            await evolve(self.initiations, initiation, lambda i: i.follows(payment))
        except Duplicate:
            log.error("another push bears this one's name payment=%s", payment.id)

    async def _status(self, webhook: WebhookLog, evidence: Evidence) -> str:
        payment = await self.payments.recall(webhook.payment_id or "")
        if payment is None:
            return "payment_not_found"
        try:
            after = await self.hear(payment, evidence)
        except NotOurs:
            log.error("callback names another request payment=%s", payment.id)
            return "mismatch"
        except Duplicate:
            log.error("receipt has paid for something else payment=%s", payment.id)
            return "receipt_used"
        return _STATUS.get(after.state, "undecided")

    async def _decided(
        self,
        webhook: WebhookLog,
        status: str,
        evidence: Evidence | None,
        payload: dict[str, object] | None,
    ) -> None:
        took = self.clock.now() - webhook.timestamp
        metadata = webhook.metadata if evidence is None else _metadata(evidence, payload)

        def step(current: WebhookLog) -> WebhookLog:
            return replace(
                current,
                status=status,
                payload=payload,
                metadata=metadata,
                processing_time=int(took.total_seconds() * 1000),
                owed=None,
            )

        await evolve(self.webhooks, webhook, step)


def _metadata(evidence: Evidence, payload: dict[str, object] | None) -> WebhookMetadata:
    body = (payload or {}).get("Body")
    callback = body.get("stkCallback", {}) if isinstance(body, dict) else {}
    return WebhookMetadata(
        checkout_request_id=evidence.checkout_request_id,
        merchant_request_id=evidence.merchant_request_id,
        result_code=callback.get("ResultCode"),
        result_desc=callback.get("ResultDesc"),
    )
