"""Ordinary sequences in which other systems lose money, time or a customer; here they do not.

`SEQUENCES` names what proves each, `TRAPS` the same for the mistakes behind them.
"""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from appliance.domain.errors import Invalid
from appliance.domain.payments import State
from tests.box import HOUR, Box
from tests.flows.hostile import written
from tests.flows.test_hostile_messages import CALLED, Visit
from tests.gate import DEVICES
from tests.story import PATH_SECRET, PHONES, Story

SEQUENCES: Mapping[str, tuple[str, ...]] = {
    "paid while the router is away: rolled back, and everybody else's settlement with it": (
        "test_what_is_paid_while_the_router_is_away_is_paid_and_holds_up_nobody",
        "test_while_the_router_is_away_the_clock_stands_still",
    ),
    "the callback comes after the system gave up, or after `still processing`": (
        "test_a_success_long_after_everybody_gave_up_lets_its_customer_in",
        "test_a_success_after_the_failure_revives_the_purchase",
    ),
    "paid by prompt, then the same receipt is typed as well: two passes": (
        "test_a_receipt_on_every_path_there_is_buys_one_voucher",
        "test_callback_and_confirmation_of_one_payment_count_once",
    ),
    "settled by a query, which names no receipt: never matched to the statement": (
        "test_the_receipt_that_a_query_did_not_name_finds_its_purchase_later",
        "test_at_a_till_the_confirmation_brings_the_receipt_that_the_query_had_not",
    ),
    "more than three callbacks a minute from one address: turned away, success lost": (
        "test_however_many_callbacks_come_from_one_address_all_are_taken",
        "test_a_crowd_behind_one_address_is_served",
    ),
    "the queue is down: accepted, and nobody ever looks at it": (
        "test_what_was_paid_while_the_database_was_gone_is_delivered_when_it_is_back",
    ),
    "a crash between the push and its record: the callback has no owner": (
        "test_no_money_is_lost_wherever_the_process_dies",
        "test_the_pushs_answer_is_lost_but_the_callback_comes",
    ),
    "the router is down at activation: the plan is `on`, and nobody tries again": (
        "test_however_long_the_router_was_away_all_the_time_is_still_there",
    ),
    "the callback comes twice: a second voucher": (
        "test_a_receipt_on_every_path_there_is_buys_one_voucher",
        "test_the_callback_comes_twice",
    ),
    "the router is down: `completed` with no user": (
        "test_what_is_paid_while_the_router_is_away_is_paid_and_holds_up_nobody",
    ),
    "the amount is edited in the browser: one shilling buys any plan": (
        "test_the_price_is_the_plans_whatever_the_browser_says",
        "test_a_wrong_amount_waits_for_a_person",
    ),
    "the router is away for four hours or five tries: failed, for a person": (
        "test_however_long_the_router_was_away_all_the_time_is_still_there",
    ),
    "the router is away for six seconds: the payment is marked failed": (
        "test_however_long_the_router_was_away_all_the_time_is_still_there",
    ),
    "the credentials are shown once, before the phone has them": (
        "test_a_code_is_shown_as_often_as_its_customer_looks",
    ),
    "every callback is looked up by an account that callbacks do not carry": (
        "test_a_recorded_success_opens_the_gate",
    ),
    "whoever has the CheckoutRequestID posts a success": (
        "test_knowing_a_requests_name_is_no_way_to_pay_for_it",
        "test_a_forged_callback_opens_nothing",
    ),
    "an amount that is no plan's becomes an hour": (
        "test_an_amount_that_is_not_the_price_buys_nothing_by_itself",
    ),
    "the router is down: the callback is answered 500, and never comes again": (
        "test_a_callback_is_accepted_while_the_router_is_away",
    ),
    "bought again before the end: what was left is lost": (
        "test_the_next_paid_voucher_takes_over_at_the_end_of_the_first",
        "test_a_second_purchase_goes_on_where_the_first_ends",
    ),
}

