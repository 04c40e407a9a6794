"""The worker on every store, with time moved by hand."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from appliance.domain import debts
from appliance.domain.debts import Kind, Owed
from appliance.domain.errors import DeviceAbsent, RouterRefused, RouterUnreachable, Unreadable
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import Missing
from appliance.store.port import Store
from appliance.store.records import StoredRecords, books
from appliance.worker import _BATCH, Worker
from tests.conftest import HandClock
from tests.contract.test_store import PAYMENT_ID, voucher


class Payer:
    """Pays a voucher's debt, or fails the way it was told to."""

    def __init__(self, vouchers: StoredRecords[Voucher]) -> None:
        self.vouchers = vouchers
        self.failures: dict[str, BaseException] = {}
        self.paid: list[str] = []

    async def pay(self, record: Voucher) -> None:
        if record.code in self.failures:
            raise self.failures[record.code]
        self.paid.append(record.code)
        await self.vouchers.change(record, replace(record, owed=None))


@pytest.fixture
def payer(store: Store) -> Payer:
    return Payer(books(store).vouchers)


@pytest.fixture
def worker(payer: Payer, clock: HandClock) -> Worker[Voucher]:
    return Worker("voucher", payer.vouchers, payer.pay, clock)


async def owe(payer: Payer, clock: HandClock, *codes: str) -> None:
    for code in codes:
        owed = Owed(Kind.GRANT, clock.now(), since=clock.now())
        await payer.vouchers.insert(replace(voucher(code), owed=owed))


async def test_what_is_due_is_paid_and_then_nothing_is_left(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await owe(payer, clock, "AAA3AAA3AA", "BBB3BBB3BB")
    assert await worker.step()
    assert sorted(payer.paid) == ["AAA3AAA3AA", "BBB3BBB3BB"]
    assert not await worker.step()


async def test_a_debt_is_put_off_with_its_reason_and_paid_later(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await owe(payer, clock, "AAA3AAA3AA")
    payer.failures["AAA3AAA3AA"] = RouterUnreachable("away")
    assert await worker.step()
    waiting = await payer.vouchers.find("code", "AAA3AAA3AA")
    assert waiting is not None
    assert waiting.owed is not None
    assert waiting.owed.last_error == "router_away"
    assert waiting.owed.lease_until is None
    assert not await worker.step()
    payer.failures.clear()
    clock.pass_by(timedelta(seconds=2))
    assert await worker.step()
    assert payer.paid == ["AAA3AAA3AA"]


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (ZeroDivisionError("bug"), "bug: ZeroDivisionError"),
        (asyncio.CancelledError(), "bug: CancelledError"),
        (Missing("gone"), "missing gone"),
        (Unreadable("payments 7"), "unreadable payments 7"),
    ],
)
async def test_a_poisoned_debt_is_parked_and_the_others_are_served(
    worker: Worker[Voucher], payer: Payer, clock: HandClock, failure: BaseException, why: str
) -> None:
    await owe(payer, clock, "AAA3AAA3AA", "BBB3BBB3BB")
    payer.failures["AAA3AAA3AA"] = failure
    first = clock.now()
    assert await worker.step()
    assert payer.paid == ["BBB3BBB3BB"]
    clock.pass_by(timedelta(minutes=59))
    assert not await worker.step()
    clock.pass_by(timedelta(minutes=2))
    assert await worker.step()
    parked = await payer.vouchers.find("code", "AAA3AAA3AA")
    assert parked is not None
    assert parked.owed is not None
    assert (parked.owed.parked_at, parked.owed.last_error) == (first, why)


