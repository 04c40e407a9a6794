"""A voucher made without a purchase is paid at the M-Pesa menu by its code."""

import asyncio
from datetime import timedelta
from decimal import Decimal

from appliance.domain import ids
from appliance.domain.evidence import Received, Source
from appliance.domain.payments import State
from appliance.domain.plans import Plan
from appliance.domain.vouchers import State as VoucherState
from appliance.domain.vouchers import Voucher
from tests.story import Story

CODE = "O0I1ABCDEF"


def money(amount: int, receipt: str = "UKN7K2M9QX") -> Received:
    return Received(
        source=Source.C2B,
        receipt=receipt,
        amount=Decimal(amount),
        short_code="174379",
        reference=" oo11 abcdef",
        msisdn="254712345001",
    )


async def story() -> Story:
    told = Story("paybill")
    await told.open()
    plan = Plan(id="hour", name="hour", price=10, duration=timedelta(hours=1))
    await told.books.vouchers.insert(
        Voucher(
            id=ids.new_id(),
            code=CODE,
            token=ids.new_token(),
            plan=plan,
            router_id="router",
            created_at=told.clock.now(),
        )
    )
    return told


async def test_its_price_may_come_in_and_pays_it_however_its_code_was_read() -> None:
    told = await story()
    assert await told.inbox.validation.against(money(10)) is None
    assert await told.inbox.validation.against(money(9)) == "amount"
    decision, payment = await told.matching.arrived(money(10))
    assert (decision, payment.state, payment.voucher_code) == ("completed", State.PAID, CODE)
    voucher = await told.books.vouchers.find("code", CODE)
    assert voucher is not None
    assert (voucher.state, voucher.payment_id) == (VoucherState.PAID, payment.id)
    assert await told.inbox.validation.against(money(10)) == "account"


async def test_of_two_who_pay_it_at_once_one_has_it_and_the_other_waits_for_a_person() -> None:
    told = await story()
    both = await asyncio.gather(
        told.matching.arrived(money(10, "UKN7K2M9Q1")),
        told.matching.arrived(money(10, "UKN7K2M9Q2")),
    )
    assert sorted(decision for decision, _ in both) == ["completed", "unmatched"]


async def test_the_same_news_again_after_a_death_in_the_middle_finishes_the_sale() -> None:
    told = await story()
    voucher = await told.books.vouchers.find("code", CODE)
    assert voucher is not None
    claimed = voucher.claimed(ids.of_receipt("UKN7K2M9QX"))
    await told.books.vouchers.change(voucher, claimed)
    decision, payment = await told.matching.arrived(money(10))
    assert (decision, payment.state) == ("completed", State.PAID)
