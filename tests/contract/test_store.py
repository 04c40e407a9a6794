"""One contract, every store."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient

from appliance.domain import debts, ids
from appliance.domain.debts import Kind, Owed
from appliance.domain.devices import Device
from appliance.domain.errors import Conflict, Duplicate, Unreadable
from appliance.domain.homing import moved
from appliance.domain.paybills import Credentials, Paybill, PaybillInfo
from appliance.domain.payments import Payment, State
from appliance.domain.plans import Plan
from appliance.domain.queries import DAY, HOUR, Cursor, Slots, Tally
from appliance.domain.records import Initiation, InitiationStatus, WebhookLog, WebhookMetadata
from appliance.domain.vouchers import Voucher
from appliance.store import codec
from appliance.store.open import opened
from appliance.store.port import Store
from appliance.store.records import books
from tests.conftest import STORES

NOON = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)
PLAN = Plan(id="hour", name="One hour", price=10, duration=timedelta(hours=1))
DEVICE = Device("02:00:00:00:00:05", "127.0.1.5")
PAYMENT_ID = ids.new_id()
SECOND = timedelta(seconds=1)


@pytest.fixture(params=[*STORES, "memory"])
def store_kind(request: pytest.FixtureRequest) -> str:
    """Hold the store in memory, which faster tests stand on, to the same contract."""
    kind: str = request.param
    return kind


def voucher(code: str = "ABC3DEF4GH") -> Voucher:
    return Voucher(
        id=ids.new_id(),
        code=code,
        token=ids.new_token(),
        plan=PLAN,
        router_id="router",
        created_at=NOON,
        payment_id=PAYMENT_ID,
        device=DEVICE,
    )


def payment() -> Payment:
    return Payment(
        id=ids.new_id(),
        token=ids.new_token(),
        callback_hash=ids.fingerprint(ids.new_token()),
        plan_id="hour",
        voucher_id=ids.new_id(),
        voucher_code="ABC3DEF4GH",
        amount=10,
        phone="254712345678",
        paybill_number="174379",
        router_id="router",
        created_at=NOON,
    )


def initiation() -> Initiation:
    paid = payment()
    return Initiation(
        id=paid.id,
        account_reference=paid.voucher_code,
        phone_number=paid.phone,
        amount=paid.amount,
        paybill_number=paid.paybill_number,
        router_id=paid.router_id,
        voucher_id=paid.voucher_id,
        payment_id=paid.id,
        created_at=NOON,
    )


async def test_what_is_stored_comes_back_the_same(store: Store) -> None:
    vouchers = books(store).vouchers
    stored = replace(voucher(), owed=Owed(Kind.GRANT, NOON, NOON, 3, "router_away"))
    await vouchers.insert(stored)
    assert await vouchers.get(stored.id) == stored
    assert await vouchers.find("code", stored.code) == stored
    assert await vouchers.find("token", stored.token) == stored
    assert await vouchers.get(ids.new_id()) is None


async def test_a_second_document_with_a_unique_key_is_refused(store: Store) -> None:
    vouchers = books(store).vouchers
    await vouchers.insert(voucher())
    with pytest.raises(Duplicate):
        await vouchers.insert(voucher())


async def test_unique_keys_that_are_absent_do_not_collide(store: Store) -> None:
    payments = books(store).payments
    first, second = await payments.insert(payment()), await payments.insert(payment())
    assert await payments.get(first.id) == first
    assert await payments.get(second.id) == second


async def test_a_receipt_is_used_once(store: Store) -> None:
    payments = books(store).payments
    first, second = await payments.insert(payment()), await payments.insert(payment())
    await payments.change(first, replace(first, receipt="UKN7K2M9QX"))
    with pytest.raises(Duplicate):
        await payments.change(second, replace(second, receipt="UKN7K2M9QX"))
    assert await payments.get(second.id) == second


async def test_a_stale_save_is_a_conflict(store: Store) -> None:
    vouchers = books(store).vouchers
    read = await vouchers.insert(voucher())
    newer = await vouchers.change(read, read.paid(NOON, PAYMENT_ID))
    with pytest.raises(Conflict):
        await vouchers.change(read, replace(read, device=None))
    assert await vouchers.get(read.id) == newer


async def test_a_change_of_what_is_not_there_is_a_conflict(store: Store) -> None:
    gone = voucher()
    with pytest.raises(Conflict):
        await books(store).vouchers.change(gone, gone.paid(NOON, PAYMENT_ID))


async def test_of_many_who_change_at_once_one_wins(store: Store) -> None:
    vouchers = books(store).vouchers
    read = await vouchers.insert(voucher())
    tries = (vouchers.change(read, replace(read, device=None)) for _ in range(8))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, Voucher) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 7


async def test_what_becomes_none_is_gone(store: Store) -> None:
    payments = books(store).payments
    opened_payment = await payments.insert(replace(payment(), open_phone="254712345678"))
    closed = await payments.change(opened_payment, replace(opened_payment, open_phone=None))
    assert await payments.get(closed.id) == closed
    assert await payments.find("openPhone", "254712345678") is None
    await payments.insert(replace(payment(), open_phone="254712345678"))


async def test_due_debts_come_oldest_first_and_future_ones_wait(store: Store) -> None:
    vouchers = books(store).vouchers
    codes = ("AAA3AAA3AA", "BBB3BBB3BB", "CCC3CCC3CC")
    for minutes, code in zip((2, 1, -5), codes, strict=True):
        owed = Owed(Kind.GRANT, NOON - timedelta(minutes=minutes))
        await vouchers.insert(replace(voucher(code), owed=owed))
    await vouchers.insert(voucher("DDD3DDD3DD"))
    assert [v.code for v in await vouchers.due(NOON, 10)] == list(codes[:2])
    assert [v.code for v in await vouchers.due(NOON, 1)] == [codes[0]]


async def test_a_lease_hides_a_debt_until_it_runs_out(store: Store) -> None:
    vouchers = books(store).vouchers
    await vouchers.insert(voucher().paid(NOON, PAYMENT_ID))
    assert await vouchers.due(NOON, 10) == []
    assert len(await vouchers.due(NOON + debts.LEASE, 10)) == 1


async def test_a_page_is_the_newest_first(store: Store) -> None:
    vouchers = books(store).vouchers
    for minute, code in enumerate(("AAA3AAA3AA", "BBB3BBB3BB", "CCC3CCC3CC")):
        made = replace(voucher(code), created_at=NOON + timedelta(minutes=minute))
        await vouchers.insert(made)
    other = replace(voucher("DDD3DDD3DD"), device=Device("02:00:00:00:00:06", "127.0.1.6"))
    await vouchers.insert(other)
    found = await vouchers.page("device.mac", DEVICE.mac, 2)
    assert [v.code for v in found] == ["CCC3CCC3CC", "BBB3BBB3BB"]


async def test_pages_go_on_where_the_last_one_ended_also_within_one_moment(store: Store) -> None:
    vouchers = books(store).vouchers
    for number in range(12):
        at = NOON + timedelta(milliseconds=number // 5)
        code = f"AAA3AAA3{number // 10}{number % 10}"
        await vouchers.insert(replace(voucher(code), id=ids.new_id(), created_at=at))
    whole = await vouchers.page("device.mac", DEVICE.mac, 100)
    assert whole == sorted(whole, key=lambda v: (v.created_at, v.id), reverse=True)
    assert len(whole) == 12
    for size in (1, 2, 3, 5, 12):
        seen, before = list[Voucher](), None
        while page := await vouchers.page("device.mac", DEVICE.mac, size, before=before):
            seen += page
            before = Cursor.read(str(Cursor(page[-1].created_at, page[-1].id)))
        assert seen == whole
    middle = NOON + timedelta(milliseconds=1)
    since = await vouchers.page("device.mac", DEVICE.mac, 100, since=middle)
    assert since == [v for v in whole if v.created_at >= middle]
    older = await vouchers.page("device.mac", DEVICE.mac, 100, before=Cursor(middle))
    assert older == [v for v in whole if v.created_at < middle]
    within = Cursor(middle, whole[4].id)
    both = await vouchers.page("device.mac", DEVICE.mac, 100, before=within, since=middle)
    assert both == whole[5:7]


async def test_a_record_that_cannot_be_read_shortens_no_page(store: Store) -> None:
    vouchers = books(store).vouchers
    made = [
        await vouchers.insert(replace(voucher(f"AAA3AAA3A{n}"), created_at=NOON + n * SECOND))
        for n in range(5)
    ]
    for strange in made[2:4]:
        await store.change("vouchers", strange.id, {"status": "of a later version"}, {})
    assert await vouchers.page("device.mac", DEVICE.mac, 3) == [made[4], made[1], made[0]]


async def test_a_tally_counts_and_adds_up_by_group_and_local_day(store: Store) -> None:
    payments = books(store).payments
    evening, offset = NOON + timedelta(hours=8, minutes=50), timedelta(hours=3)
    sold: tuple[tuple[datetime, dict[str, Any]], ...] = (
        (NOON, {"state": State.PAID, "receipt": "R1"}),
        (NOON + timedelta(minutes=10), {"state": State.PAID, "amount": 50}),
        (evening, {"state": State.PAID, "receipt": "R2"}),
        (evening + timedelta(minutes=30), {"state": State.PAID, "receipt": "R3"}),
        (evening, {"state": State.FAILED, "reason": "no_answer", "callback_hash": None}),
    )
    for at, fields in sold:
        await payments.insert(replace(payment(), created_at=at, **fields))
    day = NOON, NOON + timedelta(days=1)
    assert await payments.tally((), *day) == [Tally((), 5)]
    assert await payments.tally(("status",), *day[:1], NOON) == []
    states = await payments.tally(("status", "reason"), *day, "amount")
    assert set(states) == {
        Tally(("paid", None), 4, 80),
        Tally(("failed", "no_answer"), 1, 10),
    }
    receipts = await payments.tally(("mpesaReceiptNumber?", "callbackHash?"), *day, "amount")
    assert set(receipts) == {
        Tally((True, True), 3, 30),
        Tally((False, True), 1, 50),
        Tally((False, False), 1, 10),
    }
    assert set(await payments.tally((), *day, "amount", slots=Slots(DAY, offset))) == {
        Tally((), 4, 80, datetime(2026, 11, 22, 21, tzinfo=UTC)),
        Tally((), 1, 10, datetime(2026, 11, 23, 21, tzinfo=UTC)),
    }
    hours = await payments.tally(("device.mac", "status"), *day, slots=Slots(HOUR, offset))
    assert Tally((None, "paid"), 2, 0, datetime(2026, 11, 23, 12, tzinfo=UTC)) in hours
    assert sorted(tally.count for tally in hours) == [1, 1, 1, 2]


async def test_a_tally_names_plans_and_vouchers_as_everything_else_does(store: Store) -> None:
    vouchers = books(store).vouchers
    plan = replace(PLAN, id=ids.new_id())
    await vouchers.insert(replace(voucher(), plan=plan, activated_at=NOON))
    counted = await vouchers.tally(("plan.id", "activatedAt?"), NOON, NOON + SECOND, "plan.price")
    assert counted == [Tally((plan.id, True), 1, 10)]


async def test_what_is_in_no_order_of_time_has_no_bounds(store: Store) -> None:
    with pytest.raises(KeyError):
        await store.page("paybills", "status", "active", 1, before=Cursor(NOON))
    with pytest.raises(KeyError):
        await store.tally("plans", (), NOON, NOON)


async def test_a_key_that_was_not_declared_is_a_bug(store: Store) -> None:
    with pytest.raises(KeyError):
        await books(store).vouchers.find("device.ip", "127.0.1.5")
    with pytest.raises(KeyError):
        await books(store).vouchers.page("paidAt", NOON, 1)


async def test_fields_of_other_programs_stay(store: Store) -> None:
    paybill = Paybill(
        id=ids.new_id(),
        paybill_info=PaybillInfo(number="174379", name="Sandbox"),
        credentials=Credentials(consumer_key="k", consumer_secret="s", pass_key="p"),
    )
    paybills = books(store).paybills
    await paybills.insert(paybill)
    await store.change("paybills", paybill.id, {"credentials.theirs": "kept", "note": "x"}, {})
    read = await paybills.find("paybillInfo.number", "174379")
    assert read is not None
    token = replace(read.credentials, access_token="t", token_expires_at=NOON)
    await paybills.change(read, replace(read, credentials=token))
    document = await store.get("paybills", "paybillInfo.number", "174379")
    assert document is not None
    assert document["credentials"]["theirs"] == "kept"
    assert document["credentials"]["tokenExpiresAt"] == NOON
    assert document["note"] == "x"


async def test_names_in_the_database_are_the_ones_other_programs_know(store: Store) -> None:
    webhook = WebhookLog(
        id=ids.new_id(),
        source="mpesa_stk_callback",
        type="stk_callback",
        timestamp=NOON,
        raw_body='{"Body": "…\\ud800"}',
        payload={"Body": {"stkCallback": {"ResultCode": 0}}},
        metadata=WebhookMetadata(checkout_request_id="ws_CO_1", result_code=0),
        processing_time=12,
    )
    await books(store).webhooks.insert(webhook)
    document = await store.get("webhook_logs", "_id", webhook.id)
    assert document is not None
    assert document["metadata"] == {"CheckoutRequestID": "ws_CO_1", "ResultCode": 0}
    assert document["processingTime"] == 12
    assert document["payload"] == webhook.payload
    assert await books(store).webhooks.get(webhook.id) == webhook


async def test_pruning_spares_what_owes(store: Store) -> None:
    webhooks = books(store).webhooks
    old = WebhookLog(
        id=ids.new_id(), source="s", type="t", timestamp=NOON, raw_body="", payment_id=ids.new_id()
    )
    await webhooks.insert(old)
    owing = replace(old, id=ids.new_id(), owed=Owed(Kind.SETTLE, NOON))
    await webhooks.insert(owing)
    await webhooks.insert(replace(old, id=ids.new_id(), timestamp=NOON + timedelta(days=2)))
    undated = await webhooks.insert(replace(old, id=ids.new_id(), undated=True))
    assert await store.prune("webhook_logs", "timestamp", NOON + timedelta(days=1)) == 1
    assert await webhooks.get(old.id) is None
    assert await webhooks.get(owing.id) == owing
    assert await webhooks.page("undated", value=True, limit=9) == [undated]


async def test_opening_twice_changes_nothing(
    store: Store, store_kind: str, mongodb_uri: str | None, database: str, tmp_path: Path
) -> None:
    if store_kind == "memory":
        pytest.skip("memory is not opened")
    kept = await books(store).vouchers.insert(voucher())
    async with opened(uri=mongodb_uri, database=database, data_dir=tmp_path) as again:
        assert await books(again).vouchers.get(kept.id) == kept


async def test_text_that_no_database_can_hold_finds_nothing(store: Store) -> None:
    plans = books(store).plans
    assert await plans.get("\ud800") is None
    await plans.insert(PLAN)
    assert await plans.get("hour") == PLAN
    await store.ping()


async def test_a_document_that_cannot_be_read_hides_no_other(store: Store) -> None:
    vouchers = books(store).vouchers
    for code in ("AAA3AAA3AA", "BBB3BBB3BB"):
        await vouchers.insert(replace(voucher(code), owed=Owed(Kind.GRANT, NOON)))
    broken = await vouchers.find("code", "AAA3AAA3AA")
    assert broken is not None
    await store.change("vouchers", broken.id, {"status": "of a later version"}, {})
    assert [v.code for v in await vouchers.due(NOON, 10)] == ["BBB3BBB3BB"]
    assert [v.code for v in await vouchers.page("device.mac", DEVICE.mac, 10)] == ["BBB3BBB3BB"]
    with pytest.raises(Unreadable):
        await vouchers.get(broken.id)


UNREADABLE: dict[str, object] = {
    "status": "of a later version",
    "owed.attempts": "many",
    "owed.leaseUntil": "noon",
    "version": "first",
    "plan": 7,
    "plan.durationSeconds": 10**18,
}


async def test_debts_that_cannot_be_read_starve_no_other_and_say_why(store: Store) -> None:
    vouchers = books(store).vouchers
    broken, before = [], {}
    for place, (path, strange) in enumerate(UNREADABLE.items()):
        owed = Owed(Kind.GRANT, NOON - timedelta(hours=1))
        broken.append(replace(voucher(f"AAA3AAA3A{place}"), owed=owed))
        before[broken[-1].id] = {path: codec.at(codec.document(broken[-1]), path)}
        await vouchers.insert(broken[-1])
        await store.change("vouchers", broken[-1].id, {path: strange}, {})
    await vouchers.insert(replace(voucher("BBB3BBB3BB"), owed=Owed(Kind.GRANT, NOON)))
    assert [v.code for v in await vouchers.due(NOON, 2)] == ["BBB3BBB3BB"]
    for unreadable, (path, strange) in zip(broken, UNREADABLE.items(), strict=True):
        document = await store.get("vouchers", "_id", unreadable.id)
        assert document is not None
        assert document["owed"]["lastError"] == "unreadable"
        assert document["owed"]["parkedAt"] == NOON
        assert NOON < document["owed"]["at"] <= NOON + timedelta(hours=1)
        # A box that can read it is not disturbed.
        assert codec.at(document, path) == (None if path == "owed.leaseUntil" else strange)
        assert path == "version" or "version" not in document
        await store.change("vouchers", unreadable.id, before[unreadable.id], {})
    found = await vouchers.due(NOON + timedelta(hours=1), 10)
    assert {v.code for v in found} == {v.code for v in broken} | {"BBB3BBB3BB"}


async def test_only_this_routers_vouchers_fall_due_here(store: Store) -> None:
    for code, router_id in (("AAA3AAA3AA", "here"), ("BBB3BBB3BB", "there")):
        owed = Owed(Kind.GRANT, NOON)
        await books(store).vouchers.insert(replace(voucher(code), router_id=router_id, owed=owed))
    assert [v.code for v in await books(store, "here").vouchers.due(NOON, 10)] == ["AAA3AAA3AA"]
    assert len(await books(store).vouchers.due(NOON, 10)) == 2


async def test_a_voucher_that_moved_falls_due_at_its_new_hotspot_alone(store: Store) -> None:
    mine, theirs = ids.new_id(), ids.new_id()
    here, there = books(store, mine), books(store, theirs)
    bought = replace(voucher(), router_id=mine, device=None).paid(NOON, PAYMENT_ID)
    sold = await here.vouchers.insert(bought)
    after = await there.vouchers.change(sold, moved(sold, theirs, DEVICE, NOON))
    assert await here.vouchers.due(NOON, 10) == await here.vouchers.owing(10) == []
    assert await there.vouchers.due(NOON, 10) == await there.vouchers.owing(10) == [after]
    with pytest.raises(Conflict):
        await here.vouchers.change(sold, sold.on_router())


async def test_a_push_completed_by_another_program_is_not_overwritten(store: Store) -> None:
    initiations = books(store).initiations
    read = await initiations.insert(initiation())
    await store.change("stk_initiations", read.id, {"status": "completed"}, {})
    with pytest.raises(Conflict):
        await initiations.change(read, replace(read, status=InitiationStatus.FAILED))
    latest = await initiations.get(read.id)
    assert latest is not None
    assert latest.status is InitiationStatus.COMPLETED


async def test_a_unique_index_of_another_program_that_counts_null_gives_way(
    mongodb_uri: str | None, database: str, tmp_path: Path
) -> None:
    if mongodb_uri is None:
        pytest.skip("only a server is shared")
    async with AsyncMongoClient[dict[str, object]](mongodb_uri) as client:
        theirs = client.get_database(database).get_collection("stk_initiations")
        await theirs.create_index("CheckoutRequestID", unique=True)
    async with opened(uri=mongodb_uri, database=database, data_dir=tmp_path) as store:
        assert (await store.inspect("stk_initiations")).unguarded
        await store.ping()
        assert not (await store.inspect("stk_initiations")).unguarded
        initiations = books(store).initiations
        first = await initiations.insert(initiation())
        second = await initiations.insert(initiation())
        await initiations.change(first, replace(first, checkout_request_id="ws_CO_1"))
        with pytest.raises(Duplicate):
            await initiations.change(second, replace(second, checkout_request_id="ws_CO_1"))


async def test_a_file_of_an_earlier_version_gets_its_new_columns(tmp_path: Path) -> None:
    async with opened(uri=None, database="x", data_dir=tmp_path) as store:
        kept = await books(store).vouchers.insert(replace(voucher(), owed=Owed(Kind.GRANT, NOON)))

    def row() -> dict[str, object]:
        with closing(sqlite3.connect(tmp_path / "appliance.sqlite3")) as file:
            file.row_factory = sqlite3.Row
            return dict(file.execute("SELECT * FROM vouchers").fetchone())

    def forget() -> None:
        with closing(sqlite3.connect(tmp_path / "appliance.sqlite3")) as file:
            for _, name, _, origin, _ in file.execute("PRAGMA index_list(vouchers)").fetchall():
                if origin == "c":
                    file.execute(f'DROP INDEX "{name}"')
            for path in before.keys() - {"_id", "doc"}:
                file.execute(f'ALTER TABLE vouchers DROP COLUMN "{path}"')
            file.commit()

    before = await asyncio.to_thread(row)
    await asyncio.to_thread(forget)
    async with opened(uri=None, database="x", data_dir=tmp_path) as store:
        assert await books(store, kept.router_id).vouchers.due(NOON, 10) == [kept]
        assert await books(store).vouchers.page("plan.id", "hour", 2, since=NOON) == [kept]
        assert (await store.inspect("vouchers")).missing == ()
    assert await asyncio.to_thread(row) == before
