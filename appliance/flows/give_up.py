"""A person ends a debt that nobody can pay; the money behind it is never let go of by that."""

import logging
from dataclasses import dataclass, replace

from appliance.domain.debts import Kind, Owed
from appliance.domain.errors import Invalid
from appliance.domain.payments import Payment, State
from appliance.domain.records import WebhookLog
from appliance.flows.evolve import evolve
from appliance.ports import Payments, Vouchers, WebhookLogs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """Only what is parked, and only where nobody loses by it."""

    webhooks: WebhookLogs
    payments: Payments
    vouchers: Vouchers

    async def debt(self, record_id: str) -> str:
        """End this debt and return what became of it; raise `Invalid` in words."""
        webhook = await self.webhooks.get(record_id)
        if webhook is not None:
            await evolve(self.webhooks, webhook, _read_by_a_person)
            log.warning("given up by a person webhook=%s", record_id)
            return "the call stays stored and is not read again; its money is found by a pull"
        payment = await self.payments.get(record_id)
        if payment is not None and await self._without_voucher(payment):
            await evolve(self.payments, payment, _for_a_person)
            log.warning("given up by a person payment=%s", record_id)
            return "its voucher is gone: decide about the money with `payments resolve`"
        raise Invalid("only a call that cannot be read, or money without its voucher, is given up")

    async def _without_voucher(self, payment: Payment) -> bool:
        if payment.state is not State.PAID:
            return False
        return await self.vouchers.get(payment.voucher_id) is None


def _read_by_a_person(webhook: WebhookLog) -> WebhookLog:
    _parked(webhook.owed, Kind.SETTLE)
    return replace(webhook, status="given_up", owed=None)


def _for_a_person(payment: Payment) -> Payment:
    _parked(payment.owed, Kind.CONCLUDE)
    waits = payment.not_needed(payment.voucher_id, "voucher_missing")
    return waits.concluded(waits)


def _parked(owed: Owed | None, kind: Kind) -> None:
    if owed is None or owed.kind is not kind or owed.parked_at is None:
        raise Invalid("it is not parked: it is tried again by itself")
