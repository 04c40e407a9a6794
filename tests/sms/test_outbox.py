"""A message is about one thing, leaves once, and nobody waits for it."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.domain.debts import LEASE
from appliance.domain.errors import (
    Invalid,
    OutcomeUnknown,
    SmsRefused,
    SmsUnavailable,
    StoreUnavailable,
)
from appliance.domain.messages import Kind, Message, Sent, State
from appliance.domain.payments import State as PaymentState
from appliance.domain.plans import Plan
from appliance.flows.messages import Wanted
from appliance.store.open import opened
from tests.mortal import Countdown, crossing, dies
from tests.sms.desk import CONNECTED, PHONE, Desk
from tests.story import Story


async def test_a_paid_code_reaches_the_phone_that_paid_once() -> None:
    desk = Desk()
    payment, voucher = await desk.sold(language="sw")
    await desk.outbox.receipt(payment)
    await desk.outbox.receipt(payment)
    await desk.work()
    await desk.outbox.receipt(payment)
    await desk.work()
    ((to, text),) = desk.provider.sent
    assert to == PHONE
    assert f"vocha yako ni {voucher.code}. Inakupa saa 1 mtandaoni (One hour, KSh 10)." in text
    message = await desk.only()
    assert (message.state, message.attempts, message.cost_cents) == (State.SENT, 1, 80)
    assert message.owed is None
    assert (message.voucher_id, message.payment_id) == (voucher.id, payment.id)


async def test_without_a_provider_nothing_is_written() -> None:
    desk = Desk(Wanted())
    payment, voucher = await desk.sold()
    await desk.outbox.receipt(payment)
    desk.clock.pass_by(timedelta(minutes=55))
    await desk.outbox.remind_ending()
    await desk.outbox.remind_low([voucher])
    assert desk.store.collections["messages"] == {}


@pytest.mark.parametrize(
    ("msisdn", "to"),
    [("254712345001", [PHONE]), ("2547 ***** 001", []), ("a" * 64, []), (None, [])],
)
async def test_who_paid_by_hand_is_told_where_the_whole_number_is_known(
    msisdn: str | None, to: list[str]
) -> None:
    desk = Desk()
    payment, _ = await desk.sold(phone="", msisdn=msisdn)
    await desk.outbox.receipt(payment)
    await desk.work()
    assert [number for number, _ in desk.provider.sent] == to


async def test_a_database_that_is_away_costs_a_message_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    payment, _ = await desk.sold()

    async def away(*_: Any) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(desk.store, "insert", away)
    await desk.outbox.receipt(payment)
    assert await desk.all() == []


async def test_a_payment_is_told_of_when_its_books_are_closed_whoever_closes_them() -> None:
    story = Story("paybill")
    told = list[str]()

    async def tell(payment: Any) -> None:
        told.append(payment.id)

    object.__setattr__(story.settlement, "tell", tell)
    await story.open()
    await story.order(0, "hour", "heard")
    await story.decide(0, 0)
    await story.callback(0)
    (paid,) = await story.books.payments.page("status", PaymentState.PAID.value, 9)
    assert told == []  # the gate comes first
    await story.crash()
    await story.wait(60)
    await story.work()
    assert set(told) == {paid.id}


# When it does not go well


async def test_what_was_certainly_not_sent_is_sent_when_that_is_possible() -> None:
    desk = Desk()
    desk.provider.fails = SmsUnavailable("insufficient_balance")
    payments = [(await desk.sold())[0] for _ in range(3)]
    for payment in payments:
        await desk.outbox.receipt(payment)
    await desk.work(600)
    assert {m.state for m in await desk.all()} == {State.QUEUED}
    assert {m.reason for m in await desk.all()} == {"insufficient_balance"}
    assert desk.provider.asked < 600 / 5  # one after the other tries for all, ever more rarely
    desk.provider.fails = None
    await desk.work()
    assert len(desk.provider.sent) == 3
    assert {m.state for m in await desk.all()} == {State.SENT}


async def test_a_code_of_hours_ago_is_not_sent_any_more() -> None:
    desk = Desk()
    desk.provider.fails = SmsUnavailable("away")
    await desk.outbox.receipt((await desk.sold())[0])
    await desk.work(60)
    desk.clock.pass_by(timedelta(hours=2))
    desk.provider.fails = None
    await desk.work()
    message = await desk.only()
    assert (message.state, message.reason) == (State.FAILED, "too_late: away")
    assert message.owed is None
    assert desk.provider.sent == []


async def test_while_nobody_knows_the_time_nothing_is_too_late() -> None:
    desk = Desk()
    await desk.outbox.receipt((await desk.sold())[0])
    desk.clock.sure = False
    desk.clock.pass_by(timedelta(days=3))
    await desk.work()
    assert len(desk.provider.sent) == 1


@pytest.mark.parametrize(
    ("failure", "state", "reason"),
    [
        (SmsRefused("blacklisted"), State.FAILED, "blacklisted"),
        (OutcomeUnknown("ReadTimeout"), State.UNKNOWN, "no_answer"),
    ],
)
async def test_what_was_refused_or_may_have_been_sent_is_a_persons_to_send_again(
    failure: Any, state: State, reason: str
) -> None:
    desk = Desk()
    desk.provider.fails = failure
    await desk.outbox.receipt((await desk.sold())[0])
    await desk.work(600)
    message = await desk.only()
    assert (message.state, message.reason, desk.provider.asked) == (state, reason, 1)
    desk.provider.fails = None
    desk.clock.pass_by(timedelta(days=1))
    queued = await desk.outbox.again(message.id)
    assert (queued.state, queued.reason) == (State.QUEUED, None)
    await desk.work()
    assert (await desk.only()).state is State.SENT
    with pytest.raises(Invalid):
        await desk.outbox.again(message.id)


async def test_the_provider_is_not_asked_more_often_than_it_takes() -> None:
    desk = Desk(per_minute=6)
    for _ in range(20):
        await desk.outbox.receipt((await desk.sold())[0])
    await desk.work(60)
    assert len(desk.provider.sent) <= 12
    await desk.work(180)
    assert len(desk.provider.sent) == 20


async def test_two_workers_send_a_message_once() -> None:
    desk = Desk()
    await desk.outbox.receipt((await desk.sold())[0])
    desk.clock.pass_by(LEASE)
    first = await desk.only()
    assert first.owed is not None
    due = first.put_off(first.owed.lease_until, desk.clock.now(), "")
    taken = await desk.kept.messages.change(first, due)

    async def faster() -> None:
        await desk.worker.step()

    desk.store.ambush = faster
    await desk.outbox.pay(taken)
    assert len(desk.provider.sent) == 1


async def test_the_month_costs_what_was_sent_in_it() -> None:
    desk = Desk()
    await desk.outbox.receipt((await desk.sold())[0])
    await desk.work()
    month = desk.clock.now()
    desk.clock.pass_by(timedelta(days=1))
    for _ in range(2):
        await desk.outbox.receipt((await desk.sold())[0])
    desk.provider.fails = SmsRefused("blacklisted")
    await desk.work()
    desk.provider.fails = None
    await desk.outbox.receipt((await desk.sold())[0])
    await desk.work()
    assert await desk.outbox.spent(month) == 80
    assert await desk.outbox.spent(datetime(2026, 1, 1, tzinfo=month.tzinfo)) == 160


# Reminders


async def test_whose_time_is_nearly_over_is_reminded_once() -> None:
    desk = Desk()
    await desk.sold()
    desk.clock.pass_by(timedelta(minutes=49))
    await desk.outbox.remind_ending()
    assert await desk.all() == []
    desk.clock.pass_by(timedelta(minutes=2))
    for _ in range(3):
        await desk.outbox.remind_ending()
        desk.outbox._reminded.clear()  # a restart forgets
    await desk.work()
    (text,) = desk.texts
    assert "ends in 9 minutes" in text
    assert (await desk.only()).kind is Kind.REMINDER


async def test_nobody_is_reminded_of_what_is_over_or_was_hardly_longer_than_the_warning() -> None:
    desk = Desk()
    _, over = await desk.sold()
    desk.clock.pass_by(timedelta(hours=1))
    short = Plan(id="s", name="s", price=1, duration=timedelta(minutes=15))
    await desk.sold(short)
    desk.clock.pass_by(timedelta(minutes=6))
    await desk.outbox.remind_ending()
    desk.clock.sure = False
    await desk.outbox.remind_ending()
    assert await desk.all() == []
    assert over.payment_id is not None


async def test_connected_time_is_reminded_of_by_what_was_counted() -> None:
    desk = Desk()
    _, voucher = await desk.sold(CONNECTED)
    plenty = await desk.kept.vouchers.change(voucher, replace(voucher, used_seconds=2_900))
    await desk.outbox.remind_low([plenty])
    assert await desk.all() == []
    low = await desk.kept.vouchers.change(plenty, replace(plenty, used_seconds=3_300))
    await desk.outbox.remind_low([low])
    await desk.outbox.remind_low([low])
    await desk.work()
    (text,) = desk.texts
    assert "5 minutes" in text


# Power cuts

BOUNDARIES = range(1, 13)
"""Each side of what is written of one message, and of its sending, and some beyond."""


class Network:
    """What arrives is in a file, so that it outlives the process that sent it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "arrived"

    async def send(self, to: str, text: str) -> Sent:
        del to
        await asyncio.to_thread(self._arrives, text)
        return Sent("ATXid_1", 80)

    def _arrives(self, text: str) -> None:
        with self.file.open("a", encoding="utf-8") as arrived:
            arrived.write(f"{text}\n")

    @property
    def arrived(self) -> list[str]:
        return self.file.read_text("utf-8").splitlines() if self.file.exists() else []


