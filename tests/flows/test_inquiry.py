"""“I already paid”, with a receipt that nobody told us of: who is asked, and what that may do."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from appliance.domain import ids
from appliance.domain.errors import Invalid
from appliance.domain.payments import State
from appliance.flows.inbox import STATUS_RESULT, STATUS_TIMEOUT
from appliance.mpesa.statement import Line
from tests.flows.hostile import recorded
from tests.gate import DEVICES
from tests.story import PATH_SECRET, PHONES, SHORT_CODES, Story

LONG_ENOUGH, A_MOMENT = 25, 16
ACCOUNTS = ["paybill", "till"]


async def begun(account: str = "paybill", *, pull: bool = False, initiator: bool = True) -> Story:
    """Return a box whose one customer was prompted a while ago."""
    story = Story(account)
    await story.open()
    paybill = await story.books.paybills.get("p")
    assert paybill is not None
    keys = paybill.credentials
    if initiator:
        keys = replace(keys, initiator_name="operator", security_credential="c")
    config = replace(paybill.config, pull=pull)
    await story.books.paybills.change(paybill, replace(paybill, credentials=keys, config=config))
    await story.order(0, "hour", "heard")
    await story.wait(LONG_ENOUGH)
    return story


async def paid(story: Story) -> str:
    """Have the prompt paid without anybody telling, and return the receipt."""
    await story.decide(0, 0)
    (receipt,) = story.mpesa.money
    return receipt


async def typed(story: Story, receipt: str, who: int = 0) -> bool:
    """Type a receipt at the page, let the box do what that starts; say whether it is found."""
    try:
        await story.recover.find(receipt, PHONES[who], DEVICES[who])
    except Invalid:
        story.recover.ask(receipt, PHONES[who], DEVICES[who])
        await errands(story)
        return False
    return True


async def errands(story: Story) -> None:
    while story.errands:
        await story.errands.pop(0)()


async def is_online(story: Story) -> bool:
    await story.work()
    return DEVICES[0].mac in story.router.online


def result(story: Story, receipt: str, **changes: Any) -> str:
    """Return Safaricom's answer about a receipt, in the recorded shape; None leaves a part out."""
    message = recorded_result()
    phone, amount, _ = story.mpesa.money.get(receipt, (PHONES[0], 10, ""))
    at = f"{story.clock.now() + timedelta(hours=3):%Y%m%d%H%M%S}"
    said = {
        "DebitPartyName": f"{phone} - Jane Doe",
        "TransactionStatus": "Completed",
        "FinalisedTime": at,
        "Amount": str(amount),
        "ReceiptNo": receipt,
    }
    listed = [
        {"Key": name, "Value": value}
        for name, value in (said | changes).items()
        if value is not None
    ]
    message["Result"]["ResultParameters"]["ResultParameter"] = listed
    return json.dumps(message)


def recorded_result() -> dict[str, Any]:
    message: dict[str, Any] = recorded("status_result")
    return message


async def answered(story: Story, body: str, kind: str = STATUS_RESULT) -> str:
    """Let the last question be answered, and return what was decided."""
    asked = ids.unsigned(PATH_SECRET, story.mpesa.questions[-1][2])
    await story.hooked(kind, body, None, asked=asked)
    await errands(story)
    return str(list(story.store.collections["webhook_logs"].values())[-1]["status"])


def states(story: Story) -> list[str]:
    return [payment["status"] for payment in story.payments()]


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_where_lists_are_allowed_the_list_is_looked_at_and_proves_it(account: str) -> None:
    story = await begun(account, pull=True)
    receipt = await paid(story)
    assert not await typed(story, receipt)
    assert story.mpesa.questions == []
    assert await typed(story, receipt.lower())
    assert await is_online(story)
    story.check()


async def test_elsewhere_the_purchase_of_this_phone_is_asked_about() -> None:
    story = await begun(initiator=False)
    receipt = await paid(story)
    assert not await typed(story, receipt)
    assert story.mpesa.questions == []
    assert states(story) == ["paid"]
    assert await typed(story, receipt)
    assert await is_online(story)


