"""Whichever box of a shared database hears the news, the right gate opens at once."""

from dataclasses import replace
from datetime import timedelta

from appliance.domain.payments import State
from appliance.domain.vouchers import State as VoucherState
from appliance.worker import Worker
from tests.conftest import HandClock
from tests.gate import DEVICES
from tests.story import PHONES, Story


class Killed(BaseException):
    """The process is gone."""


async def two_boxes() -> tuple[Story, Story]:
    """Return the box that sells and another one on its database; their prompt was paid."""
    mine = Story("paybill", "mine")
    await mine.open()
    await mine.order(0, "hour", "heard")
    await mine.decide(0, 0)
    return mine, Story("paybill", "another", mine)


async def looks(box: Story) -> bool:
    """Have this box look once for what its vouchers owe."""
    return await Worker("voucher", box.books.vouchers, box.access.pay, box.clock).step()


async def test_a_callback_handled_by_another_box_opens_the_right_gate_at_its_next_look() -> None:
    mine, another = await two_boxes()
    await another.callback(0)
    assert another.gates == []
    assert not await looks(another)
    assert await looks(mine)
    assert mine.router.online.keys() == {DEVICES[0].mac}
    assert another.router.online == {}


async def test_the_same_news_again_takes_the_debt_from_nobody() -> None:
    mine, another = await two_boxes()
    await mine.callback(0)
    (handed,) = mine.gates
    await another.callback(0)
    await another.work()
    latest = await mine.books.vouchers.get(handed.id)
    assert latest == handed
    assert not await looks(mine)  # whoever it was handed to holds it


async def test_an_own_box_takes_it_whatever_time_the_other_takes_it_for() -> None:
    mine, another = await two_boxes()
    payment = await mine.books.payments.find("openPhone", PHONES[0])
    assert payment is not None
    ahead = HandClock(mine.clock.now() + timedelta(days=3_650))
    await replace(another.settlement, clock=ahead).ask(payment)
    assert await looks(mine)
    assert mine.router.online.keys() == {DEVICES[0].mac}


async def test_a_death_before_the_voucher_is_paid_is_made_good_by_whichever_box_is_there() -> None:
    mine, another = await two_boxes()
    payment = await mine.books.payments.find("openPhone", PHONES[0])
    assert payment is not None

    async def dies() -> None:
        raise Killed

    async def payment_stored() -> None:
        mine.store.ambush = dies

    mine.store.ambush = payment_stored
    try:
        await another.settlement.ask(payment)
    except Killed:
        await another.crash()
    stored = await mine.books.payments.get(payment.id)
    voucher = await mine.books.vouchers.get(payment.voucher_id)
    assert stored is not None
    assert voucher is not None
    assert (stored.state, voucher.state) == (State.PAID, VoucherState.UNPAID)
    assert not await looks(mine)
    another.clock.pass_by(timedelta(seconds=41))  # the payment's own lease
    await another.work()
    assert await looks(mine)
    assert mine.router.online.keys() == {DEVICES[0].mac}