async def life(folder: Path, boundary: int) -> list[Message]:
    """Tell of the one purchase there is and send what is due; die at the n-th boundary."""
    async with opened(uri=None, database="", data_dir=folder) as store:
        desk, network = Desk(store=store), Network(folder)
        found = await desk.kept.payments.page("status", PaymentState.PAID.value, 1)
        payment = found[0] if found else (await desk.sold())[0]
        cross = Countdown(boundary).cross
        for owner, name in ((store, "insert"), (store, "change"), (network, "send")):
            setattr(owner, name, crossing(getattr(owner, name), cross))
        object.__setattr__(desk.outbox, "messenger", network)
        desk.clock.pass_by(timedelta(minutes=0 if boundary else 5))
        await desk.outbox.receipt(payment)
        await desk.work(90)
        return await desk.all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_message_is_sent_once_wherever_the_process_dies(tmp_path: Path, boundary: int) -> None:
    died = dies(lambda: asyncio.run(life(tmp_path, boundary)))
    (message,) = asyncio.run(life(tmp_path, 0))
    arrived = Network(tmp_path).arrived
    assert len(arrived) <= 1
    if message.state is State.UNKNOWN:
        assert died  # on its way: before, while or after it was sent
        assert message.reason == "interrupted"
    else:
        assert (message.state, len(arrived)) == (State.SENT, 1)
