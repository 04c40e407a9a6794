"""What a long life costs: the same questions to a thousand payments and to very many."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from appliance.domain import ids
from appliance.domain.debts import Kind, Owed
from appliance.domain.errors import StoreUnavailable
from appliance.domain.payments import Payment, State
from appliance.store import codec
from appliance.store.mongodb import MongoStore, _stored
from appliance.store.open import opened
from appliance.store.port import Document, Store
from appliance.store.records import books
from appliance.store.schema import PAYMENTS
from appliance.store.sqlite import dump
from appliance.store.sqlite_tables import column_paths, column_values
from tests.bench.figures import compared

FEW = 1_000
MANY = {"sqlite": 1_000_000, "mongodb": 100_000}
_TIMES = 5_000
_ROUND = 100
_LONGEST_SECONDS = 40.0
_LONGEST_ROUND_SECONDS = 5.0
_UNDECIDED = 20
Verb = Callable[[], Awaitable[float]]
_NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def payment(number: int, at: datetime) -> Payment:
    """Return one of many sales; of however many, the newest twenty are still undecided."""
    open_one = number < _UNDECIDED
    return Payment(
        id=ids.new_id(),
        token=ids.new_token(),
        callback_hash=ids.fingerprint(str(number)),
        plan_id="hour",
        voucher_id=ids.new_id(),
        voucher_code=ids.new_voucher_code(),
        amount=10,
        phone=f"2547{number % 50_000:08d}",
        paybill_number="174379",
        router_id="router",
        created_at=at - timedelta(seconds=number),
        state=State.PENDING if open_one else State.PAID,
        checkout_request_id=f"ws_CO_{number}",
        receipt=None if open_one else f"R{number:09d}",
        owed=Owed(Kind.ASK, at) if open_one else None,
    )


def documents(count: int) -> Iterator[Document]:
    """Yield as many stored sales."""
    return (codec.document(payment(number, _NOW)) for number in range(count))


async def fill(store: Store, file: Path, count: int) -> None:
    """Put sales in as fast as the database takes them, past the product's own verbs."""
    if isinstance(store, MongoStore):
        target = await store._of(PAYMENTS.name)
        every = documents(count)
        while batch := [_stored(PAYMENTS.name, document) for document in islice(every, 200)]:
            await target.insert_many(batch)
    else:
        await asyncio.to_thread(_fill_file, file, count)


def _fill_file(file: Path, count: int) -> None:
    columns = ", ".join(("_id", "doc", *(f'"{path}"' for path in column_paths(PAYMENTS))))
    marks = ", ".join("?" * (len(column_paths(PAYMENTS)) + 2))
    statement = f"INSERT INTO {PAYMENTS.name} ({columns}) VALUES ({marks})"  # noqa: S608
    rows = ((d["_id"], dump(d), *column_values(PAYMENTS, d).values()) for d in documents(count))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA cache_size=-800000")
        with connection:
            connection.executemany(statement, rows)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


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
            asked.append(verbs(store, count))
        few, large = asked
        found = {name: await _answered(few[name], large[name]) for name in few}
    return {"payments": {"ours": sizes[1], "bare": FEW}, "fill_s": round(filled), **found}
