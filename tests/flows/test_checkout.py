"""An order whose prompt may be out is never told as one that failed."""

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


async def test_a_late_success_that_nobody_told_of_is_found_by_one_more_question() -> None:
    story = Story("paybill")
    await story.open()
    await story.order(0, "hour", "heard")
    await story.decide(0, 1037)
    await story.callback(0)
    await story.work()
    (failed,) = story.payments()
    assert failed["status"] == "failed"
    (prompt,) = story.mpesa.prompts
    prompt.result, prompt.moved = 0, prompt.amount
    prompt.receipt = story.mpesa.pays(prompt.phone, prompt.amount, prompt.reference)
    await story.wait(301)
    await story.work()
    assert [payment["status"] for payment in story.payments()] == ["paid"]
    await story.finish()
    story.check()
