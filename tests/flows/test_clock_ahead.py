"""What was dated while the clock was ahead does not wait for that time to come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from appliance.domain import debts, ids, payments
from appliance.domain.debts import Kind, Owed
from appliance.domain.errors import StoreUnavailable
from appliance.domain.payments import LATE_ASKS, UNDECIDED_FOR, Payment, State
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import load
from appliance.flows.upkeep import Upkeep
from appliance.ports import Owing
from appliance.store.port import Store
from appliance.store.records import Books, books
from tests.conftest import HandClock
from tests.contract.test_store import DEVICE, PAYMENT_ID, voucher
from tests.memory_store import AmbushedStore, MemoryStore

AHEAD = timedelta(days=3_650)
PHONE = "254712345001"


def purchase(clock: HandClock, **more: object) -> Payment:
    made = Payment(
        id=ids.new_id(),
        token=ids.new_token(),
        callback_hash=ids.new_token(),
        amount=10,
        phone=PHONE,
        paybill_number="174379",
        router_id="here",
        created_at=clock.now(),
        state=State.PENDING,
        owed=payments.first_ask(clock.now()),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def upkeep(kept: Books, clock: HandClock) -> Upkeep:
    async def never() -> None:
        """Hear no time server."""

    async def nothing(_: object) -> int:
        return 0

    return Upkeep(
        prune_old=nothing,
        keep=timedelta(days=90),
        webhooks=kept.webhooks,
        payments=kept.payments,
        vouchers=kept.vouchers,
        messages=kept.messages,
        clock=clock,
        look=never,
    )


async def fill(kept: Books, clock: HandClock) -> dict[str, Voucher | Payment | WebhookLog]:
    """Store one debt of each kind, dated by this clock."""
    now = clock.now()
    news = WebhookLog(
        id=ids.new_id(),
        source="mpesa",
        type="stk",
        timestamp=now,
        raw_body="{}",
        owed=debts.owing(Kind.SETTLE, now),
    )
    granted = replace(voucher("AAA3AAA3AA").paid(now, PAYMENT_ID), router_id="here")
    running = replace(voucher("BBB3BBB3BB"), router_id="here", payment_id=PAYMENT_ID)
    running = running.paid(now, PAYMENT_ID).online(now, DEVICE)
    return {
        "settle": await kept.webhooks.insert(news),
        "ask": await kept.payments.insert(purchase(clock, open_phone=PHONE)),
        "conclude": await kept.payments.insert(purchase(clock).never_sent("x", now)),
        "grant": await kept.vouchers.insert(granted),
        "end": await kept.vouchers.insert(running),
    }


async def test_once_the_time_is_known_every_debt_is_due_and_the_phone_is_free_in_time(
    store: Store, clock: HandClock
) -> None:
    kept, real = books(store, "here"), clock.now()
    clock.pass_by(AHEAD)
    clock.sure = False
    put = await fill(kept, clock)
    chores = upkeep(kept, clock)
    await chores.look_at_clock()
    clock.moment = real
    await chores.look_at_clock()  # it jumped back, but by whose word?
    assert await kept.payments.due(real, 10) == []
    clock.sure = True
    await chores.look_at_clock()
    due: list[Owing] = [
        *await kept.webhooks.due(real, 10),
        *await kept.payments.due(real, 10),
        *await kept.vouchers.due(real, 10),
    ]
    assert {record.id for record in due} == {
        put[name].id for name in ("settle", "ask", "conclude", "grant")
    }
    assert all(record.owed is not None and record.owed.lease_until is None for record in due)
    locked = await kept.payments.find("openPhone", PHONE)
    assert locked is not None
    assert locked.locked_until == real + UNDECIDED_FOR
    ends = await kept.vouchers.get(put["end"].id)
    assert ends == put["end"]


async def test_what_is_planned_that_late_is_left_alone(clock: HandClock) -> None:
    kept, now = books(AmbushedStore(), "here"), clock.now()
    hour = Owed(Kind.CONCLUDE, now + timedelta(hours=1))
    born = now - timedelta(hours=1)
    late = {"state": State.UNKNOWN, "late_asks": len(LATE_ASKS), "created_at": born}
    last = Owed(Kind.ASK, born + LATE_ASKS[-1])
    stored = [
        await kept.payments.insert(purchase(clock, owed=hour)),
        await kept.payments.insert(purchase(clock, owed=last, **late)),
    ]
    await upkeep(kept, clock).look_at_clock()
    assert [await kept.payments.get(payment.id) for payment in stored] == stored


@pytest.mark.parametrize("late_asks", [0, 1])
async def test_a_question_beyond_its_plan_is_asked_now(clock: HandClock, late_asks: int) -> None:
    kept, now = books(AmbushedStore(), "here"), clock.now()
    owed = Owed(Kind.ASK, now + timedelta(hours=2))
    asked = await kept.payments.insert(
        purchase(clock, owed=owed, late_asks=late_asks, asked_early_at=now + AHEAD)
    )
    await upkeep(kept, clock).look_at_clock()
    (due,) = await kept.payments.due(now, 10)
    assert (due.id, due.late_asks, due.asked_early_at) == (asked.id, late_asks, None)


async def test_it_looks_once_each_time_that_the_time_becomes_certain(clock: HandClock) -> None:
    kept = books(AmbushedStore(), "here")
    chores = upkeep(kept, clock)
    await chores.look_at_clock()
    owed = Owed(Kind.ASK, clock.now() + AHEAD)
    stored = await kept.payments.insert(purchase(clock, owed=owed))
    await chores.look_at_clock()
    assert await kept.payments.get(stored.id) == stored
    clock.sure = False
    await chores.look_at_clock()
    clock.sure = True
    await chores.look_at_clock()
    assert len(await kept.payments.due(clock.now(), 10)) == 1


async def test_a_pass_that_breaks_off_is_finished_at_the_next_look(clock: HandClock) -> None:
    store, real = AmbushedStore(), clock.now()
    kept = books(store, "here")
    clock.pass_by(AHEAD)
    await fill(kept, clock)
    clock.moment = real

    async def away() -> None:
        raise StoreUnavailable("away")

    async def first_is_stored() -> None:
        store.ambush = away

    store.ambush = first_is_stored
    chores = upkeep(kept, clock)
    await chores.look_at_clock()
    assert len(await kept.payments.due(real, 10)) < 2
    await chores.look_at_clock()
    assert len(await kept.payments.due(real, 10)) == 2
    assert len(await kept.vouchers.due(real, 10)) == 1


async def test_no_webhook_is_called_old_by_a_clock_in_doubt(clock: HandClock) -> None:
    asked = list[datetime]()

    async def prune(before: datetime) -> int:
        asked.append(before)
        return 0

    chores = upkeep(books(MemoryStore()), clock)
    chores.prune_old = prune
    clock.sure = False
    await chores.prune()
    assert asked == []
    clock.sure = True
    await chores.prune()
    assert asked == [clock.now() - chores.keep]


async def test_a_call_that_came_under_a_clock_in_doubt_is_old_only_by_a_date_that_can_be(
    clock: HandClock,
) -> None:
    store, now = MemoryStore(), clock.now()
    kept = books(store)
    chores = upkeep(kept, clock)
    chores.prune_old = partial(store.prune, "webhook_logs", "timestamp")
    call = WebhookLog(id="", source="x", type="x", timestamp=now, raw_body="{}", undated=True)
    dates = {
        "boot": datetime.fromtimestamp(60, UTC),
        "ahead": now + AHEAD,
        "near": now - timedelta(days=1),
    }
    for name, date in dates.items():
        await kept.webhooks.insert(replace(call, id=name, timestamp=date))
    old = replace(call, id="old", timestamp=now - timedelta(days=91), undated=None)
    await kept.webhooks.insert(old)
    clock.sure = False
    await chores.prune()
    assert len(store.collections["webhook_logs"]) == 4
    clock.sure = True
    await chores.prune()
    dated = {name: (await load(kept.webhooks, name)) for name in dates}
    assert {name: found.timestamp for name, found in dated.items()} == {
        "boot": now,
        "ahead": now,
        "near": dates["near"],
    }
    assert [found.undated for found in dated.values()] == [None] * 3
    assert await kept.webhooks.get("old") is None
    clock.pass_by(timedelta(days=89, hours=1))
    await chores.prune()
    assert set(store.collections["webhook_logs"]) == {"boot", "ahead"}


async def test_who_was_faster_with_a_debt_keeps_it(clock: HandClock) -> None:
    store, real = AmbushedStore(), clock.now()
    kept = books(store, "here")
    stored = await kept.payments.insert(purchase(clock, owed=Owed(Kind.ASK, real + AHEAD)))
    taken = Owed(Kind.ASK, real).leased(real)

    async def faster() -> None:
        await kept.payments.change(stored, replace(stored, owed=taken))

    store.ambush = faster
    await upkeep(kept, clock).look_at_clock()
    latest = await kept.payments.get(stored.id)
    assert latest is not None
    assert latest.owed == taken
