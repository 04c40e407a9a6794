"""What an operator reads of a day, a customer and a payment, told by the stories that made it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from appliance.domain.errors import Invalid
from appliance.domain.payments import State
from appliance.domain.reports import Funnel, Money
from appliance.domain.vouchers import State as VoucherState
from appliance.flows.reports import Reports
from tests.story import PHONES, Story

NAIROBI = timedelta(hours=3)


@pytest.fixture
async def story() -> Story:
    made = Story("paybill")
    await made.open()
    return made


def reports(story: Story, offset: timedelta = NAIROBI) -> Reports:
    return Reports(
        payments=story.books.payments,
        vouchers=story.books.vouchers,
        initiations=story.books.initiations,
        webhooks=story.books.webhooks,
        clock=story.clock,
        offset=offset,
    )


async def sale(story: Story, who: int, plan: str, result: int = 0, more: int = 0) -> None:
    await story.order(who, plan, "heard")
    await story.decide(0, result, more)
    await story.wait(2)
    await story.callback(len(story.mpesa.prompts) - 1)
    await story.work()


async def test_a_day_is_told_by_hour_plan_and_how_far_customers_came(story: Story) -> None:
    await sale(story, 0, "hour")
    await sale(story, 1, "day")
    await story.wait(3600)
    await sale(story, 0, "hour")
    await sale(story, 1, "hour", result=1032)
    await story.wait(3600)
    await story.daraja("away")
    await story.order(0, "hour", "heard")
    report = await reports(story).today()
    assert report.since == datetime(2026, 11, 22, 21, tzinfo=UTC)
    assert report.until - report.since == timedelta(days=1)
    assert report.sales == Money(3, Decimal(70))
    assert report.by_hour == (
        (datetime(2026, 11, 23, 9, tzinfo=UTC), Money(2, Decimal(60))),
        (datetime(2026, 11, 23, 10, tzinfo=UTC), Money(1, Decimal(10))),
    )
    assert report.by_plan == (("day", Money(1, Decimal(50))), ("hour", Money(2, Decimal(20))))
    assert report.funnel == Funnel(initiated=5, prompted=4, paid=3, online=3)
    assert sum(count for _, count in report.failures) == 2
    assert ("cancelled", 1) in report.failures
    assert report.waiting == Money()


async def test_money_that_waits_is_counted_up_to_a_bound_in_whatever_state(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    await story.by_hand(1, 33, "NOBODY")
    await story.confirmation(0, "whole")
    (lost,) = await story.books.payments.page(None, None, 1)
    for number in range(250):
        state = State.REVERSING if number % 2 else State.DISPUTED
        more = replace(lost, id=f"{number:024x}", receipt=f"UKX{number:07}", token=str(number))
        await story.books.payments.insert(replace(more, state=state))
    assert await reports(story).waiting() == Money(251, Decimal(251 * 33))
    monkeypatch.setattr("appliance.flows.reports.MOST_WAITING", 210)
    assert await reports(story).waiting() == Money(210, Decimal(210 * 33))


async def test_money_that_waits_counts_as_what_came_and_is_no_sale(story: Story) -> None:
    await sale(story, 0, "hour", more=5)
    await story.by_hand(1, 33, "NOBODY")
    await story.confirmation(1, "whole")
    report = await reports(story).today()
    assert report.sales == Money()
    assert report.waiting == Money(2, Decimal(48))
    (day,) = await reports(story).paybill_days(report.since, report.until)
    assert (day.day, day.paybill_number) == (report.since, "174379")
    assert (day.came, day.refunded) == (Money(2, Decimal(48)), Money())
    await story.resolve(0, "refunded")
    (day,) = await reports(story).paybill_days(report.since, report.until)
    assert (day.came, day.refunded) == (Money(2, Decimal(48)), Money(1, Decimal(15)))


async def test_a_sale_is_of_the_day_on_the_operators_clock(story: Story) -> None:
    await story.wait(12 * 3600)  # midnight in Nairobi
    await sale(story, 0, "hour")
    assert (await reports(story).today()).sales.count == 1
    assert (await reports(story).today()).since == datetime(2026, 11, 23, 21, tzinfo=UTC)
    before = reports(story).day(datetime(2026, 11, 23, 20, 59, tzinfo=UTC))
    assert (await reports(story).between(*before)).sales.count == 0
    assert (await reports(story, timedelta()).between(*before)).sales.count == 0
    assert (await reports(story, timedelta()).today()).since == datetime(2026, 11, 23, tzinfo=UTC)


async def test_how_long_buyers_waited_is_from_the_callback_to_their_first_second(
    story: Story,
) -> None:
    assert (await reports(story).speed()).count == 0
    await sale(story, 0, "hour")
    await sale(story, 1, "day")
    (kept, other) = await story.books.vouchers.page("status", VoucherState.ACTIVE.value, 2)
    assert kept.activated_at is not None
    late = {"activatedAt": kept.activated_at + timedelta(seconds=8)}
    await story.store.change("vouchers", kept.id, late, {})
    found = await reports(story).speed()
    assert (found.count, found.average, found.median) == (
        2,
        timedelta(seconds=4),
        timedelta(seconds=4),
    )
    much_later = {"activatedAt": other.created_at + timedelta(days=1)}
    await story.store.change("vouchers", other.id, much_later, {})
    assert (await reports(story).speed()).count == 1


async def test_a_customers_purchases_come_in_pages_with_what_they_bought(story: Story) -> None:
    for _ in range(3):
        await sale(story, 0, "hour")
        await story.wait(60)
    await sale(story, 1, "day")
    read = reports(story)
    first = await read.customer("0712 345 001", 2)
    rest = await read.customer(PHONES[0], 2, first.more)
    assert rest.more is None
    bought = (*first.purchases, *rest.purchases)
    times = [one.payment.created_at for one in bought]
    assert len(bought) == 3
    assert times == sorted(times, reverse=True)
    for one in bought:
        assert one.voucher is not None
        assert one.voucher.code == one.payment.voucher_code
    with pytest.raises(Invalid):
        await read.customer("12", 2)


async def test_the_story_of_a_payment_is_all_that_was_written_down(story: Story) -> None:
    await sale(story, 0, "hour")
    (payment,) = await story.books.payments.page("status", State.PAID.value, 1)
    told = await reports(story).story(payment.id)
    assert told is not None
    assert told.payment == payment
    assert told.voucher is not None
    assert told.voucher.payment_id == payment.id
    assert told.initiation is not None
    assert told.initiation.checkout_request_id == payment.checkout_request_id
    assert [call.payment_id for call in told.webhooks] == [payment.id]
    assert await reports(story).story("nothing") is None
