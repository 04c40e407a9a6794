"""What customers and the operator are told by SMS: queued where it happens, sent when it can be."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from appliance.domain import ids, phones
from appliance.domain.debts import Kind as Debt
from appliance.domain.debts import owing
from appliance.domain.errors import (
    ApplianceError,
    Duplicate,
    Invalid,
    OutcomeUnknown,
    SmsRefused,
    SmsUnavailable,
)
from appliance.domain.messages import HELPS_FOR, Kind, Message
from appliance.domain.payments import Payment
from appliance.domain.plans import ClockKind
from appliance.domain.vouchers import State, Voucher
from appliance.flows.bounds import Bounds
from appliance.flows.evolve import evolve, load, recall
from appliance.ports import Clock, Handover, Messages, Messenger, Payments, Vouchers, Wording

log = logging.getLogger(__name__)

_MOST = 1000
_MOST_ALERTS = 200
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an operator wants told; by default nothing is, and nothing is written."""

    receipts: bool = False
    reminders: timedelta | None = None
    """How long before the end."""
    alerts_to: tuple[str, ...] = field(default=(), repr=False)
    brand: str = ""
    box: str = ""
    language: str = "en"
    """The operator's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """Writes messages and sends them. Whatever becomes of one, nobody's access depends on it."""

    messages: Messages
    payments: Payments
    vouchers: Vouchers
    messenger: Messenger
    wording: Wording
    bounds: Bounds
    """How many a minute the provider takes."""
    clock: Clock
    router_id: str
    wanted: Wanted
    hand_over: Handover[Message]
    _reminded: set[str] = field(default_factory=set, repr=False)
    """Vouchers that were looked at: the unique key is what makes it one reminder."""

    async def pay(self, message: Message) -> Message:
        """Send a message; one that may have left already is not sent a second time.

        Raises `SmsUnavailable` where it certainly was not: the debt then stands.
        """
        now, certain = self.clock.now(), self.clock.certain()
        if message.leaving_at is not None:
            log.warning("it may have been sent message=%s", message.id)
            return await evolve(self.messages, message, lambda m: m.unknown("interrupted"))
        if certain is not None and certain > message.until:
            log.warning("too late to be sent message=%s", message.id)
            why = "too_late" if message.reason is None else f"too_late: {message.reason}"
            return await evolve(self.messages, message, lambda m: m.failed(why))
        lease = message.owed.lease_until if message.owed is not None else None
        wait = self.bounds.take("sms")
        if wait:
            later = now + timedelta(seconds=wait)
            return await evolve(self.messages, message, lambda m: m.put_off(lease, later, "rate"))
        ours = list[Message]()
        left = await evolve(self.messages, message, lambda m: m.leaving(now, lease), ours.append)
        return await self._send(left) if ours else left

    async def _send(self, message: Message) -> Message:
        try:
            sent = await self.messenger.send(message.to, message.text)
        except SmsUnavailable as error:
            reason = error.reason
            await evolve(self.messages, message, lambda m: m.stayed(reason))
            raise
        except SmsRefused as error:
            reason = error.reason
            log.warning("refused message=%s why=%s", message.id, reason)
            return await evolve(self.messages, message, lambda m: m.failed(reason))
        except OutcomeUnknown as error:
            log.warning("it may have been sent message=%s why=%s", message.id, error)
            return await evolve(self.messages, message, lambda m: m.unknown("no_answer"))
        now = self.clock.now()
        log.info("sent message=%s kind=%s", message.id, message.kind)
        return await evolve(self.messages, message, lambda m: m.sent(sent, now))

    # What is told

    async def receipt(self, payment: Payment) -> None:
        """Queue the code of a paid purchase for whoever paid it, once."""
        if self.wanted.receipts:
            await _quietly("receipt", payment.id, lambda: self._receipt(payment))

    async def remind_ending(self) -> None:
        """Queue reminders of what the clock ends soon."""
        now, ahead = self.clock.certain(), self.wanted.reminders
        if now is None or ahead is None:
            return
        for voucher in await self.vouchers.due(now + ahead, _MOST):
            if voucher.expires_at is not None and voucher.expires_at > now:
                await self._remind(voucher, voucher.expires_at - now)

    async def remind_low(self, counted: list[Voucher]) -> None:
        """Queue reminders of connected time that is nearly used, as it was just counted."""
        ahead = self.wanted.reminders
        if ahead is None:
            return
        for voucher in counted:
            left = timedelta(seconds=voucher.seconds_left(self.clock.certain()))
            if voucher.plan.clock is ClockKind.CONNECTED and timedelta() < left <= ahead:
                await self._remind(voucher, left)

    async def alert(self, subject: str, **values: object) -> None:
        """Queue an alert for every number of the operator's."""
        key, now = f"alert.{subject}", self.clock.now()
        text = self.wording.text(self.wanted.language, key, box=self.wanted.box, **values)
        for number, to in enumerate(self.wanted.alerts_to):
            about = f"alert:{self.router_id}:{subject}:{now.isoformat()}:{number}"
            made = self._drawn_up(Kind.ALERT, about, to, text, self.wanted.language)
            await self._queue(replace(made, subject=subject, alert_of=self.router_id))

    async def alerts(self) -> list[Message]:
        """Return the alerts of this box, the newest first."""
        return await self.messages.page("alertOf", self.router_id, _MOST_ALERTS)

    # What a console shows

    async def newest(self, limit: int) -> list[Message]:
        """Return this box's messages, the newest first."""
        return await self.messages.page("routerId", self.router_id, limit)

    async def spent(self, since: datetime) -> int:
        """Return what this box's messages of since then have cost, in hundredths of a shilling."""
        found = await self.messages.tally(
            ("routerId", "sentAt?"), since, self.clock.now(), "costCents"
        )
        return sum(one.total for one in found if one.group == (self.router_id, True))

    async def again(self, message_id: str) -> Message:
        """Send a message that failed, or may have, once more; raise `Invalid` in words."""
        message = await load(self.messages, message_id)
        if message.router_id != self.router_id:
            raise Invalid("another box sent it")
        now = self.clock.now()
        return await evolve(self.messages, message, lambda m: m.again(now), self.hand_over)

    async def _receipt(self, payment: Payment) -> None:
        to = _number(payment)
        if to is None:
            return
        voucher = await recall(self.vouchers, payment.voucher_id)
        text = self.wording.text(
            payment.language,
            "receipt",
            brand=self.wanted.brand,
            code=voucher.code,
            plan=voucher.plan.name,
            length=voucher.length,
            price=payment.amount,
        )
        await self._tell(Kind.RECEIPT, voucher, payment, to, text)

    async def _remind(self, voucher: Voucher, left: timedelta) -> None:
        """Remind once, and not of a time that was hardly longer than the warning."""
        ahead = self.wanted.reminders or timedelta()
        if voucher.id in self._reminded or voucher.state is not State.ACTIVE:
            return
        if voucher.length >= 2 * ahead and voucher.payment_id is not None:
            await _quietly("reminder", voucher.id, lambda: self._reminder(voucher, left))
        if len(self._reminded) > _MOST_REMEMBERED:
            self._reminded.clear()
        self._reminded.add(voucher.id)

    async def _reminder(self, voucher: Voucher, left: timedelta) -> None:
        payment = await self.payments.get(voucher.payment_id or "")
        to = None if payment is None else _number(payment)
        if payment is None or to is None:
            return
        text = self.wording.text(payment.language, "reminder", brand=self.wanted.brand, left=left)
        await self._tell(Kind.REMINDER, voucher, payment, to, text, until=self.clock.now() + left)

    async def _tell(
        self,
        kind: Kind,
        voucher: Voucher,
        payment: Payment,
        to: str,
        text: str,
        until: datetime | None = None,
    ) -> None:
        made = self._drawn_up(kind, about(kind, voucher.id), to, text, payment.language)
        until = made.until if until is None else min(until, made.until)
        made = replace(made, voucher_id=voucher.id, payment_id=payment.id, until=until)
        await self._queue(made)

    def _drawn_up(self, kind: Kind, about: str, to: str, text: str, language: str) -> Message:
        now = self.clock.now()
        return Message(
            id=ids.new_id(),
            about=about,
            kind=kind,
            router_id=self.router_id,
            to=to,
            text=text,
            language=language,
            created_at=now,
            until=now + HELPS_FOR[kind],
            owed=owing(Debt.SEND, now),
        )

    async def _queue(self, message: Message) -> None:
        """Store it, and have it sent; what is about the same is there already."""
        try:
            stored = await self.messages.insert(message)
        except Duplicate:
            return
        self.hand_over(stored)


def about(kind: Kind, voucher_id: str) -> str:
    """Return what there is one message of this kind about, for a customer."""
    return f"{kind}:{voucher_id}"


async def _quietly(what: str, about: str, work: Callable[[], Awaitable[None]]) -> None:
    """Have something queued; that it cannot be now costs a message and nothing else."""
    try:
        await work()
    except ApplianceError as error:
        log.warning("not queued, a %s about=%s code=%s", what, about, error.code)
    except Exception:
        log.exception("not queued, this is a bug, a %s about=%s", what, about)


def _number(payment: Payment) -> str | None:
    """Return the phone that paid, where anybody knows all of it."""
    try:
        return phones.normalise(payment.phone or payment.msisdn or "")
    except Invalid:
        return None