TRAPS: Mapping[str, tuple[str, ...]] = {
    "the router is called inside the payment's transaction": (
        "test_what_is_paid_while_the_router_is_away_is_paid_and_holds_up_nobody",
    ),
    "one transaction for a whole sweep": (
        "test_a_poisoned_debt_is_parked_and_the_others_are_served",
        "test_a_batch_of_debts_that_cannot_be_read_holds_no_other_up",
    ),
    "a failure that a later success cannot leave": (
        "test_a_late_success_revives_a_failure",
        "test_a_success_long_after_everybody_gave_up_lets_its_customer_in",
    ),
    "accepted before it is stored, or stored after the push": (
        "test_no_money_is_lost_wherever_the_process_dies",
    ),
    "a limit per address on callbacks or on customers": (
        "test_however_many_callbacks_come_from_one_address_all_are_taken",
        "test_a_crowd_behind_one_address_is_served",
    ),
    "two tables that each think they own the receipt": (
        "test_a_receipt_is_used_once",
        "test_a_receipt_on_every_path_there_is_buys_one_voucher",
    ),
    "the browser is trusted for amount, plan, MAC or status": (
        "test_the_price_is_the_plans_whatever_the_browser_says",
        "test_another_devices_address_is_not_taken_at_its_word",
    ),
    "the caller's address is believed from a header": (
        "test_no_header_makes_a_stranger_safaricom",
    ),
    "a refusal of the router is taken for success": (
        "test_a_device_the_router_does_not_hear_is_refused_in_its_words",
        "test_a_cut_that_the_router_refuses_is_no_cut",
        "test_a_lost_login_answer_logs_in_once",
    ),
    "a script that names a menu the router may not have": (
        "test_a_router_without_a_hotspot_is_told_so_before_anything_is_changed",
        "test_a_router_that_does_not_know_the_menu_lacks_the_package",
    ),
    "the router's clock is trusted after it started": (
        "test_a_clock_that_fell_back_to_1970_is_told",
        "test_nothing_expires_while_the_time_is_in_doubt_and_sales_go_on",
    ),
    "a queued grant that outlives what it grants": (
        "test_what_was_revoked_while_the_router_was_away_is_not_granted_after_it",
        "test_a_voucher_revoked_and_cut_off_while_its_device_is_let_in_stays_cut_off",
    ),
    "credentials readable once, or by a name that others know": (
        "test_a_code_is_shown_as_often_as_its_customer_looks",
        "test_knowing_a_requests_name_shows_nothing",
    ),
    "a phone number alone as proof of purchase": (
        "test_a_phone_number_alone_gets_nothing_back",
        "test_a_strangers_receipt_opens_nothing",
    ),
    "a server's timer as the only end of paid time": (
        "test_the_router_ends_the_time_by_itself_while_the_box_is_off",
    ),
    "a prompt that could not be sent leaves no record": (
        "test_a_prompt_that_could_not_be_sent_is_on_record",
    ),
    "secrets and what customers sent lie about in files and logs": (
        "test_what_is_no_request_is_refused_and_its_words_are_in_no_log",
        "test_no_password_is_logged_at_the_lowest_level",
    ),
}


def test_every_test_that_is_named_here_is_there() -> None:
    tests = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
    files = Path(__file__).parents[1].rglob("test_*.py")
    there = {name for file in files for name in tests.findall(file.read_text("utf-8"))}
    named = {name for table in (SEQUENCES, TRAPS) for names in table.values() for name in names}
    assert named <= there
    assert (len(SEQUENCES), len(TRAPS)) == (19, 17)


@pytest.fixture
async def story() -> Story:
    made = Story("paybill")
    await made.open()
    return made


def states(story: Story) -> list[str]:
    return [payment["status"] for payment in story.payments()]


def vouchers(story: Story, status: str) -> list[dict[str, Any]]:
    found = story.store.collections["vouchers"].values()
    return [voucher for voucher in found if voucher["status"] == status]


async def test_what_is_paid_while_the_router_is_away_is_paid_and_holds_up_nobody(
    story: Story,
) -> None:
    story.router.away = True
    for who in (0, 1):
        await story.order(who, "hour", "heard")
        await story.decide(0, 0)
    await story.callback(0)
    await story.work()
    await story.callback(1)
    await story.work()
    assert states(story) == ["paid", "paid"]
    assert all("activatedAt" not in voucher for voucher in vouchers(story, "paid"))
    await story.wait(300)
    await story.work()
    story.router.away = False
    await story.wait(60)
    await story.work()
    assert len(story.router.online) == 2
    starts = {voucher["activatedAt"] for voucher in vouchers(story, "active")}
    assert starts == {story.clock.now()}