async def test_what_a_query_settled_without_a_receipt_is_for_the_device_that_bought_it() -> None:
    story = await begun(initiator=False)
    receipt = await paid(story)
    await typed(story, receipt)
    with pytest.raises(Invalid, match="receipt_unknown"):
        await story.recover.find(receipt, PHONES[0], DEVICES[1])
    with pytest.raises(Invalid, match="receipt_unknown"):
        await story.recover.find(receipt, PHONES[1], DEVICES[0])
    with pytest.raises(Invalid, match="receipt_unknown"):
        await story.recover.find("not-a-receipt", PHONES[0], DEVICES[0])


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_question_names_the_account_and_the_receipt_in_its_own_address(
    account: str,
) -> None:
    story = await begun(account)
    await typed(story, "ukn0000007")
    ((number, receipt, token),) = story.mpesa.questions
    assert (number, receipt) == (SHORT_CODES[account], "UKN0000007")
    assert ids.unsigned(PATH_SECRET, token) == f"{number} {receipt}"


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_an_answer_that_names_us_as_payee_proves_the_payment(account: str) -> None:
    story = await begun(account)
    await typed(story, "UKN0000000")
    receipt = await paid(story)
    story.mpesa.prompts[0].result = None  # no query would tell
    payee = {"paybill": "174379", "till": "7208840"}[account]
    body = result(story, receipt, CreditPartyName=f"{payee} - Shop")
    assert await answered(story, body) == "completed"
    assert await typed(story, receipt)
    assert await is_online(story)
    story.check()


async def test_money_to_the_paybill_for_who_knows_what_waits_for_a_person() -> None:
    story = await begun()
    await typed(story, "UKN0000000", who=1)
    story.mpesa.pays(PHONES[1], 50, "WATER")
    body = result(story, "UKN0000000", CreditPartyName="174379 - Shop")
    assert await answered(story, body) == "unmatched"
    assert sorted(states(story)) == ["pending", "unmatched"]
    assert not await typed(story, "UKN0000000", who=1)


async def test_a_second_payment_of_one_code_that_nobody_told_of_is_found_by_statement() -> None:
    story = await begun()
    first = await paid(story)
    await story.callback(0)
    second = story.mpesa.pays(PHONES[0], 10, story.mpesa.prompts[0].reference)
    await story.work()
    story.clock.pass_by(timedelta(minutes=1))
    since, now = story.clock.now() - timedelta(hours=1), story.clock.now()
    statement = [Line(receipt, Decimal(10), now) for receipt in (first, second)]
    reconcile = story.inquiry.reconcile
    held = await reconcile.held_against(SHORT_CODES["paybill"], statement, since, now)
    assert (held.matched, held.missing_here) == ((first,), (second,))
    assert not await typed(story, second)
    assert (
        await answered(story, result(story, second, CreditPartyName="174379 - Shop")) == "unmatched"
    )
    assert sorted(states(story)) == ["paid", "unmatched"]
    again = await reconcile.held_against(SHORT_CODES["paybill"], statement, since, now)
    assert again.agrees
    story.check()


async def test_money_to_a_till_buys_the_plan_of_its_price() -> None:
    story = await begun("till")
    await typed(story, "UKN0000000", who=1)
    story.mpesa.pays(PHONES[1], 50, "")
    body = result(story, "UKN0000000", CreditPartyName="5142076 - Shop")
    assert await answered(story, body) == "completed"
    assert await typed(story, "UKN0000000", who=1)
    await story.work()
    assert DEVICES[1].mac in story.router.online


async def test_the_recorded_answer_names_no_payee_and_is_only_a_reason_to_ask() -> None:
    story = await begun()
    await typed(story, "UKN0000000")
    receipt = await paid(story)
    story.mpesa.prompts[0].result = None
    before = story.mpesa.queries
    await story.wait(A_MOMENT)
    await answered(story, result(story, receipt))
    assert story.mpesa.queries > before
    assert states(story) == ["pending"]
    assert story.gates == []
    assert not story.router.online


async def test_asking_because_of_an_answer_may_find_that_the_purchase_is_paid() -> None:
    story = await begun()
    await typed(story, "UKN0000000")
    receipt = await paid(story)
    await story.wait(A_MOMENT)
    assert await answered(story, result(story, receipt)) == "asked"
    assert State.PAID in states(story)
    assert await typed(story, receipt)
    assert await is_online(story)


