"""The operator hears once of what only a person can mend, and once that it is over."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance.domain import ids
from appliance.domain.payments import Payment, State
from appliance.flows.alerts import Alerts
from appliance.flows.messages import Wanted
from tests.sms.desk import OPERATORS, Desk


class Watch:
    """A box that looks every minute."""

    def __init__(self) -> None:
        self.desk, self.answers = Desk(), True
        self.start()

    def start(self) -> None:
        """Start anew: what only memory knew is lost."""
        self.alerts = Alerts(
            outbox=self.desk.outbox,
            payments=self.desk.kept.payments,
            router_answers=lambda: self.answers,
            clock=self.desk.clock,
        )

    async def minutes(self, count: int) -> list[str]:
        """Return what the first of the operators has heard after so many minutes."""
        for _ in range(count):
            self.desk.clock.pass_by(timedelta(minutes=1))
            await self.alerts.look()
            await self.desk.worker.step()
        await self.desk.work(50)
        return [text for to, text in self.desk.provider.sent if to == OPERATORS[0]]

    async def unmatched(self) -> Payment:
        now = self.desk.clock.now()
        money = Payment(
            id=ids.new_id(),
            token=ids.new_token(),
            amount=10,
            paybill_number="174379",
            router_id="here",
            created_at=now,
            state=State.UNMATCHED,
        )
        return await self.desk.kept.payments.insert(money)


@pytest.fixture
def watch() -> Watch:
    return Watch()


async def test_a_router_that_is_away_for_long_is_told_of_once_and_so_is_its_return(
    watch: Watch,
) -> None:
    watch.answers = False
    assert await watch.minutes(5) == []
    (text,) = await watch.minutes(60 * 5)
    assert "kibera: the router has not answered since 12:01" in text
    watch.answers = True
    assert len(await watch.minutes(10)) == 2
    assert {to for to, _ in watch.desk.provider.sent} == set(OPERATORS)


async def test_a_short_absence_is_nobodys_business(watch: Watch) -> None:
    for _ in range(3):
        watch.answers = False
        await watch.minutes(4)
        watch.answers = True
        assert await watch.minutes(1) == []


async def test_a_router_that_comes_and_goes_is_told_of_once_an_hour(watch: Watch) -> None:
    heard = list[str]()
    for _ in range(10):
        watch.answers = False
        await watch.minutes(8)
        watch.answers = True
        heard = await watch.minutes(2)
    assert [("again" in text) for text in heard] == [False, True, False, True]


async def test_a_restart_repeats_nothing(watch: Watch) -> None:
    watch.answers = False
    assert len(await watch.minutes(10)) == 1
    watch.start()
    assert len(await watch.minutes(10)) == 1
    watch.start()
    watch.answers = True
    assert len(await watch.minutes(1)) == 2


async def test_another_box_that_says_much_makes_this_one_repeat_nothing(watch: Watch) -> None:
    watch.answers = False
    assert len(await watch.minutes(10)) == 1
    messages = watch.desk.kept.messages
    mine, _ = await watch.desk.all()
    for number in range(250):
        said = replace(mine, id=str(number), about=str(number), subject="needs_a_person", owed=None)
        theirs = replace(said, router_id="there", alert_of="there", version=0)
        await messages.insert(replace(theirs, created_at=watch.desk.clock.now()))
    watch.start()
    assert len(await watch.minutes(80)) == 1


async def test_money_that_waits_for_a_person_is_told_of(watch: Watch) -> None:
    money = await watch.unmatched()
    (text,) = await watch.minutes(3)
    assert "decide: 1." in text
    change = watch.desk.kept.payments.change
    ordered = await change(money, replace(money, state=State.REVERSING))
    assert len(await watch.minutes(1)) == 1  # nobody has said yet that it went back
    await change(ordered, replace(ordered, state=State.REFUNDED))
    assert "no payment waits" in (await watch.minutes(1))[1]


async def test_payments_that_nobody_called_about_are_told_of(watch: Watch) -> None:
    for _ in range(3):
        await watch.desk.sold()
    (text,) = await watch.minutes(5)
    assert "M-Pesa does not reach the box" in text
    assert len(await watch.minutes(120)) == 1  # without a sale nobody knows
    await watch.desk.sold(receipt="TAA1AAAAA1")
    assert "again" in (await watch.minutes(4))[1]


async def test_an_operator_who_named_no_phone_is_told_nothing(watch: Watch) -> None:
    watch.desk = Desk(Wanted(receipts=True))
    watch.answers = False
    watch.start()
    await watch.unmatched()
    assert await watch.minutes(30) == []
    assert watch.desk.store.collections["messages"] == {}
