from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.domain import accounts
from appliance.domain.debts import Kind, Owed
from appliance.domain.devices import Device
from appliance.domain.plans import ClockKind, Plan
from appliance.domain.vouchers import PaidByAnother, State, Voucher

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DEVICE = Device("02:00:00:00:00:05", "127.0.1.5")
PLAN = Plan(id="hour", name="One hour", price=10, duration=timedelta(hours=1), rate_limit="2M/5M")
PAYMENT = "p"
VOUCHER = Voucher(
    id="v",
    code="ABC3DEF4GH",
    token="t",
    plan=PLAN,
    router_id="r",
    created_at=NOON,
    device=DEVICE,
)


def test_paid_owes_access_in_the_same_step() -> None:
    paid = VOUCHER.paid(NOON, PAYMENT)
    assert paid.state is State.PAID
    assert paid.owed is not None
    assert paid.owed.kind is Kind.GRANT
    assert paid.paid(NOON + timedelta(hours=1), PAYMENT) is paid


def test_time_starts_when_it_is_delivered_and_only_once() -> None:
    waited = NOON + timedelta(hours=5)
    online = VOUCHER.paid(NOON, PAYMENT).online(waited, DEVICE)
    assert online.expires_at == waited + PLAN.duration
    assert online.owed == Owed(Kind.END, online.expires_at)
    later = waited + timedelta(minutes=30)
    again = online.wanted_by(DEVICE, later).online(later, DEVICE)
    assert again.expires_at == online.expires_at
    assert again.seconds_left(later) == 1800


def test_while_nothing_is_delivered_all_the_time_is_left() -> None:
    assert VOUCHER.paid(NOON, PAYMENT).seconds_left(NOON + timedelta(days=2)) == 3600


def test_connected_time_has_no_end_by_the_clock() -> None:
    plan = replace(PLAN, clock=ClockKind.CONNECTED)
    online = replace(VOUCHER, plan=plan).paid(NOON, PAYMENT).online(NOON, DEVICE)
    assert online.expires_at is None
    assert online.usable(NOON + timedelta(days=30))


def test_a_device_that_was_replaced_meanwhile_keeps_its_debt() -> None:
    other = Device("02:00:00:00:00:06", "127.0.1.6")
    wanted = VOUCHER.paid(NOON, PAYMENT).wanted_by(other, NOON)
    assert wanted.online(NOON, DEVICE).owed == wanted.owed
    assert wanted.online(NOON, other).owed == Owed(Kind.END, NOON + PLAN.duration)


def test_the_router_never_gives_more_than_was_sold() -> None:
    account = accounts.fresh(VOUCHER, NOON)
    assert account.limit_uptime == PLAN.duration
    assert account.profile == "appliance-1x-2M_5M."


def test_no_profile_name_is_the_beginning_of_another() -> None:
    rates = ["2M", "2M/5M", "2M/50M", "2M/5M 3M/6M", None]
    plans = [replace(PLAN, rate_limit=rate, devices=n) for rate in rates for n in (1, 11)]
    names = [plan.profile for plan in plans]
    assert not [(a, b) for a in names for b in names if a != b and b.startswith(a)]


def test_what_was_revoked_or_used_up_meanwhile_gets_no_fresh_time() -> None:
    for state in (State.REVOKED, State.EXPIRED):
        ended = replace(VOUCHER.paid(NOON, PAYMENT), state=state)
        assert ended.online(NOON, DEVICE).state is state
        assert ended.online(NOON, DEVICE).owed is None
        assert ended.wanted_by(DEVICE, NOON) is ended
        assert ended.over(NOON).state is state
    assert VOUCHER.paid(NOON, PAYMENT).over(NOON).state is State.EXPIRED


def test_a_voucher_bought_for_a_device_becomes_its_own_when_it_is_paid() -> None:
    unclaimed = replace(VOUCHER, device=None)
    assert unclaimed.paid(NOON, PAYMENT, DEVICE).device == DEVICE
    other = Device("02:00:00:00:00:06", "127.0.1.6")
    assert VOUCHER.paid(NOON, PAYMENT, other).device == DEVICE


def test_what_is_kept_for_one_device_stays_owed_to_another() -> None:
    other = Device("02:00:00:00:00:06", "127.0.1.6")
    wanted = VOUCHER.paid(NOON, PAYMENT).wanted_by(other, NOON)
    assert wanted.kept(DEVICE, NOON).owed is not None
    assert wanted.kept(other, NOON).owed is None


def test_only_who_holds_the_lease_puts_a_debt_off() -> None:
    paid = VOUCHER.paid(NOON, PAYMENT)
    assert paid.owed is not None
    later = NOON + timedelta(minutes=5)
    assert paid.put_off(NOON, later, "late") == paid
    put_off = paid.put_off(paid.owed.lease_until, later, "router_away")
    assert put_off.owed is not None
    assert (put_off.owed.at, put_off.owed.last_error) == (later, "router_away")


def test_money_for_a_voucher_that_another_payment_has_is_not_taken_for_it() -> None:
    paid = VOUCHER.paid(NOON, PAYMENT)
    assert paid.payment_id == PAYMENT
    for voucher in (paid, VOUCHER.given_to(PAYMENT)):
        with pytest.raises(PaidByAnother):
            voucher.paid(NOON, "other")
    assert VOUCHER.given_to("a").given_to("b").payment_id == "b"
    assert paid.given_to("b") is paid