async def test_a_parked_debt_that_can_be_paid_again_waits_for_nobody(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await owe(payer, clock, "AAA3AAA3AA")
    payer.failures["AAA3AAA3AA"] = Missing("gone")
    await worker.step()
    payer.failures["AAA3AAA3AA"] = RouterUnreachable("away")
    clock.pass_by(timedelta(hours=1))
    await worker.step()
    waiting = await payer.vouchers.find("code", "AAA3AAA3AA")
    assert waiting is not None
    assert waiting.owed is not None
    assert waiting.owed.parked_at is None


async def test_a_batch_of_debts_that_cannot_be_read_holds_no_other_up(
    worker: Worker[Voucher], payer: Payer, store: Store, clock: HandClock
) -> None:
    strange = [f"AAA3AAA3{place}" for place in range(10, 10 + _BATCH)]
    await owe(payer, clock, *strange)
    for code in strange:
        record = await payer.vouchers.find("code", code)
        assert record is not None
        await store.change("vouchers", record.id, {"status": "of a later version"}, {})
    clock.pass_by(timedelta(seconds=1))
    await owe(payer, clock, "BBB3BBB3BB")
    assert await worker.step()
    assert payer.paid == ["BBB3BBB3BB"]
    assert not await worker.step()


async def test_two_workers_never_pay_the_same_debt(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await owe(payer, clock, "AAA3AAA3AA")
    other = Worker("voucher", payer.vouchers, payer.pay, clock)
    assert [await worker.step(), await other.step()] == [True, False]
    assert payer.paid == ["AAA3AAA3AA"]


async def test_what_a_dead_worker_leased_falls_due_again(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await payer.vouchers.insert(voucher("AAA3AAA3AA").paid(clock.now(), PAYMENT_ID))
    assert not await worker.step()
    clock.pass_by(debts.LEASE)
    assert await worker.step()
    assert payer.paid == ["AAA3AAA3AA"]


async def test_a_record_that_waited_beyond_its_lease_is_left_to_whoever_claims_it(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    handed = await payer.vouchers.insert(voucher("AAA3AAA3AA").paid(clock.now(), PAYMENT_ID))
    clock.pass_by(debts.LEASE)
    await worker._pay_one(handed)
    assert payer.paid == []
    assert await worker.step()
    assert payer.paid == ["AAA3AAA3AA"]


async def test_a_device_that_stays_away_is_looked_for_less_and_less(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await owe(payer, clock, "AAA3AAA3AA")
    payer.failures["AAA3AAA3AA"] = DeviceAbsent("gone")
    looks = 0
    for _ in range(60):
        looks += await worker.step()
        clock.pass_by(timedelta(minutes=1))
    assert 12 <= looks <= 30


async def test_waits_grow_but_not_without_end(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await owe(payer, clock, "AAA3AAA3AA")
    payer.failures["AAA3AAA3AA"] = RouterUnreachable("away")
    for _ in range(12):
        await worker.step()
        clock.pass_by(timedelta(seconds=31))
    waiting = await payer.vouchers.find("code", "AAA3AAA3AA")
    assert waiting is not None
    assert waiting.owed is not None
    assert waiting.owed.attempts == 12


async def test_while_the_router_is_away_one_tries_for_all_and_then_they_are_served_as_they_came(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    away = RouterUnreachable("away")
    codes = [f"AAA3AAA3{number}{letter}" for number in range(3, 7) for letter in "ACDEFGHJKM"]
    for code in codes:
        await owe(payer, clock, code)
        clock.pass_by(timedelta(seconds=1))
    payer.failures = dict.fromkeys(codes, away)
    assert await worker.step()
    tries = 0
    for _ in range(60):
        clock.pass_by(timedelta(seconds=1))
        tries += await worker.step()
    assert 10 <= tries <= 40  # one at a time, at most five seconds apart
    assert payer.paid == []
    payer.failures = {}
    clock.pass_by(timedelta(seconds=5))
    assert await worker.step()
    assert len(payer.paid) == 1
    while await worker.step():
        pass
    tried, *served = payer.paid
    assert served == [code for code in codes if code != tried]


async def test_a_router_that_refuses_is_there(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await owe(payer, clock, "AAA3AAA3AA", "BBB3BBB3BB")
    payer.failures = {"AAA3AAA3AA": RouterRefused("no"), "BBB3BBB3BB": RouterUnreachable("away")}
    await worker.step()
    payer.failures = {"BBB3BBB3BB": RouterRefused("no")}
    clock.pass_by(timedelta(seconds=5))
    await worker.step()
    clock.pass_by(timedelta(seconds=5))
    payer.failures = {}
    await worker.step()
    await worker.step()
    assert sorted(payer.paid) == ["AAA3AAA3AA", "BBB3BBB3BB"]


async def test_one_that_alone_cannot_be_served_holds_up_nobody(
    worker: Worker[Voucher], payer: Payer, clock: HandClock
) -> None:
    await owe(payer, clock, "AAA3AAA3AA")
    payer.failures = {"AAA3AAA3AA": RouterUnreachable("action timed out")}
    await worker.step()
    others = [f"BBB3BBB3{number}C" for number in range(3, 8)]
    await owe(payer, clock, *others)
    for _ in range(30):
        clock.pass_by(timedelta(seconds=1))
        await worker.step()
    assert sorted(payer.paid) == sorted(others)
    payer.failures = {}
    clock.pass_by(timedelta(seconds=30))
    await worker.step()
    assert "AAA3AAA3AA" in payer.paid
