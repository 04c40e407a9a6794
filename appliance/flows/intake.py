"""What Safaricom calls with is stored before it is answered: in the database, else on this box."""

import asyncio
import logging
from dataclasses import dataclass, field, replace

from appliance.domain import debts
from appliance.domain.errors import (
    ApplianceError,
    Duplicate,
    StoreUnavailable,
    Unreadable,
    Unstorable,
)
from appliance.domain.records import Spooled, WebhookLog
from appliance.ports import Beat, Clock, Handover, Payments, Spool, Watched, WebhookLogs

log = logging.getLogger(__name__)

# Safaricom's patience is not documented, and a callback that it drops comes no second time.
_PATIENCE_SECONDS = 2.0
_LOOK_EVERY = 0.5
_BATCH = 50
_TRY_PARKED_EVERY = 3600.0
REFUSED = "refused"
"""Of a call that was turned away."""


@dataclass(slots=True, kw_only=True)
class Intake:
    """Takes calls in, and moves what was spooled to the database as soon as it is there.

    While any call waits in the spool, a new one queues behind it: calls stay in their order, and
    nobody waits for a database that is known to be away. Settling does not depend on the order.
    """

    payments: Payments
    webhooks: WebhookLogs
    hand_over: Handover[WebhookLog]
    clock: Clock
    spool: Spool | None = None
    """None where the database is a file on this box: what fails for one fails for both."""
    _trouble: str = field(default="", init=False)

    async def take(self, webhook: WebhookLog, token_hash: str | None = None) -> bool:
        """Store a call; say no where it came with a token that no payment has.

        Raises `StoreUnavailable` where nothing is stored. A spooled token is looked up later.
        """
        if self.spool is None:
            return await self._store(webhook, token_hash)
        if self.spool.waiting and await self._queued(self.spool, webhook, token_hash):
            return True
        try:
            # A write that was made all the same has this id: its spooled copy meets itself.
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._store(webhook, token_hash)
        except (TimeoutError, ApplianceError) as error:
            why = type(error).__name__
            log.warning("the database did not take a call, it is spooled why=%s", why)
        await self.spool.keep(webhook, token_hash)
        return True

    async def run(self, watched: Watched) -> None:
        """Drain for ever; what was put aside is tried again every hour."""
        if self.spool is None:
            return
        beat = watched("intake")
        again = self.clock.monotonic()
        while True:
            beat()
            if self.clock.monotonic() >= again:
                again += _TRY_PARKED_EVERY
                await self._unpark(self.spool)
            if not await self.drain(beat):
                await asyncio.sleep(_LOOK_EVERY)

    async def _unpark(self, spool: Spool) -> None:
        try:
            await spool.unpark()
        except StoreUnavailable as error:
            log.error("the spool cannot be used why=%s", error)

    async def drain(self, beat: Beat = lambda: None) -> bool:
        """Move the calls that have waited longest, in their order; say whether any went."""
        if self.spool is None or not self.spool.waiting:
            return False
        gone: list[int] = []
        try:
            try:
                for call in await self.spool.oldest(_BATCH):
                    moved = await self._moved(self.spool, call)
                    gone += [call.place] if moved else []
                    beat()  # however slow the database
            finally:
                # Not one by one: each is a write to the disk, and one that comes again is met.
                if gone:
                    await self.spool.remove(gone)
                    log.info("spooled calls are in the database count=%d", len(gone))
        except StoreUnavailable as error:
            self._tell(str(error))
        else:
            self._tell("")
        return bool(gone)

    async def _queued(self, spool: Spool, webhook: WebhookLog, token_hash: str | None) -> bool:
        """Say whether the spool took it; one that is full or broken may still do without."""
        try:
            await spool.keep(webhook, token_hash)
        except StoreUnavailable as error:
            log.error("the spool does not take a call why=%s", error)
            return False
        return True

    async def _store(self, webhook: WebhookLog, token_hash: str | None) -> bool:
        if token_hash is not None:
            try:
                payment = await self.payments.find("callbackHash", token_hash)
            except Unreadable:  # it is there: settling finds it by its push, and parks the call
                log.error("a callback's payment cannot be read webhook=%s", webhook.id)
            else:
                if payment is None:
                    return False
                webhook = replace(webhook, payment_id=payment.id)
        await self.webhooks.insert(webhook)
        self.hand_over(webhook)
        return True

    async def _moved(self, spool: Spool, call: Spooled) -> bool:
        """Say whether the database has the call; one that it never takes is put aside.

        Raises `StoreUnavailable` while it is away.
        """
        try:
            await self._arrive(call)
        except ApplianceError as error:
            if isinstance(error, StoreUnavailable) and not isinstance(error, Unstorable):
                raise
            log.error("a spooled call is parked webhook=%s why=%s", call.webhook.id, error)
            await spool.park(call.place, f"{type(error).__name__}: {error}")
        except Exception as error:
            log.exception("a spooled call is parked, this is a bug webhook=%s", call.webhook.id)
            await spool.park(call.place, f"bug: {type(error).__name__}")
        else:
            return True
        return False

    async def _arrive(self, call: Spooled) -> None:
        """Store a spooled call as if it came now; one that was forged is kept to be looked at."""
        owed = debts.owing(debts.Kind.SETTLE, self.clock.now())
        webhook = replace(call.webhook, owed=replace(owed, since=call.webhook.timestamp))
        try:
            if not await self._store(webhook, call.token_hash):
                log.warning("a spooled callback was forged webhook=%s", webhook.id)
                forged = replace(webhook, status=REFUSED, owed=None, proved=False)
                await self.webhooks.insert(forged)
        except Duplicate:
            if await self.webhooks.get(webhook.id) is None:
                raise

    def _tell(self, trouble: str) -> None:
        """Log what keeps the calls here, once."""
        if trouble and trouble != self._trouble:
            log.warning("spooled calls wait why=%s", trouble)
        self._trouble = trouble
