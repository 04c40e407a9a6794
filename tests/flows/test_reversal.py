"""Money goes back once, whatever is lost, doubled, late or killed on the way."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from appliance.domain import ids
from appliance.domain.errors import Conflict, Invalid
from appliance.domain.evidence import Evidence, Source, Verdict
from appliance.domain.paybills import Paybill
from appliance.domain.payments import Payment, State
from appliance.domain.reversals import UNHEARD, Order
from appliance.flows.inbox import REVERSAL_RESULT, REVERSAL_TIMEOUT
from appliance.flows.lookup import Lookup
from appliance.flows.reversal import Reversal
from appliance.flows.unsettled import unsettled
from appliance.store.records import books
from appliance.store.sqlite import SqliteStore
from tests.conftest import HandClock
from tests.mortal import Countdown, crossing, dies
from tests.mpesa_truth import Mpesa
from tests.story import PATH_SECRET, Story

LOST = "UKN0000000"


async def begun(*, right: bool = True) -> tuple[Story, Payment]:
    """Return a box whose account may reverse, with money that nobody asked for."""
    story = Story("paybill")
    await story.open()
    paybill = await story.books.paybills.get("p")
    assert paybill is not None
    await story.books.paybills.change(paybill, with_right(paybill) if right else paybill)
    await story.by_hand(0, 33, "NOBODY")
    await story.confirmation(0, "whole")
    await story.work()
    return story, await latest(story)


def with_right(paybill: Paybill) -> Paybill:
    keys = replace(paybill.credentials, initiator_name="api", security_credential="c")
    return replace(paybill, credentials=keys, config=replace(paybill.config, reversal=True))


async def latest(story: Story) -> Payment:
    found = await story.books.payments.get(ids.of_receipt(LOST))
    assert found is not None
    return found


def answer(code: object = 0, original: str = LOST) -> str:
    listed = [{"Key": "OriginalTransactionID", "Value": original}] if code == 0 else []
    parameters = {"ResultParameter": listed}
    return json.dumps({"Result": {"ResultCode": code, "ResultParameters": parameters}})


async def answered(story: Story, body: str, which: int = -1, kind: str = REVERSAL_RESULT) -> str:
    """Let an order be answered, and return what was decided."""
    asked = ids.unsigned(PATH_SECRET, story.mpesa.reversals[which][3])
    await story.hooked(kind, body, None, asked=asked)
    await story.work()
    return str(list(story.store.collections["webhook_logs"].values())[-1]["status"])


async def test_money_goes_back_when_that_is_said_and_not_before() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    assert (await latest(story)).state is State.REVERSING
    ((number, receipt, amount, token),) = story.mpesa.reversals
    assert (number, receipt, amount) == (payment.paybill_number, LOST, 33)
    assert payment.id in str(ids.unsigned(PATH_SECRET, token))
    for _ in range(2):
        assert await answered(story, answer()) == "refunded"
    after = await latest(story)
    assert (after.state, after.receipt) == (State.REFUNDED, LOST)
    story.check()


async def test_it_is_ordered_only_from_an_account_with_the_right_and_only_once() -> None:
    story, payment = await begun(right=False)
    with pytest.raises(Invalid, match="no right"):
        await story.reversal.order(payment.id)
    story, payment = await begun()

    async def somebody_else() -> None:
        await story.reversal.order(payment.id)

    story.store.ambush = somebody_else
    with pytest.raises(Invalid, match="nothing to decide"):
        await story.reversal.order(payment.id)
    with pytest.raises(Invalid, match="nothing to decide"):
        await story.person.with_plan(payment.id, "hour")
    assert len(story.mpesa.reversals) == 1


async def test_silence_is_not_ordered_again_until_a_person_has_looked() -> None:
    story, payment = await begun()
    story.mpesa.lose_answers = True
    await story.reversal.order(payment.id)
    assert await answered(story, "{}", kind=REVERSAL_TIMEOUT) == "timed_out"
    assert (await latest(story)).state is State.REVERSING
    with pytest.raises(Invalid, match="nothing to decide"):
        await story.reversal.order(payment.id)
    with pytest.raises(Invalid, match="wait an hour"):
        await story.reversal.stayed(payment.id)
    story.clock.pass_by(UNHEARD)
    await story.reversal.stayed(payment.id)
    await story.reversal.order(payment.id)
    assert await answered(story, answer("R000002"), which=0) == "reversing"  # the first one's
    assert await answered(story, answer("R000002")) == "unmatched"
    assert (await latest(story)).reason == "reversal_refused"
    story.check()


async def test_what_never_left_waits_for_a_person_again() -> None:
    story, payment = await begun()
    story.mpesa.away = True
    await story.reversal.order(payment.id)
    after = await latest(story)
    assert (after.state, after.reason) == (State.UNMATCHED, "reversal_unsent")


@pytest.mark.parametrize(
    "body", [answer("9999"), answer(original="UKNOTHERX1"), answer(17), '{"Result": 1}', "x"]
)
async def test_an_answer_that_proves_nothing_changes_nothing(body: str) -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    await answered(story, body)
    assert (await latest(story)).state is State.REVERSING


async def test_an_answer_on_the_address_of_another_question_is_nobodys() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    await story.hooked(REVERSAL_RESULT, answer(), None, asked=f"174379 {LOST}")
    assert (await latest(story)).state is State.REVERSING
    assert Order.read("reversal a 1") == Order("a", 1)


async def test_money_that_went_back_after_all_is_gone_or_said_to_be_given_twice() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    story.clock.pass_by(UNHEARD)
    await story.reversal.stayed(payment.id)
    undecided = story.store.collections["payments"][payment.id].copy()
    await story.person.with_plan(payment.id, "hour")
    assert await answered(story, answer()) == "given_twice"
    given = await latest(story)
    assert (given.state, given.reason) == (State.PAID, "given_and_reversed")
    assert await unsettled(story.books.payments, 9) == [given]
    await story.reversal.let_stand(payment.id)
    assert await answered(story, answer()) == "given_twice"  # told again: it was seen
    assert await unsettled(story.books.payments, 9) == []
    with pytest.raises(Invalid, match="nothing to see"):
        await story.reversal.let_stand(payment.id)
    gone = given.not_needed(given.voucher_id)
    assert (gone.state, gone.reason) == (State.REFUNDED, "reversed")
    story.store.collections["payments"][payment.id] = undecided
    assert await answered(story, answer()) == "refunded"


async def test_money_that_went_back_by_hand_and_late_by_order_too_is_told_of() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    story.clock.pass_by(UNHEARD)
    await story.reversal.stayed(payment.id)
    await story.person.as_refunded(payment.id, "by hand, UKN9")
    assert await unsettled(story.books.payments, 9) == []
    assert await answered(story, answer()) == "given_twice"
    twice = await latest(story)
    assert (twice.state, twice.reason) == (State.REFUNDED, "returned_twice")
    assert twice.returned_by_hand == "by hand, UKN9"
    assert await unsettled(story.books.payments, 9) == [twice]
    await story.reversal.let_stand(payment.id)
    await answered(story, answer())
    assert await unsettled(story.books.payments, 9) == []


async def test_two_orders_of_which_one_was_carried_out_are_no_second_return() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    story.clock.pass_by(UNHEARD)
    await story.reversal.stayed(payment.id)
    await story.reversal.order(payment.id)
    assert await answered(story, answer("R000001")) == "refunded"
    assert await answered(story, answer(), which=0) == "refunded"
    assert await unsettled(story.books.payments, 9) == []


async def test_the_answer_to_an_order_that_a_person_saw_carried_out_is_no_second_return() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    await story.reversal.went_back(payment.id, "reversal UKN9")
    assert await answered(story, answer()) == "refunded"
    assert await unsettled(story.books.payments, 9) == []


async def test_an_answer_waits_for_a_receipt_that_is_on_its_way_to_its_purchase() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    story.clock.pass_by(UNHEARD)
    waiting = await story.reversal.stayed(payment.id)
    merged = await story.books.payments.change(waiting, waiting.merged())
    with pytest.raises(Conflict):
        await answered(story, answer())
    await story.books.payments.change(merged, merged.unmerged(LOST))
    story.clock.pass_by(UNHEARD)
    await story.work()
    assert (await latest(story)).state is State.REFUNDED


async def test_money_that_went_back_after_its_purchase_took_it_is_found_by_its_receipt() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    story.clock.pass_by(UNHEARD)
    await story.reversal.stayed(payment.id)
    await story.order(0, "hour", "heard")
    (bought,) = await story.books.payments.page("status", State.PENDING.value, 1)
    proof = Evidence(
        source=Source.STATEMENT, verdict=Verdict.PAID, code="0", reason="", receipt=LOST
    )
    await story.matching.believe(bought, proof)
    assert (await latest(story)).state is State.MERGED
    assert await answered(story, answer()) == "given_twice"
    (told,) = await unsettled(story.books.payments, 9)
    assert (told.id, told.receipt, told.reason) == (bought.id, LOST, "given_and_reversed")


async def test_what_is_on_its_way_back_is_told_of_like_what_waits() -> None:
    story, payment = await begun()
    await story.reversal.order(payment.id)
    assert [one.id for one in await unsettled(story.books.payments, 9)] == [payment.id]
    assert await unsettled(story.books.payments, 0) == []


async def test_money_whose_buyer_may_have_the_time_goes_back_only_again() -> None:
    story, payment = await begun()
    await story.order(0, "hour", "heard")
    (bought,) = await story.books.payments.page("status", State.PENDING.value, 1)
    named = replace(payment, voucher_code=bought.voucher_code)
    await story.books.payments.change(payment, named)
    with pytest.raises(Invalid, match="anyway"):
        await story.reversal.order(payment.id)
    assert story.mpesa.reversals == []
    await story.reversal.order(payment.id, again=True)
    assert len(story.mpesa.reversals) == 1


async def test_a_person_writes_down_that_it_went_back() -> None:
    story, payment = await begun()
    with pytest.raises(Invalid, match="not on its way back"):
        await story.reversal.went_back(payment.id, "x")
    await story.reversal.order(payment.id)
    await story.reversal.went_back(payment.id, "reversal UKN9")
    after = await latest(story)
    assert (after.state, after.reason) == (State.REFUNDED, "reversal UKN9")


def killed(folder: Path, payment: Payment, paybill: Paybill, boundary: int) -> None:
    """Order money back, and die just before or after the write or the sending."""
    life = Countdown(boundary)

    async def work() -> None:
        store = await SqliteStore.open(folder / "books")
        await books(store).paybills.insert(paybill)
        await books(store).payments.insert(payment)
        store.change = crossing(store.change, life.cross)  # type: ignore[assignment, method-assign]
        await flow(store, folder, life.cross).order(payment.id)

    asyncio.run(work())


def noted(folder: Path, receipt: str) -> None:
    with (folder / "sent").open("a", encoding="utf-8") as file:
        file.write(f"{receipt}\n")


def sent_from(folder: Path) -> int:
    sent = folder / "sent"
    return len(sent.read_text(encoding="utf-8").splitlines()) if sent.exists() else 0


def flow(store: SqliteStore, folder: Path, cross: Callable[[], None]) -> Reversal:
    mpesa = Mpesa("174379")

    async def sent(*order: Any) -> None:
        await asyncio.to_thread(noted, folder, str(order[1]))

    reverse: Callable[..., Awaitable[Any]] = crossing(sent, cross)
    mpesa.reverse = reverse  # type: ignore[assignment, method-assign]
    kept, clock = books(store), HandClock()
    lookup = Lookup(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        plans=kept.plans,
        paybills=kept.paybills,
        clock=clock,
    )
    return Reversal(
        payments=kept.payments,
        paybills=kept.paybills,
        lookup=lookup,
        gateway=mpesa,
        clock=clock,
        token=partial(ids.signed, PATH_SECRET),
    )


@pytest.mark.parametrize("boundary", [1, 2, 3, 4])
async def test_a_box_that_is_killed_in_the_middle_orders_nothing_twice(
    tmp_path: Path, boundary: int
) -> None:
    story, payment = await begun()
    paybill = await story.books.paybills.get("p")
    assert paybill is not None
    work = partial(killed, tmp_path, replace(payment, version=0), paybill, boundary)
    assert await asyncio.to_thread(dies, work)
    store = await SqliteStore.open(tmp_path / "books")
    try:
        again = flow(store, tmp_path, lambda: None)
        found = await again.payments.get(payment.id)
        assert found is not None
        if boundary == 1:  # nothing is written, so nothing was sent
            assert found.state is State.UNMATCHED
            await again.order(payment.id)
        else:
            assert found.state is State.REVERSING
            with pytest.raises(Invalid, match="nothing to decide"):
                await again.order(payment.id)
        count = await asyncio.to_thread(sent_from, tmp_path)
        assert count == (0 if boundary in {2, 3} else 1)
    finally:
        await store.close()
