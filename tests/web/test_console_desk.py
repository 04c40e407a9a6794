"""The first page, the work that waits, the messages and the audit log in the console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from appliance.domain import debts, ids, messages
from appliance.domain.errors import RouterUnreachable
from appliance.domain.messages import Message
from appliance.domain.payments import Payment, State
from appliance.domain.plans import Plan
from appliance.domain.records import WebhookLog
from appliance.domain.secrets import InClear
from appliance.flows.audit import Audit
from appliance.flows.cashier import Cashier
from appliance.flows.give_up import GiveUp
from appliance.flows.online import Online
from appliance.store.debts import Debts
from appliance.store.records import Books, books
from appliance.web.console.home import Home
from appliance.web.console.log import Log
from appliance.web.console.messages import MessagesChapter
from appliance.web.console.work import Outstanding, Work
from tests.conftest import HandClock
from tests.memory_store import AmbushedStore
from tests.web.desk import Desk, desk, reports_of

PHONE = "254712345678"


class AwayRouter:
    """Does not answer."""

    async def sessions(self) -> list[Any]:
        raise RouterUnreachable("no route to it")


class Resend:
    """What of an outbox these pages use."""

    def __init__(self, kept: Books) -> None:
        self.kept = kept
        self.sent_again: list[str] = []

    async def newest(self, limit: int) -> list[Message]:
        return await self.kept.messages.page("routerId", "router", limit)

    async def spent(self, since: object) -> int:
        return sum(m.cost_cents or 0 for m in await self.newest(100))

    async def again(self, message_id: str) -> None:
        self.sent_again.append(message_id)


@dataclass
class Office:
    here: Desk
    store: AmbushedStore
    kept: Books
    audit: Audit
    outbox: Resend

    @property
    def clock(self) -> HandClock:
        return self.here.clock

    async def paid(self, amount: int = 10, state: State = State.PAID) -> Payment:
        now = self.clock.now()
        return await self.kept.payments.insert(
            Payment(
                id=ids.new_id(),
                token=ids.new_token(),
                callback_hash=ids.new_token(),
                checkout_request_id=ids.new_token(),
                plan_id="hour",
                amount=amount,
                phone=PHONE,
                paybill_number="174379",
                router_id="router",
                created_at=now,
                state=state,
                paid_at=now,
            )
        )


@asynccontextmanager
async def office() -> AsyncIterator[Office]:
    clock, store = HandClock(), AmbushedStore()
    kept, away = books(store, "router"), AwayRouter()
    outbox, audit = Resend(kept), Audit(entries=kept.audit, clock=clock, box="router")
    router: Any = away
    any_outbox: Any = outbox
    outstanding = Outstanding(debts=Debts(store, "router"), spool=None, clock=clock)
    home = Home(
        reports=reports_of(kept, clock),
        online=Online(vouchers=kept.vouchers, router=router, clock=clock, router_id="router"),
        cashier=Cashier(kept.paybills, kept.routers, kept.users, "router", "sandbox", InClear()),
        outstanding=outstanding,
        plans=kept.plans,
        webhooks=kept.webhooks,
        clock=clock,
    )
    give_up = GiveUp(webhooks=kept.webhooks, payments=kept.payments, vouchers=kept.vouchers)
    chapters = (
        home,
        Work(outstanding=outstanding, give_up=give_up),
        MessagesChapter(
            messages=kept.messages, outbox=any_outbox, clock=clock, provider="africastalking"
        ),
        Log(audit=audit),
    )
    async with desk(*chapters, clock=clock) as here:
        await here.sign_in()
        yield Office(here, store, kept, audit, outbox)


async def test_the_first_page_says_what_was_sold_and_what_does_not_answer() -> None:
    async with office() as at:
        plan = Plan(id="hour", name="<b>Hour", price=10, duration=timedelta(hours=1))
        await at.kept.plans.insert(plan)
        for _ in range(3):
            await at.paid()
        await at.paid(50, State.UNMATCHED)
        shown = await at.here.see("/")
        assert "KSh\N{NO-BREAK SPACE}30" in shown
        assert "3 sales" in shown
        assert "&lt;b&gt;Hour" in shown
        assert "KSh\N{NO-BREAK SPACE}50 in 1 payment" in shown
        assert "The router does not answer" in shown
        assert "Nothing can be sold" in shown


async def parked(at: Office) -> WebhookLog:
    now = at.clock.now()
    owed = debts.owing(debts.Kind.SETTLE, now)
    aside = owed.parked(owed.lease_until, now, "no <such> thing")
    return await at.kept.webhooks.insert(
        WebhookLog(
            id=ids.new_id(),
            source="x",
            type="stk_callback",
            timestamp=now,
            raw_body="{}",
            owed=aside,
        )
    )


async def test_work_that_was_put_aside_is_shown_with_its_reason_and_tried_again() -> None:
    async with office() as at:
        assert "Nothing waits" in await at.here.see("/work")
        call = await parked(at)
        shown = await at.here.see("/work")
        assert "no &lt;such&gt; thing" in shown
        assert "1 put aside" in await at.here.see("/")
        assert (await at.here.press("/work/retry", id=call.id)).status == 303
        assert at.here.record[-1][1:3] == ("retry debt", call.id)
        after = await at.kept.webhooks.get(call.id)
        assert after is not None
        assert after.owed is not None
        assert after.owed.at == at.clock.now()
        assert (await at.here.press("/work/retry", id="nothing")).status == 400
        did = {"did": "retry debt", "why": "invalid"}
        assert at.here.record[-1][1:] == ("failed", "nothing", did)


async def test_work_is_given_up_only_where_it_was_put_aside() -> None:
    async with office() as at:
        call = await parked(at)
        said = await (await at.here.press("/work/give-up", id=call.id)).text()
        assert "stays stored" in said
        assert at.here.record[-1][1:3] == ("give up debt", call.id)
        after = await at.kept.webhooks.get(call.id)
        assert after is not None
        assert after.owed is None
        assert (await at.here.press("/work/give-up", id=call.id)).status == 400


async def test_messages_show_their_cost_hide_whose_they_are_and_go_again_when_asked() -> None:
    async with office() as at:
        now = at.clock.now()
        sms = await at.kept.messages.insert(
            Message(
                id=ids.new_id(),
                about="receipt 1",
                kind=messages.Kind.RECEIPT,
                router_id="router",
                to=PHONE,
                text="Your code is <ABC>",
                language="en",
                created_at=now,
                until=now,
                state=messages.State.FAILED,
                reason="insufficient_balance",
                cost_cents=80,
            )
        )
        shown = await at.here.see("/messages")
        assert "0712 ••• 678" in shown
        assert "712345" not in shown
        assert "0.80" in shown
        whole = await at.here.see(f"/messages/{sms.id}")
        assert "Your code is &lt;ABC&gt;" in whole
        await at.here.press(f"/messages/{sms.id}/again")
        assert at.outbox.sent_again == [sms.id]
        assert at.here.record[-1][1:3] == ("send message again", sms.id)
        assert (await at.here.client.get("/messages/none")).status == 404


async def test_the_audit_log_is_paged_checked_and_exported_without_formulas() -> None:
    async with office() as at:
        for number in range(101):
            await at.audit.write("=owner", "did", f"thing {number}", more="<i>")
        first = await at.here.see("/audit")
        assert "thing 100" in first
        assert "&lt;i&gt;" in first
        assert "thing 0<" not in first
        assert "thing 0<" in await at.here.see("/audit?before=2-")
        assert "All 101 entries" in await at.here.see("/audit/verify")
        text = await (await at.here.client.get("/audit/export")).text()
        assert len(text.splitlines()) == 102
        assert "'=owner" in text
        assert ",=owner" not in text
        at.store.collections["audit"]["router:000000002"]["did"] = "nothing"
        assert "Entry 2" in await at.here.see("/audit/verify")
