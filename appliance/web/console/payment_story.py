"""One payment's whole story, and what a person decides about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from aiohttp import web

from appliance import ports
from appliance.domain import phones
from appliance.domain.audit import Entry
from appliance.domain.errors import Invalid
from appliance.domain.payments import (
    NEEDS_A_PERSON,
    PERHAPS_KNOWN,
    UNSEEN,
    Payment,
    State,
)
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import State as VoucherState
from appliance.domain.vouchers import Voucher
from appliance.flows.background import Archive
from appliance.flows.reports import Reports, Story
from appliance.flows.resolve import Resolve
from appliance.flows.reversal import Reversal
from appliance.web.console import payment_words as words
from appliance.web.console.shell import came_to_nothing, done, form_of, page, record

_LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened."""

    at: datetime
    what: str
    tone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStory:
    """The page of one payment."""

    reports: Reports
    archive: Archive
    plans: ports.Plans
    resolve: Resolve
    reversal: Reversal
    path: str = "/payments/{payment_id}"

    def routes(self) -> list[web.RouteDef]:
        """Return the page and its buttons."""
        return [
            web.get(self.path, self._show),
            web.post(f"{self.path}/plan", self._give_plan),
            web.post(f"{self.path}/voucher", self._pay_voucher),
            web.post(f"{self.path}/refunded", self._refunded),
            web.post(f"{self.path}/reverse", self._reverse),
            web.post(f"{self.path}/went-back", self._went_back),
            web.post(f"{self.path}/stayed", self._stayed),
            web.post(f"{self.path}/seen", self._seen),
        ]

    async def _show(self, request: web.Request) -> web.Response:
        story = await self._story(request)
        payment = story.payment
        more = await self.archive.about(payment)
        waits = payment.state in NEEDS_A_PERSON
        plans = await self.plans.page("active", value=True, limit=100) if waits else []
        plans.sort(key=lambda plan: plan.price)
        came = Decimal(payment.received or payment.amount)
        return page(
            request,
            "payment.html",
            payment=payment,
            voucher=story.voucher,
            push=story.initiation,
            messages=story.webhooks[::-1],
            trail=trail(story, more.deeds),
            more=more,
            waits=waits,
            reversible=waits and await self.reversal.possible(payment),
            under_way=payment.state is State.REVERSING,
            perhaps_known=waits and await self._perhaps_known(payment),
            given_away=payment.reason in UNSEEN,
            plans=[(plan.id, f"{plan.name}, KSh {plan.price}") for plan in plans],
            fitting=next((p.id for p in reversed(plans) if p.price <= came), ""),
            local=phones.local,
            words=words,
        )

    async def _give_plan(self, request: web.Request) -> web.Response:
        payment, form = await self._waiting(request), await form_of(request)
        plan, again = form.get("plan", ""), form.get("again") == "yes"
        await self._check_looked(payment, again=again)
        await record(request, "gave a plan for money", payment.id, plan=plan, again=again)
        await self.resolve.with_plan(payment.id, plan, again=again)
        raise done(f"/payments/{payment.id}", "done")

    async def _pay_voucher(self, request: web.Request) -> web.Response:
        payment, form = await self._waiting(request), await form_of(request)
        code, again = form.get("code", "")[:40], form.get("again") == "yes"
        await record(request, "paid a voucher with money", payment.id, voucher=code, again=again)
        await self.resolve.with_voucher(payment.id, code, again=again)
        raise done(f"/payments/{payment.id}", "done")

    async def _refunded(self, request: web.Request) -> web.Response:
        payment, form = await self._waiting(request), await form_of(request)
        note = form.get("note", "").strip()[:_LONGEST_NOTE]
        if not note:
            raise Invalid("Write down how the money went back, such as its M-Pesa receipt.")
        await record(request, "recorded money as given back", payment.id)
        await self.resolve.as_refunded(payment.id, note)
        raise done(f"/payments/{payment.id}", "done")

    async def _reverse(self, request: web.Request) -> web.Response:
        payment, form = await self._waiting(request), await form_of(request)
        if form.get("sure") != "yes":
            raise Invalid("Tick the box first: money that went back does not come again.")
        again = form.get("again") == "yes"
        await self._check_looked(payment, again=again)
        await record(request, "ordered money back", payment.id, again=again)
        after = await self.reversal.order(payment.id, again=again)
        if after.state in NEEDS_A_PERSON:
            await came_to_nothing(request, after.reason or str(after.state))
            raise done(f"/payments/{payment.id}", "not-ordered")
        raise done(f"/payments/{payment.id}", "asked")

    async def _went_back(self, request: web.Request) -> web.Response:
        payment = (await self._story(request)).payment
        note = (await form_of(request)).get("note", "").strip()[:_LONGEST_NOTE]
        if not note:
            raise Invalid("Write down what M-Pesa's books say, such as the reversal's receipt.")
        await record(request, "saw that money went back", payment.id)
        await self.reversal.went_back(payment.id, note)
        raise done(f"/payments/{payment.id}", "done")

    async def _stayed(self, request: web.Request) -> web.Response:
        payment = (await self._story(request)).payment
        await record(request, "saw that money did not go back", payment.id)
        await self.reversal.stayed(payment.id)
        raise done(f"/payments/{payment.id}", "done")

    async def _seen(self, request: web.Request) -> web.Response:
        payment = (await self._story(request)).payment
        await record(request, "saw that money went back all the same", payment.id)
        await self.reversal.let_stand(payment.id)
        raise done(f"/payments/{payment.id}", "done")

    async def _perhaps_known(self, payment: Payment) -> bool:
        """Say whether its buyer may have the time, whatever has become of it since it came."""
        told = payment.reason == PERHAPS_KNOWN
        return told or await self.resolve.lookup.perhaps_given(payment)

    async def _check_looked(self, payment: Payment, *, again: bool) -> None:
        if not again and await self._perhaps_known(payment):
            raise Invalid(
                "Its buyer may have the time already. Look at the purchases it may belong to, "
                "then tick the box that says “anyway”."
            )

    async def _waiting(self, request: web.Request) -> Payment:
        """Return a payment that can be decided about, before that is written down."""
        payment = (await self._story(request)).payment
        if payment.state not in NEEDS_A_PERSON:
            raise Invalid(f"This payment is {words.state(payment)}: there is nothing to decide.")
        return payment

    async def _story(self, request: web.Request) -> Story:
        story = await self.reports.story(request.match_info["payment_id"])
        if story is None:
            raise web.HTTPNotFound
        return story


