"""An order whose prompt may be out is never told as one that failed."""

import pytest

from appliance.domain.errors import StoreUnavailable
from appliance.domain.payments import State
from appliance.flows.checkout import Order
from tests.gate import DEVICES
from tests.story import PHONES, Story


async def test_a_database_that_goes_away_after_a_silent_push_does_not_make_it_a_failure() -> None:
    story = Story("paybill")
    await story.open()
    story.mpesa.lose_answers = True

    async def away() -> None:
        raise StoreUnavailable("away")

    story.store.ambush = away
    order = Order(plan_id="hour", phone=PHONES[0], device=DEVICES[0], proved=True)
    payment = await story.checkout.start(order)
    assert len(story.mpesa.prompts) == 1
    assert payment.state is State.UNKNOWN
    stored = await story.books.payments.get(payment.id)
    assert stored is not None
    assert stored.owed is not None  # it will be asked about


async def failed_by_silence() -> Story:
    """Return a story whose only purchase nobody answered, and that was told of."""
    story = Story("paybill")
    await story.open()
    await story.order(0, "hour", "heard")
    await story.decide(0, 1037)
    await story.callback(0)
    return story


def pays_late(story: Story) -> None:
    """Have the phone pay all the same, and the word of it be lost."""
    (prompt,) = story.mpesa.prompts
    prompt.result, prompt.moved = 0, prompt.amount
    prompt.receipt = story.mpesa.pays(prompt.phone, prompt.amount, prompt.reference)


async def test_a_late_success_that_nobody_told_of_is_found_by_one_more_question() -> None:
    story = await failed_by_silence()
    await story.work()
    (failed,) = story.payments()
    assert failed["status"] == "failed"
    pays_late(story)
    await story.wait(301)
    await story.work()
    assert [payment["status"] for payment in story.payments()] == ["paid"]
    await story.finish()
    story.check()


@pytest.mark.parametrize("asked_once", [False, True])
@pytest.mark.parametrize("boundary", range(1, 7))
async def test_wherever_the_box_dies_over_silence_the_late_success_is_found(
    boundary: int, *, asked_once: bool
) -> None:
    """First over what becomes of the silence, then over the one more question about it."""
    story = await failed_by_silence()
    if asked_once:
        await story.work()
        pays_late(story)
        await story.wait(301)
    with story.dying(boundary):
        await story.work()
    await story.crash()
    if not asked_once:
        pays_late(story)
    await story.wait(600)
    await story.finish()
    assert [payment["status"] for payment in story.payments()] == ["paid"]
    assert len(story.mpesa.prompts) == 1
    story.check()
