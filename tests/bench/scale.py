"""What a long life costs: the same questions to a thousand payments and to very many."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from appliance.domain import ids
from appliance.domain.debts import Kind, Owed
from appliance.domain.errors import StoreUnavailable
from appliance.domain.payments import Payment, State
from appliance.domain.plans import Plan
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import State as VoucherState
from appliance.domain.vouchers import Voucher, drawn_up
from appliance.store import codec
from appliance.store.mongodb import MongoStore, _stored
from appliance.store.open import opened
from appliance.store.port import Store
from appliance.store.records import books
from appliance.store.schema import PAYMENTS, VOUCHERS, WEBHOOKS, Collection
from appliance.store.sqlite import dump
from appliance.store.sqlite_tables import column_paths, column_values
from tests.bench import console
from tests.bench.figures import compared

FEW = 1_000
MANY = {"sqlite": 1_000_000, "mongodb": 100_000}
_TIMES = 5_000
_ROUND = 100
_LONGEST_SECONDS = 40.0
_LONGEST_ROUND_SECONDS = 5.0
_UNDECIDED = 20
_TENTH = 10
_OF_A_PHONE = 20
_PLAN = Plan(id="hour", name="One hour", price=10, duration=timedelta(hours=1))
Verb = Callable[[], Awaitable[float]]
_NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def payment(number: int, at: datetime, phones: int = 50_000) -> Payment:
    """Return one of many sales; of however many, the newest twenty are still undecided."""
    open_one, created_at = number < _UNDECIDED, at - timedelta(seconds=number)
    return Payment(
        id=_id(number, created_at),
        token=ids.new_token(),
        callback_hash=ids.fingerprint(str(number)),
        plan_id="hour",
        voucher_id=_id(number, created_at),
        voucher_code=ids.new_voucher_code(),
        amount=10,
        phone=f"2547{number % phones:08d}",
        paybill_number="174379",
        router_id="router",
        created_at=created_at,
        state=State.PENDING if open_one else State.PAID,
        checkout_request_id=f"ws_CO_{number}",
        receipt=None if open_one else f"R{number:09d}",
        owed=Owed(Kind.ASK, at) if open_one else None,
    )


def _id(number: int, at: datetime) -> str:
    return f"{int(at.timestamp()):08x}{number:016x}"


def records(count: int) -> Iterator[tuple[Collection, Payment | Voucher | WebhookLog]]:
    """Yield as many sales; of every tenth also its voucher and its callback."""
    for number in range(count):
        sold = payment(number, _NOW, max(1, count // _OF_A_PHONE))
        yield PAYMENTS, sold
        if number % _TENTH:
            continue
        bought = drawn_up(_PLAN, router_id=sold.router_id, payment_id=sold.id, now=sold.created_at)
        yield VOUCHERS, replace(bought, id=sold.voucher_id, state=VoucherState.EXPIRED)
        yield (
            WEBHOOKS,
            WebhookLog(
                id=sold.id,
                source="mpesa_stk_callback",
                type="stk_callback",
                timestamp=sold.created_at + timedelta(seconds=9),
                raw_body="x" * 400,
                payment_id=sold.id,
            ),
        )


async def fill(store: Store, file: Path, count: int) -> None:
    """Put sales in as fast as the database takes them, past the product's own verbs."""
    if isinstance(store, MongoStore):
        every = records(count)
        while batch := list(islice(every, 200)):
            for name in {collection.name for collection, _ in batch}:
                these = [codec.document(r) for collection, r in batch if collection.name == name]
                target = await store._of(name)
                await target.insert_many([_stored(name, document) for document in these])
    else:
        await asyncio.to_thread(_fill_file, file, count)