@pytest.mark.parametrize("silence", [20, 16 * 60, 25 * 3600])
@pytest.mark.parametrize("meanwhile", ["still processing", "no answer"])
async def test_a_success_long_after_everybody_gave_up_lets_its_customer_in(
    story: Story, meanwhile: str, silence: int
) -> None:
    await story.order(0, "hour", "heard")
    if meanwhile == "no answer":
        await story.decide(0, 1037)
    for _ in range(4):
        await story.wait(silence // 4)
        await story.work()
    assert not {"paid"} & set(states(story))
    (prompt,) = story.mpesa.prompts
    prompt.result = None
    await story.decide(0, 0)
    await story.callback(0)
    await story.work()
    assert states(story) == ["paid"]
    assert DEVICES[0].mac in story.router.online
    story.check()


async def test_a_receipt_on_every_path_there_is_buys_one_voucher(story: Story) -> None:
    await story.order(0, "hour", "heard")
    await story.decide(0, 0)
    (receipt,) = story.mpesa.money
    bought = None
    for _ in range(3):
        await story.callback(0)
        await story.confirmation(0, "hashed")
        await story.pull()
        await story.work()
        found = await story.recover.find(receipt, PHONES[0], DEVICES[0])
        bought = bought or found.id
        assert found.id == bought
    assert states(story) == ["paid"]
    assert len(story.store.collections["vouchers"]) == len(story.router.entries) == 1
    with pytest.raises(Invalid, match="code_in_use"):
        await story.recover.find(receipt, PHONES[0], DEVICES[1])
    story.check()


@pytest.mark.parametrize("told", ["confirmation", "pull", "callback"])
async def test_the_receipt_that_a_query_did_not_name_finds_its_purchase_later(
    story: Story, told: str
) -> None:
    await story.order(0, "hour", "heard")
    await story.decide(0, 0)
    await story.wait(25)
    await story.work()
    assert states(story) == ["paid"]
    assert "mpesaReceiptNumber" not in story.payments()[0]
    if told == "confirmation":
        await story.confirmation(0, "masked")
    elif told == "pull":
        await story.pull()
    else:
        await story.callback(0)
    await story.work()
    (payment,) = story.payments()
    assert [payment["mpesaReceiptNumber"]] == list(story.mpesa.money)
    story.check()


async def test_however_many_callbacks_come_from_one_address_all_are_taken() -> None:
    visit = await Visit.begun("paybill")
    (prompt,) = visit.story.mpesa.prompts
    address = f"/hooks/{PATH_SECRET}/stk/{prompt.token}"
    bodies = [b"{}"] * 40 + [written(CALLED[0]).encode()]
    answers = [await visit.post(address, body) for body in bodies]
    assert {status for status, _ in answers} == {200}
    assert len(visit.rows("webhook_logs")) == len(bodies)
    await visit.settle()
    assert states(visit.story) == ["paid"]


@pytest.mark.parametrize("away", [{"seconds": 6}, {"hours": 4, "minutes": 30}, {"hours": 21}])
async def test_however_long_the_router_was_away_all_the_time_is_still_there(
    box: Box, away: dict[str, int]
) -> None:
    device = box.device()
    box.router.faults.set({"refuse": True})
    voucher = await box.sold(device)
    for _ in range(12):
        await box.work()
        box.clock.pass_by(timedelta(**away) / 12)
    assert (await box.latest(voucher)).activated_at is None
    box.router.faults.set({})
    box.pool.patience.until = 0.0
    box.clock.pass_by(timedelta(minutes=1))
    await box.work()
    after = await box.latest(voucher)
    assert box.in_with(device) == voucher.code
    assert after.activated_at == box.clock.now()
    assert after.seconds_left(box.clock.now()) == HOUR.duration.total_seconds()
    assert box.limit(voucher) == "1h"


@pytest.mark.parametrize("where", ["/api/webhooks/mpesa/callback", "/hooks/{wrong}/stk/{token}"])
async def test_knowing_a_requests_name_is_no_way_to_pay_for_it(where: str) -> None:
    visit = await Visit.begun("paybill")
    (prompt,) = visit.story.mpesa.prompts
    said = written(CALLED[0]).encode()
    assert prompt.checkout.encode() in said
    address = where.format(wrong=PATH_SECRET[::-1], token=prompt.token)
    status, _ = await visit.post(address, said)
    assert status in {200, 404}
    await visit.settle()
    assert states(visit.story) == [State.PENDING]
    assert not visit.story.gates


@pytest.mark.parametrize("more", [-9, -1, 1, 90, 99_990])
async def test_an_amount_that_is_not_the_price_buys_nothing_by_itself(
    story: Story, more: int
) -> None:
    await story.order(0, "hour", "heard")
    await story.decide(0, 0, more)
    await story.callback(0)
    await story.confirmation(0, "hashed")
    await story.work()
    (payment,) = story.payments()
    assert payment["status"] == "disputed"
    assert Decimal(payment["received"]) == 10 + more
    assert not story.router.entries


async def test_a_callback_is_accepted_while_the_router_is_away() -> None:
    visit = await Visit.begun("paybill")
    visit.story.router.away = True
    (prompt,) = visit.story.mpesa.prompts
    address = f"/hooks/{PATH_SECRET}/stk/{prompt.token}"
    status, answer = await visit.post(address, written(CALLED[0]).encode())
    assert (status, json.loads(answer)["ResultCode"]) == (200, 0)
    await visit.settle()
    await visit.story.work()
    visit.story.router.away = False
    await visit.story.wait(60)
    await visit.story.work()
    assert DEVICES[0].mac in visit.story.router.online


async def test_no_header_makes_a_stranger_safaricom() -> None:
    visit = await Visit.begun("paybill")
    names = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP", "Businessshortcode")
    headers = dict.fromkeys(names, "196.201.214.200")
    said = written(CALLED[0]).encode()
    status, _ = await visit.post("/api/webhooks/mpesa/callback", said, headers)
    assert status == 200
    (kept,) = visit.rows("webhook_logs")
    assert kept["remoteIp"] == "127.0.0.1"
    await visit.settle()
    assert states(visit.story) == [State.PENDING]


async def test_what_was_revoked_while_the_router_was_away_is_not_granted_after_it(box: Box) -> None:
    device = box.device()
    box.router.faults.set({"refuse": True})
    voucher = await box.sold(device)
    await box.work()
    await box.amend.revoke(voucher.code)
    box.router.faults.set({})
    box.pool.patience.until = 0.0
    box.clock.pass_by(timedelta(minutes=1))
    await box.work()
    assert box.in_with(device) is None
    assert not box.on_router(voucher)


@pytest.mark.parametrize("receipt", ["", " ", "0", "UKN0000001", "*", "UKN000000_"])
async def test_a_phone_number_alone_gets_nothing_back(story: Story, receipt: str) -> None:
    await story.order(0, "hour", "heard")
    await story.decide(0, 0)
    await story.callback(0)
    await story.work()
    with pytest.raises(Invalid, match="receipt_unknown"):
        await story.recover.find(receipt, PHONES[0], DEVICES[1])


async def test_the_router_ends_the_time_by_itself_while_the_box_is_off(box: Box) -> None:
    device = box.device()
    voucher = await box.online(device)
    box.router.clock.pass_by(HOUR.duration - timedelta(seconds=1))
    assert box.in_with(device) == voucher.code
    box.router.clock.pass_by(timedelta(seconds=2))
    assert box.in_with(device) is None


async def test_a_prompt_that_could_not_be_sent_is_on_record(story: Story) -> None:
    await story.daraja("away")
    await story.order(0, "hour", "heard")
    await story.work()
    assert states(story) == ["failed"]
    (initiation,) = story.store.collections["stk_initiations"].values()
    assert initiation["status"] == "failed"
    assert story.payments()[0]["reason"] == "gateway_unreachable"
