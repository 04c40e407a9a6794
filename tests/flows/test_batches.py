"""Vouchers made by the hundred for cash: whole at every moment, and in no customer's way."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from appliance.domain.errors import Invalid
from appliance.domain.vouchers import State, Voucher
from appliance.flows.batches import Batches
from appliance.ports import Router
from appliance.store.open import opened
from appliance.store.port import Store
from appliance.store.records import books
from tests.box import HOUR, Box
from tests.conftest import HandClock
from tests.gate import OpenGate
from tests.memory_store import MemoryStore
from tests.mortal import Countdown, crossing, dies

SIZE = 60


async def made_by(store: Store, router_id: str = "router", router: Router | None = None) -> Batches:
    kept = books(store)
    if await kept.plans.get(HOUR.id) is None:
        await kept.plans.insert(HOUR)
    return Batches(
        vouchers=kept.vouchers,
        plans=kept.plans,
        router=router or OpenGate(),
        clock=HandClock(),
        router_id=router_id,
    )


async def stock(box: Box, size: int = 3) -> list[Voucher]:
    return await (await made_by(box.store)).make(HOUR.id, size)


def numbers(vouchers: list[Voucher]) -> list[int]:
    return [voucher.batch.number for voucher in vouchers if voucher.batch is not None]


async def test_a_batch_is_alike_but_for_its_codes_and_is_found_in_order() -> None:
    flow = await made_by(MemoryStore())
    batch = await flow.make(HOUR.id, SIZE, note="  Mama Njeri's kiosk ")
    assert numbers(batch) == list(range(1, SIZE + 1))
    assert len({voucher.code for voucher in batch}) == SIZE
    assert {(v.state, v.plan, v.owed, v.device) for v in batch} == {(State.PAID, HOUR, None, None)}
    head = batch[0].batch
    assert head is not None
    assert (head.note, head.size) == ("Mama Njeri's kiosk", SIZE)
    assert await flow.find(head.id) == batch
    assert await flow.latest(5) == batch[:1]
    assert await flow.find("nobody's") == await flow.find("\udcff") == []


async def test_the_same_request_again_makes_nothing_twice() -> None:
    flow = await made_by(MemoryStore())
    batch = await flow.make(HOUR.id, SIZE, key="tuesday")
    dearer = replace(HOUR, price=99, active=False)
    await flow.plans.change(HOUR, dearer)
    assert await flow.make(HOUR.id, SIZE, key="tuesday") == batch
    both = await asyncio.gather(*(flow.make(HOUR.id, SIZE, key="tuesday") for _ in range(2)))
    assert both == [batch, batch]
    for plan, size in ((HOUR.id, SIZE + 1), ("another", SIZE)):
        with pytest.raises(Invalid, match="another batch already"):
            await flow.make(plan, size, key="tuesday")


@pytest.mark.parametrize(
    ("plan", "size", "note"),
    [
        *(("nothing", 1, None), ("x" * 99, 1, None), ("", 1, None), ("hour", 0, None)),
        *(("hour", 501, None), ("hour", 1, "x" * 201), ("hour", 1, "a\nb"), ("hour", 1, "\udcff")),
    ],
)
async def test_what_cannot_be_a_batch_makes_none(plan: str, size: int, note: str | None) -> None:
    flow = await made_by(MemoryStore())
    with pytest.raises(Invalid):
        await flow.make(plan, size, note=note)
    assert await flow.latest(1) == []


async def test_lost_paper_is_taken_away_but_for_what_somebody_uses(box: Box) -> None:
    first, *others = await stock(box)
    await box.drift.repair()
    await box.redeem.by_code(first.code, box.device())
    at_the_router = box.device(6)
    await box.api.login(others.pop().code, at_the_router)  # the box has not seen it yet
    flow = await made_by(box.store, router=box.api)
    assert await flow.withdraw(_id(first)) == 1
    assert await flow.withdraw(_id(first)) == 0
    states = [voucher.state for voucher in await flow.find(_id(first))]
    assert states == [State.ACTIVE, State.REVOKED, State.READY]
    await box.work()
    assert [box.on_router(one) for one in (first, *others)] == [True, False]
    assert box.in_with(at_the_router) is not None
    there = await made_by(box.store, "there", box.api)
    with pytest.raises(Invalid, match="another hotspot"):
        await there.withdraw(_id(first))
    assert await flow.withdraw("nobody's") == 0


def test_wherever_it_dies_what_is_there_is_whole_and_asking_again_completes_it(
    tmp_path: Path,
) -> None:
    async def ask(folder: Path, boundary: int) -> list[Voucher]:
        async with opened(uri=None, database="", data_dir=folder) as store:
            flow = await made_by(store)
            if boundary:
                inserted = crossing(store.insert, Countdown(boundary).cross)
                setattr(store, "insert", inserted)  # noqa: B010 # mypy
            return await flow.make(HOUR.id, SIZE, key="k")

    def asked(folder: Path, boundary: int) -> list[Voucher]:
        return asyncio.run(ask(folder, boundary))

    async def there(folder: Path) -> list[Voucher]:
        async with opened(uri=None, database="", data_dir=folder) as store:
            flow = await made_by(store)
            return [v for head in await flow.latest(9) for v in await flow.find(_id(head))]

    left = set()
    for boundary in (1, 3, 40, 2 * SIZE):
        folder = tmp_path / str(boundary)
        folder.mkdir()
        assert dies(partial(asked, folder, boundary))
        found = asyncio.run(there(folder))
        assert all(v.state is State.PAID and v.plan == HOUR for v in found)
        left.add(len(found))
        whole = asked(folder, 0)
        assert numbers(whole) == list(range(1, SIZE + 1))
        assert [v for v in whole if v in found] == found
        assert asyncio.run(there(folder)) == whole
    assert len(left) > 2  # it did die at different places


def test_wherever_it_dies_lost_paper_is_whole_and_asking_again_takes_the_rest_away(
    tmp_path: Path,
) -> None:
    async def ask(folder: Path, boundary: int) -> int:
        async with opened(uri=None, database="", data_dir=folder) as store:
            flow = await made_by(store)
            batch = await flow.make(HOUR.id, SIZE, key="k")
            if boundary:
                changed = crossing(store.change, Countdown(boundary).cross)
                setattr(store, "change", changed)  # noqa: B010 # mypy
            return await flow.withdraw(_id(batch[0]))

    async def there(folder: Path) -> list[Voucher]:
        async with opened(uri=None, database="", data_dir=folder) as store:
            flow = await made_by(store)
            return await flow.find(_id((await flow.latest(1))[0]))

    left = set()
    for boundary in (1, 3, 40, 2 * SIZE):
        folder = tmp_path / str(boundary)
        folder.mkdir()
        assert dies(lambda: asyncio.run(ask(folder, boundary)))  # noqa: B023 # at once
        found = asyncio.run(there(folder))
        gone = [voucher for voucher in found if voucher.state is State.REVOKED]
        assert len(found) == SIZE
        assert all(voucher.owed for voucher in gone)  # the router still has to be told
        assert all(voucher.in_stock for voucher in found if voucher not in gone)
        left.add(len(gone))
        assert asyncio.run(ask(folder, 0)) == SIZE - len(gone)
        assert {voucher.state for voucher in asyncio.run(there(folder))} == {State.REVOKED}
    assert len(left) > 2  # it did die at different places


def _id(head: Voucher) -> str:
    assert head.batch is not None
    return head.batch.id


async def test_the_pass_over_the_router_puts_them_there_and_starts_no_time(box: Box) -> None:
    batch = await stock(box)
    box.pass_by(hours=30)
    repairs = await box.drift.repair()
    assert repairs is not None
    assert (repairs.stocked, repairs.put_back) == (3, 0)
    assert all(box.on_router(voucher) for voucher in batch)
    after = [await box.latest(voucher) for voucher in batch]
    assert {(v.state, v.seconds_left(box.clock.now())) for v in after} == {(State.READY, 3_600)}
    again = await box.drift.repair()
    assert again is not None
    assert (again.stocked, again.put_back, again.limits) == (0, 0, 0)


async def test_one_that_the_router_knew_before_the_books_did_is_no_repair(box: Box) -> None:
    (voucher,) = await stock(box, 1)
    await box.drift.repair()
    ready = await box.latest(voucher)
    await box.kept.vouchers.change(ready, replace(ready, state=State.PAID))  # it died there
    repairs = await box.drift.repair()
    assert repairs is not None
    assert (repairs.stocked, repairs.put_back) == (0, 0)
    assert (await box.latest(voucher)).state is State.READY


async def test_a_printed_code_works_at_once_and_its_time_starts_then(box: Box) -> None:
    voucher, *_ = await stock(box)
    box.pass_by(hours=5)
    device = box.device()
    online = await box.redeem.by_code(voucher.code.lower(), device)
    assert box.in_with(device) == voucher.code
    assert online.expires_at == box.clock.now() + timedelta(hours=1)
    box.pass_by(hours=1)
    await box.work()
    assert box.in_with(device) is None
    assert (await box.latest(voucher)).state is State.EXPIRED


async def test_however_many_are_printed_customers_who_paid_are_served_first(box: Box) -> None:
    await stock(box, 50)
    customer = await box.sold(box.device())
    (due,) = await box.kept.vouchers.due(box.clock.now(), 32)
    assert due.id == customer.id
    served: list[str] = []

    async def named(name: str, work: Awaitable[object]) -> None:
        await work
        served.append(name)

    await asyncio.gather(named("stock", box.drift.repair()), named("customer", box.work()))
    assert served == ["customer", "stock"]
    assert box.in_with(box.device()) == customer.code


async def test_one_that_was_taken_away_never_gets_on_the_router(box: Box) -> None:
    lost, kept = await stock(box, 2)
    await box.amend.revoke(lost.code)
    await box.work()
    await box.drift.repair()
    assert (box.on_router(lost), box.on_router(kept)) == (False, True)
