"""Customers at the operator's console: found by phone, which stands in no address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from appliance.domain.messages import Kind, Message
from appliance.domain.payments import Payment
from appliance.domain.plans import Plan
from appliance.domain.vouchers import drawn_up
from appliance.flows.messages import about
from appliance.store.records import Books, books
from appliance.web.console import customers
from appliance.web.console.customers import CustomerPages
from tests.conftest import HandClock
from tests.gate import DEVICES
from tests.memory_store import MemoryStore
from tests.web.desk import Desk, desk, reports_of

PHONE = "254712345001"
HOUR = Plan(id="hour", name="<b>One hour</b>", price=10, duration=timedelta(hours=1))


async def bought(here: Desk, kept: Books, name: str, phone: str = PHONE) -> Payment:
    here.clock.pass_by(timedelta(seconds=1))
    now = here.clock.now()
    voucher = await kept.vouchers.insert(
        drawn_up(HOUR, router_id="here", payment_id=name, now=now, device=DEVICES[0])
    )
    await kept.messages.insert(
        Message(
            id=f"m-{name}",
            about=about(Kind.RECEIPT, voucher.id),
            kind=Kind.RECEIPT,
            router_id="here",
            to=phone,
            text=f"your code is {voucher.code} <i>",
            language="en",
            created_at=now,
            until=now,
        )
    )
    return await kept.payments.insert(
        Payment(
            id=name,
            token=name,
            amount=10,
            phone=phone,
            plan_id="hour",
            voucher_id=voucher.id,
            paybill_number="174379",
            router_id="here",
            created_at=now,
        )
    )


@asynccontextmanager
async def book_of_customers() -> AsyncIterator[tuple[Desk, Books]]:
    clock, kept = HandClock(), books(MemoryStore())
    reports = reports_of(kept, clock)
    pages = CustomerPages(payments=kept.payments, messages=kept.messages, reports=reports)
    async with desk(pages, clock=clock) as here:
        await here.sign_in()
        yield here, kept


@pytest.mark.parametrize("typed", ["0712345001", "+254 712-345 001", "712345001", PHONE])
async def test_a_customer_is_found_however_the_phone_is_written(typed: str) -> None:
    async with book_of_customers() as (here, kept):
        await bought(here, kept, "first")
        await bought(here, kept, "second")
        await bought(here, kept, "other", "254712345002")
        answer = await here.press("/customers", phone=typed)
        assert answer.headers["Location"] == "/customers/second"
        text = await here.see("/customers/second")
        assert "<title>Customer 0712 ••• 001" in text
        assert "0712345001" in text
        assert all(f"/payments/{name}" in text for name in ("first", "second"))
        assert "/payments/other" not in text
        assert text.count(DEVICES[0].mac) == 1
        assert text.count("your code is") == 2
        assert "<b>" not in text
        assert "<i>" not in text
        assert "345001" not in str(here.record)


async def test_what_nobody_bought_with_and_what_is_no_phone_are_said_apart() -> None:
    async with book_of_customers() as (here, _):
        answer = await here.press("/customers", phone="0712345009")
        assert (answer.status, "Nobody has bought" in await answer.text()) == (404, True)
        answer = await here.press("/customers", phone="<s>12</s>")
        text = await answer.text()
        assert (answer.status, "no Kenyan mobile number" in text) == (400, True)
        assert "<s>" not in text


async def test_older_purchases_follow_and_a_phone_names_no_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(customers, "_PAGE", 1)
    async with book_of_customers() as (here, kept):
        await bought(here, kept, "first")
        latest = await bought(here, kept, "second")
        await bought(here, kept, "hidden", phone="")
        text = await here.see("/customers/second")
        assert "/payments/first" not in text
        place = f"m{round(latest.created_at.timestamp() * 1000)}-second"
        assert "/payments/first" in await here.see(f"/customers/second?before={place}")
        for path in ("hidden", "none", PHONE, "second?before=x"):
            assert (await here.client.get(f"/customers/{path}")).status == 404
        await here.press("/sign-out")
        answer = await here.client.get("/customers/second", allow_redirects=False)
        assert answer.status == 303
        assert (await here.client.post("/customers", data={"phone": PHONE})).status == 401