def trail(story: Story, deeds: Sequence[Entry] = ()) -> list[Moment]:
    """Return what happened, in its order, as far as its times are written down."""
    found = [*_of_payment(story.payment), *map(_of_message, story.webhooks)]
    if story.voucher is not None:
        found += _of_voucher(story.voucher)
    found += [Moment(entry.at, f"{entry.who}: {entry.did}") for entry in deeds]
    return sorted(found, key=lambda moment: moment.at)


def _of_payment(payment: Payment) -> list[Moment]:
    began = "A customer asked to pay" if payment.asked_for else "We first heard of this money"
    found = [Moment(payment.created_at, began)]
    if payment.prompted_at is not None:
        found.append(Moment(payment.prompted_at, "M-Pesa took the push: the phone rings"))
    if payment.paid_at is not None:
        came = "The money is proved" if payment.asked_for else "The money moved"
        found.append(Moment(payment.paid_at, came))
    if payment.decided_at is not None and payment.decided_at != payment.paid_at:
        tone = {State.FAILED: "bad", State.CANCELLED: "bad"}.get(payment.state, "")
        ordered = payment.state is State.REVERSING
        what = "M-Pesa was told to give it back" if ordered else f"Now {words.state(payment)}"
        found.append(Moment(payment.decided_at, what, tone))
    return found


def _of_message(message: WebhookLog) -> Moment:
    tone = "" if message.proved else "warn"
    return Moment(message.timestamp, words.kind(message), tone)


def _of_voucher(voucher: Voucher) -> list[Moment]:
    found = list[Moment]()
    if voucher.paid_at is not None:
        found.append(Moment(voucher.paid_at, f"Voucher {voucher.code} is paid, and owes access"))
    if voucher.activated_at is not None:
        through = words.way(voucher.granted_by)
        found.append(Moment(voucher.activated_at, f"Online, let in through {through}"))
    if voucher.expires_at is not None and voucher.state is VoucherState.EXPIRED:
        found.append(Moment(voucher.expires_at, "Its time ended"))
    return found