STRANGE: dict[str, dict[str, Any]] = {
    "not_ours": {"CreditPartyName": "600000 - Another shop"},
    "mismatch": {"ReceiptNo": "UKN0000009"},
    "not_completed": {"TransactionStatus": "Failed"},
    "incomplete": {"DebitPartyName": None},
}


@pytest.mark.parametrize("decision", STRANGE)
async def test_an_answer_about_something_else_asks_nothing_and_stores_nothing(
    decision: str,
) -> None:
    story = await begun()
    await typed(story, "UKN0000000")
    receipt, before = await paid(story), story.mpesa.queries
    assert await answered(story, result(story, receipt, **STRANGE[decision])) == decision
    assert story.mpesa.queries == before
    assert State.PAID not in states(story)
    assert len(story.payments()) == 1


async def test_the_receipt_of_a_strangers_payment_opens_nothing() -> None:
    story = await begun()
    before = story.mpesa.queries
    assert not await typed(story, "UKN7777777", who=1)
    body = result(story, "UKN7777777", DebitPartyName=f"{PHONES[1]} - John Doe", Amount="10")
    await answered(story, body)
    assert not await typed(story, "UKN7777777", who=1)
    assert story.mpesa.queries == before
    assert states(story) == ["pending"]
    assert not story.router.online


@pytest.mark.parametrize("code", ["R000002", 2001, "21"])
async def test_a_failure_and_a_timeout_are_written_down(code: str | int) -> None:
    story = await begun()
    await typed(story, "UKN0000000")
    message = recorded_result()
    message["Result"]["ResultCode"] = code
    assert await answered(story, json.dumps(message)) == "not_found"
    assert await answered(story, "anything", STATUS_TIMEOUT) == "timed_out"
    assert State.PAID not in states(story)


async def test_a_receipt_is_asked_about_once_a_minute() -> None:
    story = await begun()
    for _ in range(3):
        await typed(story, "UKN0000007")
        await story.wait(15)
    assert (len(story.mpesa.questions), story.mpesa.queries) == (1, 1)
    await story.wait(15)
    await typed(story, "UKN0000007")
    assert (len(story.mpesa.questions), story.mpesa.queries) == (2, 2)


async def test_nobody_makes_us_flood_safaricom() -> None:
    story = await begun()
    for number in range(200):
        await typed(story, f"UKN{number:07d}", who=number % 2)
    assert len(story.mpesa.questions) + story.mpesa.queries <= 12


async def test_a_prankster_s_questions_leave_the_others_theirs() -> None:
    story = await begun()
    for number in range(200):
        await typed(story, f"UKN{number:07d}", who=1)
    asked = len(story.mpesa.questions)
    assert asked <= 6
    await typed(story, "UKN0000000", who=0)
    assert len(story.mpesa.questions) == asked
    await typed(story, "UKN9999999", who=0)
    assert len(story.mpesa.questions) == asked + 1
    await story.wait(10)
    await typed(story, "UKN8888888", who=1)
    assert len(story.mpesa.questions) == asked + 2


async def test_a_question_of_ours_leaves_the_next_of_the_purchase_as_planned() -> None:
    story = await begun(initiator=False)
    (before,) = story.payments()
    owed = dict(before["owed"])
    await typed(story, "UKN0000007")
    (after,) = story.payments()
    assert story.mpesa.queries == 1
    assert after["owed"] == owed


async def test_a_prompt_that_may_still_be_on_its_way_is_not_asked_about() -> None:
    story = Story("paybill")
    await story.open()
    await story.order(0, "hour", "heard")
    await story.wait(5)
    await typed(story, "UKN0000007")
    assert story.mpesa.queries == 0


@pytest.mark.parametrize("receipt", ["", "SHORT1", "1234567890", "UKN00000000000", "ÜKN0000000"])
async def test_what_cannot_be_a_receipt_is_not_asked_about(receipt: str) -> None:
    story = await begun()
    assert not story.recover.ask(receipt, PHONES[0], DEVICES[0])
    assert story.errands == []


async def test_a_receipt_that_we_know_is_not_asked_about_whoever_types_it() -> None:
    story = await begun(pull=True)
    receipt = await paid(story)
    await typed(story, receipt)
    queries = story.mpesa.queries
    await story.wait(61)
    assert not await typed(story, receipt, who=1)
    assert (story.mpesa.questions, story.mpesa.queries) == ([], queries)
