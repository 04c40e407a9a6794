"""Every transition of a payment, without a clock, a store or a gateway."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from appliance.domain.debts import Kind
from appliance.domain.evidence import Evidence, Source, Verdict
from appliance.domain.payments import UNDECIDED_FOR, NotOurs, Payment, State, first_ask

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAYMENT = Payment(
    id="p",
    token="t",
    callback_hash="h",
    plan_id="hour",
    voucher_id="v",
    voucher_code="ABC3DEF4GH",
    amount=10,
    phone="254712345678",
    paybill_number="174379",
    router_id="r",
    created_at=NOON,
    open_phone="254712345678",
    owed=first_ask(NOON),
)
PENDING = PAYMENT.prompted("ws_CO_1", NOON)
PAID = Evidence(
    source=Source.STK_CALLBACK,
    verdict=Verdict.PAID,
    code="0",
    reason="paid",
    checkout_request_id="ws_CO_1",
    receipt="UKN7K2M9QX",
    amount=Decimal("10.00"),
)
CANCELLED = replace(PAID, verdict=Verdict.CANCELLED, code="1032", reason="cancelled", receipt=None)
FAILED = replace(CANCELLED, verdict=Verdict.FAILED, code="1037", reason="no_answer")
UNDECIDED = replace(FAILED, verdict=Verdict.UNDECIDED, code="4999", reason="checking")


def test_paid_is_paid_and_owes_its_voucher() -> None:
    after = PENDING.heard(PAID, NOON)
    assert after.state is State.PAID
    assert after.receipt == "UKN7K2M9QX"
    assert after.open_phone is None
    assert after.owed is not None
    assert after.owed.kind is Kind.CONCLUDE


def test_the_same_news_twice_changes_nothing() -> None:
    once = PENDING.heard(PAID, NOON)
    assert once.heard(PAID, NOON + timedelta(hours=1)) is once


@pytest.mark.parametrize("bad", [CANCELLED, FAILED])
def test_paid_absorbs_every_later_failure(bad: Evidence) -> None:
    paid = PENDING.heard(PAID, NOON)
    assert paid.heard(bad, NOON) is paid


@pytest.mark.parametrize("bad", [CANCELLED, FAILED])
def test_a_late_success_revives_a_failure(bad: Evidence) -> None:
    failed = PENDING.heard(bad, NOON)
    assert failed.state in {State.CANCELLED, State.FAILED}
    revived = failed.heard(PAID, NOON + timedelta(minutes=9))
    assert revived.state is State.PAID
    assert revived.reason is None


def test_a_query_pays_without_a_receipt_and_the_callback_brings_it() -> None:
    by_query = replace(PAID, source=Source.STK_QUERY, receipt=None, amount=None)
    paid = PENDING.heard(by_query, NOON)
    assert (paid.state, paid.receipt) == (State.PAID, None)
    assert paid.heard(PAID, NOON).receipt == "UKN7K2M9QX"


def test_another_amount_is_disputed_and_never_paid() -> None:
    disputed = PENDING.heard(replace(PAID, amount=Decimal(1)), NOON)
    assert disputed.state is State.DISPUTED
    assert disputed.receipt == "UKN7K2M9QX"
    assert disputed.heard(FAILED, NOON) is disputed


def test_news_of_another_request_proves_nothing() -> None:
    with pytest.raises(NotOurs):
        PENDING.heard(replace(PAID, checkout_request_id="ws_CO_2"), NOON)


def test_the_callback_may_come_before_the_pushs_own_answer() -> None:
    paid = PAYMENT.heard(PAID, NOON)
    assert paid.checkout_request_id == "ws_CO_1"
    assert paid.prompted("ws_CO_1", NOON) == paid


def test_an_unanswered_push_is_unknown_and_stays_closed_to_a_second() -> None:
    unknown = PAYMENT.unanswered()
    assert unknown.state is State.UNKNOWN
    assert unknown.open_phone is not None
    assert PENDING.heard(PAID, NOON).unanswered().state is State.PAID


def test_what_proves_nothing_is_asked_again_and_opens_the_phone_after_the_prompts_life() -> None:
    early = PENDING.asked(UNDECIDED, NOON + timedelta(seconds=20))
    assert early.state is State.PENDING
    assert early.open_phone is not None
    late = early.asked(UNDECIDED, NOON + UNDECIDED_FOR)
    assert late.state is State.UNKNOWN
    assert late.open_phone is None
    assert late.owed is not None
    assert late.owed.at == NOON + timedelta(minutes=5)


def test_a_box_that_was_off_for_hours_still_asks_every_late_question() -> None:
    payment, now, waits = PENDING, NOON + timedelta(hours=10), []
    while (payment := payment.asked(UNDECIDED, now)).owed is not None:
        waits.append(payment.owed.at - now)
        now = payment.owed.at
    # Not all at once: what is on its way while the box starts is found by the next one.
    minutes = [wait / timedelta(minutes=1) for wait in waits]
    assert minutes == [0.25, 10, 45, 300]
    assert payment.state is State.UNKNOWN
    assert payment.heard(PAID, now).state is State.PAID


def test_a_phone_that_did_not_answer_is_asked_about_once_more() -> None:
    failed = PENDING.heard(FAILED, NOON)
    later = failed.concluded(failed)
    assert later.owed is not None
    assert (later.owed.kind, later.owed.at) == (Kind.ASK, NOON + timedelta(minutes=5))
    assert later.concluded(failed) == later
    for nothing in (FAILED, UNDECIDED):
        after = later.asked(nothing, NOON)
        assert (after.state, after.owed) == (State.FAILED, None)
    assert later.asked(PAID, NOON).state is State.PAID
    cancelled = PENDING.heard(CANCELLED, NOON)
    assert cancelled.concluded(cancelled).owed is None


def test_an_answer_about_another_request_plans_the_next_question() -> None:
    other = replace(PAID, checkout_request_id="ws_CO_2")
    after = PENDING.asked(other, NOON + timedelta(seconds=20))
    assert after.state is State.PENDING
    assert after.owed is not None


def test_a_question_that_is_answered_decides() -> None:
    assert PENDING.asked(PAID, NOON).state is State.PAID
    assert PENDING.asked(FAILED, NOON).state is State.FAILED


def test_a_push_that_left_though_it_was_given_up_is_asked_about() -> None:
    given_up = PAYMENT.never_sent("gateway_unreachable", NOON)
    assert given_up.state is State.FAILED
    after_all = given_up.prompted("ws_CO_1", NOON)
    assert after_all.state is State.PENDING
    assert after_all.owed is not None
    assert after_all.owed.kind is Kind.ASK
    assert after_all.heard(PAID, NOON).state is State.PAID
    assert PENDING.heard(FAILED, NOON).prompted("ws_CO_1", NOON).state is State.FAILED


def test_an_outcome_that_changed_meanwhile_still_has_to_be_carried_out() -> None:
    failed = PENDING.heard(FAILED, NOON)
    revived = failed.heard(PAID, NOON)
    assert revived.concluded(failed) is revived
    assert revived.concluded(revived).owed is None
