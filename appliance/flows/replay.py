"""A stored call is read once more; settling is safe to repeat, so this is."""

import logging
from dataclasses import dataclass, replace

from appliance.domain.debts import Kind, Owed
from appliance.domain.errors import Invalid
from appliance.domain.records import WebhookLog
from appliance.flows.evolve import evolve
from appliance.flows.intake import REFUSED
from appliance.ports import Clock, WebhookLogs

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Have a call go through settlement as if it had just come: what it proved, it proves again."""

    webhooks: WebhookLogs
    clock: Clock

    async def call(self, webhook_id: str) -> WebhookLog:
        """Have the worker read it now; raise `Invalid` in words."""
        webhook = await self.webhooks.get(webhook_id)
        if webhook is None:
            raise Invalid("there is no such call")
        after = await evolve(self.webhooks, webhook, self._again)
        log.info("read again by a person webhook=%s", webhook.id)
        return after

    def _again(self, webhook: WebhookLog) -> WebhookLog:
        if webhook.type == "c2b_validation":
            raise Invalid(
                "a question of Safaricom's is answered once: its answer cannot be taken back"
            )
        if REFUSED in {webhook.type, webhook.status}:
            raise Invalid("this call was turned away: nothing it says is believed")
        owed, now = webhook.owed, self.clock.now()
        if owed is not None and owed.lease_until is not None and owed.lease_until > now:
            raise Invalid("it is being read just now")
        return replace(webhook, owed=Owed(Kind.SETTLE, now, since=now))
