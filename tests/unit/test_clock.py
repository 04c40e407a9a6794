"""How far the machine's clock is believed; its clocks and its time server are moved by hand."""

from datetime import UTC, datetime, timedelta

import pytest

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
            synchronised=lambda: self.heard,
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


def test_this_machine_can_be_asked() -> None:
    assert kernel_or_timesyncd() in {True, False}
