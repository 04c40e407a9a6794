"""From the first minute to the last: what a voucher's transitions promise."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain import accounts
from appliance.domain.debts import Kind, Owed
from appliance.domain.devices import Entry, Reading, Session
from appliance.domain.plans import ClockKind
from appliance.domain.vouchers import State
from tests.unit.test_vouchers import DEVICE, NOON, PAYMENT, PLAN, VOUCHER

HOUR = PLAN.duration
RUNNING = VOUCHER.paid(NOON, PAYMENT).online(NOON, DEVICE)
METERED = replace(VOUCHER, plan=replace(PLAN, clock=ClockKind.CONNECTED))
CONNECTED = METERED.paid(NOON, PAYMENT).online(NOON, DEVICE)
CAPPED = replace(RUNNING, plan=replace(PLAN, data_limit_bytes=1_000_000))


def test_at_its_end_the_cut_is_owed_in_the_same_step() -> None:
    assert RUNNING.run_out(NOON + HOUR - timedelta(milliseconds=1)) == RUNNING
    over = RUNNING.run_out(NOON + HOUR)
    assert over.state is State.EXPIRED
    assert over.owed is not None
    assert over.owed.kind is Kind.END
    assert over.owed.lease_until is not None
    assert over.cut().owed is None
    assert RUNNING.cut() is RUNNING


def test_who_holds_the_end_goes_on_holding_it() -> None:
    assert RUNNING.owed is not None
    held = replace(RUNNING, owed=RUNNING.owed.leased(NOON + HOUR))
    assert held.run_out(NOON + HOUR).owed == held.owed


def test_an_end_that_was_taken_up_too_early_is_given_back() -> None:
    assert RUNNING.owed is not None
    early = replace(RUNNING, owed=RUNNING.owed.leased(NOON))
    assert early.run_out(NOON).owed == Owed(Kind.END, NOON + HOUR)


def test_while_nobody_knows_the_time_every_running_voucher_is_good() -> None:
    assert RUNNING.usable(None)
    assert not RUNNING.usable(NOON + HOUR)
    assert not RUNNING.over(NOON).usable(None)


def test_a_clock_that_went_back_adds_nothing() -> None:
    assert RUNNING.seconds_left(NOON - timedelta(days=20_000)) == 3_600


def test_what_started_under_a_doubtful_clock_gets_its_end_when_the_time_is_known() -> None:
    started = VOUCHER.paid(NOON, PAYMENT).online(NOON, DEVICE, certain=False)
    assert started.state is State.ACTIVE
    assert started.expires_at is None
    assert started.owed == Owed(Kind.END, NOON)
    later = NOON + timedelta(days=100)
    timed = replace(started, used_seconds=600).timed(later)
    assert timed.expires_at == later + timedelta(minutes=50)
    assert timed.owed == Owed(Kind.END, later + timedelta(minutes=50))
    assert timed.timed(later + HOUR) is timed
    assert CONNECTED.timed(later) is CONNECTED


def test_a_device_let_in_again_leaves_the_end_owed() -> None:
    later = NOON + timedelta(minutes=10)
    wanted = RUNNING.wanted_by(DEVICE, later)
    assert wanted.owed is not None
    assert wanted.owed.kind is Kind.GRANT
    for after in (wanted.online(later, DEVICE), wanted.kept(DEVICE, later)):
        assert after.owed == Owed(Kind.END, NOON + HOUR)


def test_connected_time_ends_when_all_of_it_is_used() -> None:
    almost = CONNECTED.counted(Reading(3_599, 0), NOON)
    assert (almost.state, almost.seconds_left(NOON)) == (State.ACTIVE, 1)
    over = almost.counted(Reading(3_600, 0), NOON)
    assert over.state is State.EXPIRED
    assert over.owed is not None
    assert over.counted(Reading(9_999, 0), NOON) is over


def test_data_ends_when_all_of_it_is_used() -> None:
    almost = CAPPED.counted(Reading(10, 999_999), NOON)
    assert almost.state is State.ACTIVE
    assert almost.counted(Reading(10, 1_000_000), NOON).state is State.EXPIRED


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 10**9)), max_size=30))
def test_what_was_used_never_goes_back(readings: list[tuple[int, int]]) -> None:
    voucher = replace(CONNECTED, extra_seconds=10**6)
    for seconds, moved in readings:
        after = voucher.counted(Reading(seconds, moved), NOON)
        assert after.used_seconds >= voucher.used_seconds
        assert after.used_bytes >= voucher.used_bytes
        assert after.counted(Reading(seconds, moved), NOON) == after
        voucher = after


@given(st.integers(0, 3_599), st.integers(0, 3_600))
def test_the_routers_limit_is_what_is_left_whatever_it_has_counted(used: int, shown: int) -> None:
    voucher = replace(CONNECTED, used_seconds=used, router_seconds=shown)
    limit = accounts.after(voucher, NOON, Reading(shown, 0)).limit_uptime
    assert limit == timedelta(seconds=shown + 3_600 - used)


def test_no_limit_is_ever_zero_which_would_mean_none() -> None:
    spent = replace(CAPPED, expires_at=NOON, used_seconds=3_600, used_bytes=2_000_000)
    user = accounts.fresh(spent, NOON + HOUR)
    assert user.limit_uptime == timedelta(seconds=1)
    assert user.limit_bytes_total == 1


@pytest.mark.parametrize(
    ("limit", "fits"),
    [
        (None, False),
        (timedelta(minutes=10), False),
        (timedelta(minutes=39, seconds=30), True),
        (timedelta(minutes=40), True),
        (timedelta(minutes=45), False),
    ],
)
def test_a_limit_on_connected_time_must_be_what_is_left(
    limit: timedelta | None, *, fits: bool
) -> None:
    voucher = replace(CONNECTED, used_seconds=1_800, router_seconds=600)
    entry = Entry(name=voucher.code, limit_uptime=limit)
    assert accounts.fits(entry, voucher, NOON, Reading(600, 0)) is fits


def test_a_limit_beside_the_clock_may_be_more_than_is_left_but_not_than_was_sold() -> None:
    later, reading = NOON + timedelta(minutes=50), Reading(60, 0)
    for limit, fits in ((5, False), (11, True), (60, True), (90, False)):
        entry = Entry(name=RUNNING.code, limit_uptime=timedelta(minutes=limit))
        assert accounts.fits(entry, RUNNING, later, reading) is fits
    whole = Entry(name=RUNNING.code, limit_uptime=HOUR, disabled=True)
    assert not accounts.fits(whole, RUNNING, later, reading)


def test_what_is_added_counts_before_and_after_the_start() -> None:
    more = timedelta(minutes=30)
    waiting = VOUCHER.paid(NOON, PAYMENT).extended(more, 0, NOON)
    assert waiting.online(NOON, DEVICE).expires_at == NOON + HOUR + more
    running = RUNNING.extended(more, 0, NOON)
    assert running.expires_at == NOON + HOUR + more
    assert running.owed == Owed(Kind.END, NOON + HOUR + more)
    assert CONNECTED.extended(more, 0, NOON).seconds_left(NOON) == 5_400
    assert CAPPED.extended(timedelta(), 500, NOON).bytes_sold == 1_000_500
    over = RUNNING.over(NOON)
    assert over.extended(more, 0, NOON) is over


def test_a_revoked_voucher_owes_the_cut_and_nothing_brings_it_back() -> None:
    revoked = RUNNING.revoked(NOON)
    assert revoked.state is State.REVOKED
    assert revoked.owed is not None
    assert revoked.owed.kind is Kind.END
    assert revoked.online(NOON, DEVICE) is revoked
    assert revoked.over(NOON) is revoked
    assert revoked.kept(DEVICE, NOON) is revoked
    assert revoked.wanted_by(DEVICE, NOON) is revoked


def test_a_voucher_that_money_may_be_under_way_to_is_not_revoked() -> None:
    assert VOUCHER.revoked(NOON) is VOUCHER


def test_a_reading_is_the_users_counters_and_those_of_its_sessions() -> None:
    entry = Entry(name="A", uptime=timedelta(seconds=100), moved=5)
    sessions = [Session("A", mac, "127.0.1.5", timedelta(seconds=7), 3) for mac in ("x", "y")]
    assert Reading.of(entry, sessions) == Reading(114, 11)
    assert Reading.of(entry, []) == Reading(100, 5)


def test_several_devices_together_never_use_up_what_ends_by_the_clock() -> None:
    family = replace(PLAN, devices=3, data_limit_bytes=1_000_000)
    shared = replace(VOUCHER, plan=family).paid(NOON, PAYMENT)
    running = shared.online(NOON, DEVICE)
    later = NOON + timedelta(minutes=20)
    together = Reading(seconds=3 * 20 * 60, moved=1)
    assert running.metered
    assert running.counted(together, later).usable(later)
    assert running.counted(together, later).seconds_left(later) == 40 * 60
    doubtful = shared.online(NOON, DEVICE, certain=False).counted(together, later)
    assert doubtful.state is State.ACTIVE
    assert doubtful.timed(later).expires_at == later + timedelta(minutes=40)


def test_a_lease_from_a_clock_that_was_ahead_keeps_nobody_waiting() -> None:
    ahead = VOUCHER.paid(NOON + timedelta(hours=3), PAYMENT, DEVICE)
    wanted = ahead.wanted_by(DEVICE, NOON)
    assert wanted.owed is not None
    assert wanted.owed.lease_until is not None
    assert wanted.owed.lease_until < NOON + timedelta(minutes=1)