def _fill_file(file: Path, count: int) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA cache_size=-800000")
        connection.execute("PRAGMA synchronous=OFF")
        every = records(count)
        with connection, _indexed_afterwards(connection):
            while batch := list(islice(every, 20_000)):
                for collection in (PAYMENTS, VOUCHERS, WEBHOOKS):
                    _insert(connection, collection, [r for kind, r in batch if kind is collection])
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def _indexed_afterwards(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the indexes away meanwhile: one that is made at once is sorted, not searched."""
    made = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    indexes = connection.execute(made).fetchall()
    for name, _ in indexes:
        connection.execute(f'DROP INDEX "{name}"')
    yield
    for _, statement in indexes:
        connection.execute(statement)


def _insert(connection: sqlite3.Connection, collection: Collection, given: list[Any]) -> None:
    paths = column_paths(collection)
    columns = ", ".join(("_id", "doc", *(f'"{path}"' for path in paths)))
    marks = ", ".join("?" * (len(paths) + 2))
    statement = f"INSERT INTO {collection.name} ({columns}) VALUES ({marks})"  # noqa: S608
    documents = map(codec.document, given)
    rows = ((d["_id"], dump(d), *column_values(collection, d).values()) for d in documents)
    connection.executemany(statement, rows)


def verbs(store: Store, count: int) -> dict[str, Verb]:
    """Return each verb as it is used with that many sales in the books; it returns its seconds."""
    payments, chance = books(store).payments, random.Random(count)  # noqa: S311 # only spread
    later = _NOW + timedelta(days=1)
    new = iter(range(10**8, 2 * 10**8))

    async def find() -> float:
        number = chance.randrange(count)
        began = time.perf_counter()
        assert await payments.find("callbackHash", ids.fingerprint(str(number)))
        return time.perf_counter() - began

    async def insert() -> float:
        one = payment(next(new), later)
        began = time.perf_counter()
        await payments.insert(one)
        return time.perf_counter() - began

    async def due() -> float:
        began = time.perf_counter()
        assert await payments.due(later, 32)
        return time.perf_counter() - began

    async def page() -> float:
        began = time.perf_counter()
        assert await payments.page("status", State.PAID.value, 20)
        return time.perf_counter() - began

    async def change() -> float:
        number = chance.randrange(count)
        before = await payments.find("callbackHash", ids.fingerprint(str(number)))
        assert before is not None
        after = replace(before, receipt=f"C{next(new)}")
        began = time.perf_counter()
        await payments.change(before, after)
        return time.perf_counter() - began

    return {verb.__name__: verb for verb in (find, insert, due, change, page)}


async def in_turns(few: Verb, many: Verb) -> dict[str, Any]:
    """Compare both round by round, so that what else the machine does is shared fairly."""
    ours, bare = list[float](), list[float]()
    for verb in (few, many):
        await _round(verb)  # to warm up
    until = time.perf_counter() + _LONGEST_SECONDS
    while len(bare) < _TIMES and time.perf_counter() < until:
        ours += await _round(many)
        bare += await _round(few)
    return {"times": {"ours": len(ours), "bare": len(bare)}, **compared(ours, bare)}


async def _answered(few: Verb, many: Verb) -> dict[str, Any] | str:
    try:
        return await in_turns(few, many)
    except StoreUnavailable:
        return "no answer in time"


async def _round(verb: Verb) -> list[float]:
    found, until = list[float](), time.perf_counter() + _LONGEST_ROUND_SECONDS
    while not found or (len(found) < _ROUND and time.perf_counter() < until):
        found.append(await verb())
    return found


async def measure(mongodb: str | None, folder: Path, many: int | None = None) -> dict[str, Any]:
    """Return each verb's spread among many sales, among few, and their ratio."""
    sizes = (FEW, many or MANY["sqlite" if mongodb is None else "mongodb"])
    asked, filled = list[dict[str, Verb]](), 0.0
    async with AsyncExitStack() as stack:
        for count in sizes:
            here = folder / str(count)
            here.mkdir(parents=True, exist_ok=True)
            database = f"scale_{ids.new_id()}"
            store = await stack.enter_async_context(
                opened(uri=mongodb, database=database, data_dir=here)
            )
            await store.ping()
            began = time.perf_counter()
            await fill(store, here / "appliance.sqlite3", count)
            filled = time.perf_counter() - began
            asked.append(verbs(store, count) | console.reads(store, count, _NOW))
        few, large = asked
        found = {name: await _answered(few[name], large[name]) for name in few}
    return {"payments": {"ours": sizes[1], "bare": FEW}, "fill_s": round(filled), **found}
