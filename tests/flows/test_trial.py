"""A paybill is tried with a shilling: a sale like any other, through a paybill that was named."""

from typing import Any

import pytest

from appliance.domain.errors import Invalid, Locked, SalesClosed
from appliance.domain.payments import State
from appliance.flows.enrol import Enrol
from tests.story import PHONES, Story

NUMBER = "174379"


async def opened() -> Story:
    story = Story("paybill")
    await story.open()
    return story


async def test_the_phone_is_asked_for_a_shilling_and_gets_a_minute() -> None:
    story = await opened()
    payment = await story.checkout.trial(NUMBER, PHONES[0])
    assert (payment.amount, payment.state) == (1, State.PENDING)
    await story.decide(0, 0)
    await story.callback(0)
    await story.work()
    (voucher,) = story.store.collections["vouchers"].values()
    assert (voucher["status"], voucher["plan"]["durationSeconds"]) == ("ready", 60)
    assert voucher["code"] in story.router.entries
    story.check()


async def test_a_shilling_that_nobody_told_of_is_found() -> None:
    story = await opened()
    await story.order(0, "trial", "lost")
    await story.decide(0, 0)
    await story.finish()
    (payment,) = story.payments()
    assert (payment["status"], payment["amount"]) == ("paid", 1)
    story.check()


async def test_a_paybill_that_sells_nothing_asks_nobody() -> None:
    story = await opened()
    enrol: Any = Enrol(
        paybills=story.books.paybills,
        users=story.books.users,
        cipher=story.checkout.cashier.cipher,
        clock=story.clock,
    )
    paybill = await story.books.paybills.get("p")
    assert paybill is not None
    with pytest.raises(Invalid):
        await story.checkout.trial(NUMBER, "12")
    with pytest.raises(SalesClosed, match="missing"):
        await story.checkout.trial("600000", PHONES[0])
    await enrol.switch("p", paybill.edition, active=False)
    with pytest.raises(SalesClosed, match="inactive"):
        await story.checkout.trial(NUMBER, PHONES[0])
    assert (story.mpesa.prompts, story.payments()) == ([], [])


async def test_a_phone_that_rings_is_not_asked_again() -> None:
    story = await opened()
    await story.checkout.trial(NUMBER, PHONES[0])
    with pytest.raises(Locked):
        await story.checkout.trial(NUMBER, PHONES[0])
    assert len(story.mpesa.prompts) == 1


@pytest.mark.parametrize("boundary", range(1, 11))
async def test_wherever_the_box_dies_the_shilling_is_accounted_for(boundary: int) -> None:
    story = await opened()
    with story.dying(boundary):
        await story.checkout.trial(NUMBER, PHONES[0])
    await story.crash()
    await story.decide(0, 0)
    assert len(story.mpesa.money) == (1 if boundary > 6 else 0)  # three are stored, then it rings
    await story.finish()
    story.check()
