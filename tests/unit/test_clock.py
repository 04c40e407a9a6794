"""How far the machine's clock is believed; its clocks and its time server are moved by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from appliance.app import clock
from appliance.app.clock import SystemClock, kernel_or_timesyncd

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BOOT = datetime(1970, 1, 2, tzinfo=UTC)


class Machine:
    """A box without a battery for its clock."""

    def __init__(self, date: datetime, *, always: bool = False) -> None:
        self.date = date
        self.since_start = 0.0
        self.heard = False
        self.clock = SystemClock(
            always=always,
            synchronised=lambda *, jumped: self.heard,
            wall=self.wall,
            monotonic=lambda: self.since_start,
        )

    def wall(self) -> float:
        return self.date.timestamp()

    def pass_by(self, seconds: float) -> None:
        self.date += timedelta(seconds=seconds)
        self.since_start += seconds


async def test_nothing_is_certain_until_a_time_server_was_heard() -> None:
    box = Machine(NOON)
    await box.clock.look()
    assert box.clock.certain() is None
    box.heard = True
    assert box.clock.certain() is None
    await box.clock.look()
    assert box.clock.certain() == NOON


async def test_a_time_server_that_was_heard_once_may_be_out_of_reach_for_days() -> None:
    box = Machine(NOON)
    box.heard = True
    await box.clock.look()
    box.heard = False
    for _ in range(3 * 24 * 60):
        box.pass_by(60)
        await box.clock.look()
    assert box.clock.certain() == NOON + timedelta(days=3)


async def test_at_boot_the_date_is_no_earlier_than_what_was_stored() -> None:
    box = Machine(BOOT)
    box.clock.not_before(NOON)
    box.clock.not_before(NOON - timedelta(days=1))
    await box.clock.look()
    assert box.clock.now() == NOON
    box.pass_by(90)
    assert box.clock.now() == NOON + timedelta(seconds=90)
    assert box.clock.certain() is None


async def test_a_trusted_clock_before_what_was_stored_is_not_believed() -> None:
    box = Machine(BOOT, always=True)
    box.clock.not_before(NOON)
    await box.clock.look()
    assert box.clock.certain() is None
    assert Machine(NOON, always=True).clock.certain() == NOON


async def test_a_first_answer_of_the_time_server_is_believed_after_it_has_settled() -> None:
    box = Machine(BOOT)
    box.clock.not_before(NOON)
    box.pass_by(10)
    box.date, box.heard = NOON + timedelta(hours=8), True
    await box.clock.look()
    assert box.clock.now() == NOON + timedelta(hours=8)
    assert box.clock.certain() is None
    box.pass_by(121)
    await box.clock.look()
    assert box.clock.certain() == NOON + timedelta(hours=8, seconds=121)


@pytest.mark.parametrize("jump", [timedelta(hours=3), -timedelta(hours=3)])
async def test_a_jump_is_noticed_at_the_next_question(jump: timedelta) -> None:
    box = Machine(NOON)
    box.heard = True
    await box.clock.look()
    assert box.clock.certain() is not None
    box.date += jump
    box.pass_by(1)
    assert box.clock.certain() is None
    box.heard = False
    box.pass_by(600)
    await box.clock.look()
    assert box.clock.certain() is None


async def test_what_was_heard_just_before_a_jump_does_not_vouch_for_the_time_after_it() -> None:
    box = Machine(NOON)
    box.heard = True
    await box.clock.look()

    def jumps(*, jumped: bool) -> bool:
        box.date += timedelta(days=463)
        assert box.clock.certain() is None  # as somebody else asks meanwhile
        return not jumped

    box.clock._synchronised = jumps
    await box.clock.look()
    assert box.clock.certain() is None


async def test_a_date_that_was_certain_and_is_set_back_goes_on_until_a_time_server_is_heard() -> (
    None
):
    box = Machine(NOON)
    box.heard = True
    await box.clock.look()
    box.date, box.heard = BOOT, False
    assert box.clock.now() == NOON
    box.pass_by(600)
    await box.clock.look()
    assert box.clock.now() == NOON + timedelta(seconds=600)
    assert box.clock.certain() is None
    box.date, box.heard = NOON - timedelta(hours=1), True
    await box.clock.look()
    assert box.clock.now() == NOON - timedelta(hours=1)


@pytest.mark.parametrize("always", [True, False])
async def test_a_date_that_nobody_was_sure_of_or_somebody_else_keeps_goes_back_as_it_is_set(
    *, always: bool
) -> None:
    box = Machine(NOON, always=always)
    await box.clock.look()
    box.date = NOON - timedelta(hours=3)
    assert box.clock.now() == NOON - timedelta(hours=3)


async def test_small_corrections_are_no_jump() -> None:
    box = Machine(NOON)
    box.heard = True
    await box.clock.look()
    for _ in range(20):
        box.date += timedelta(seconds=2)
        box.pass_by(30)
        assert box.clock.certain() is not None


async def test_a_date_stored_by_a_clock_that_was_ahead_gives_way_to_a_time_server() -> None:
    box = Machine(NOON)
    box.clock.not_before(NOON + timedelta(days=3650))
    box.heard = True
    await box.clock.look()
    assert box.clock.now() == box.clock.certain() == NOON


@pytest.mark.parametrize(
    ("kernel", "mark", "jumped", "believed"),
    [
        (True, False, False, True),
        (True, False, True, True),
        (False, True, False, True),
        (False, True, True, False),
        (None, True, True, True),
        (None, False, False, False),
        (False, False, False, False),
    ],
)
def test_the_kernels_word_counts_for_more_than_a_mark_from_before(
    *,
    kernel: bool | None,
    mark: bool,
    jumped: bool,
    believed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "synchronized"
    if mark:
        file.touch()
    monkeypatch.setattr(clock, "_SYNCHRONIZED", file)
    monkeypatch.setattr(clock, "_kernel_follows", lambda: kernel)
    assert kernel_or_timesyncd(jumped=jumped) is believed


def test_the_kernel_of_this_machine_answers_or_says_that_it_may_not() -> None:
    assert clock._kernel_follows() in {True, False, None}
