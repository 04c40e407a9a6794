"""An embedded database is carried into a shared one: all of it, once, whatever cuts it off."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli import cli
from appliance.domain import ids
from appliance.domain.paybills import RouterRecord, User
from appliance.domain.payments import State
from appliance.domain.records import WebhookLog
from appliance.flows.audit import Audit
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.store.hold import InUse, OnHold
from appliance.store.hold import shared as shared_by_all
from appliance.store.mongodb import MongoStore
from appliance.store.move import Moved, NotMoved, move, put_away
from appliance.store.open import EMBEDDED, opened
from appliance.store.port import Document, Store
from appliance.store.records import books
from appliance.store.schema import COLLECTIONS
from appliance.store.sqlite import SqliteStore
from tests.conftest import HandClock
from tests.contract.test_store import PLAN, initiation, payment, voucher
from tests.mortal import Countdown, dies
from tests.servers import Secantus

PLACE = "127.0.0.1/test"
CARRIED = [name for name in COLLECTIONS if name != "migrations"]
ROUTER = RouterRecord(id="router", name="Beside the box", user_id="owner")
SALES = 4


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Store]:
    store = await SqliteStore.open(tmp_path / EMBEDDED)
    await fill(store)
    yield store
    await store.close()


@pytest.fixture
async def shared(secantus: Secantus, database: str) -> AsyncIterator[Store]:
    store = MongoStore.connect(secantus.uri, database)
    yield store
    await store.close()


async def fill(store: Store) -> None:
    kept = books(store)
    await kept.users.insert(User(id="owner"))
    await kept.routers.insert(ROUTER)
    await kept.plans.insert(PLAN)
    info = {"number": "174379", "name": "Ours", "type": "paybill", "provider": "safaricom"}
    keys = {"consumerKey": "k", "consumerSecret": "s", "passKey": "p"}
    paybill = {"paybillInfo": info, "credentials": keys, "status": "active"}
    await store.insert("paybills", {"_id": ids.new_id(), **paybill, "theirs": {"some": [1, "x"]}})
    for number in range(SALES):
        sold = await kept.vouchers.insert(voucher(f"ABC3DEF4G{number}"))
        paid = replace(payment(), voucher_id=sold.id, receipt=f"TKR{number}", state=State.PAID)
        await kept.payments.insert(paid)
        await store.insert("seats", {"_id": f"seat-{number}", "voucherId": sold.id})
    at = datetime.now(UTC).replace(microsecond=0)
    await kept.initiations.insert(replace(initiation(), checkout_request_id="ws_CO_1"))
    call = WebhookLog(
        id=ids.new_id(), source="mpesa_stk_callback", type="stk", timestamp=at, raw_body="{}"
    )
    await kept.webhooks.insert(call)
    for did in ("revoke voucher", "failed"):
        await audit_of(store).write("owner", did, "ABC3DEF4G0", of=1)


def audit_of(store: Store) -> Audit:
    return Audit(entries=books(store).audit, clock=HandClock(), box=ROUTER.id)


async def everything(store: Store) -> dict[str, list[Document]]:
    return {
        name: sorted([d async for d in store.every(name)], key=lambda document: document["_id"])
        for name in CARRIED
    }


async def test_every_record_is_there_afterwards_and_the_box_sells_from_there_alone(
    embedded: Store, shared: Store, tmp_path: Path
) -> None:
    reports = await move(embedded, shared, tmp_path, PLACE)

    assert await everything(shared) == await everything(embedded)
    counts = {report.collection: report.copied for report in reports}
    assert counts["vouchers"] == counts["payments"] == SALES
    assert (await audit_of(shared).verified()).length == 2
    assert (await audit_of(shared).verified()).broken() is None
    with pytest.raises(OnHold, match=r"set mongodb\.uri"):
        await everything_of_the_box(tmp_path)
    assert await asyncio.to_thread(put_away, tmp_path)
    assert not (tmp_path / EMBEDDED).exists()


async def everything_of_the_box(folder: Path) -> Any:
    async with opened(uri=None, database="", data_dir=folder) as store:
        return await everything(store)


def moved_until(uri: str, database: str, folder: Path, boundary: int) -> None:
    """Move, and die just before or just after one of the writes."""
    countdown = Countdown(boundary)

    async def work() -> list[Moved]:
        source = await SqliteStore.open(folder / EMBEDDED)
        target = MongoStore.connect(uri, database)
        insert = target.insert

        async def mortal(collection: str, document: Document) -> None:
            countdown.cross()
            await insert(collection, document)
            countdown.cross()

        target.insert = mortal  # type: ignore[method-assign]
        return await move(source, target, folder, PLACE)

    asyncio.run(work())


@pytest.mark.parametrize("boundary", [1, 2, 21])
async def test_a_move_that_is_killed_goes_on_where_it_was(
    embedded: Store,
    shared: Store,
    secantus: Secantus,
    database: str,
    tmp_path: Path,
    boundary: int,
) -> None:
    work = partial(moved_until, secantus.uri, database, tmp_path, boundary)
    assert await asyncio.to_thread(dies, work)
    with pytest.raises(OnHold, match="db move` again"):
        await everything_of_the_box(tmp_path)

    reports = await move(embedded, shared, tmp_path, PLACE)

    assert sum(report.there for report in reports) == boundary // 2
    assert await everything(shared) == await everything(embedded)


async def test_a_move_that_was_begun_goes_nowhere_else(
    embedded: Store, shared: Store, secantus: Secantus, database: str, tmp_path: Path
) -> None:
    work = partial(moved_until, secantus.uri, database, tmp_path, 3)
    assert await asyncio.to_thread(dies, work)
    with pytest.raises(OnHold, match=PLACE):
        await move(embedded, shared, tmp_path, "elsewhere/test")


async def test_what_another_box_did_meanwhile_is_not_undone(
    embedded: Store, shared: Store, secantus: Secantus, database: str, tmp_path: Path
) -> None:
    work = partial(moved_until, secantus.uri, database, tmp_path, 30)
    assert await asyncio.to_thread(dies, work)
    theirs = books(shared).payments
    (settled, *_) = await theirs.page("status", "paid", 10)
    await theirs.change(settled, replace(settled, state=State.REFUNDED))

    await move(embedded, shared, tmp_path, PLACE)

    found = await theirs.get(settled.id)
    assert found is not None
    assert found.state is State.REFUNDED


@pytest.mark.parametrize("clash", ["receipt", "router", "owner"])
async def test_what_stands_in_the_way_is_said_before_anything_is_written(
    embedded: Store, shared: Store, tmp_path: Path, clash: str
) -> None:
    if clash == "receipt":
        theirs = {"_id": ids.new_id(), "createdAt": datetime.now(UTC), "mpesaReceiptNumber": "TKR2"}
        await shared.insert("payments", theirs)
    elif clash == "router":
        await books(shared).routers.insert(ROUTER)
    else:
        await shared.insert("users", {"_id": "owner", "paymentSettings": {"paybillNumber": "6"}})
    before = await everything(shared)

    with pytest.raises(NotMoved, match="is there already"):
        await move(embedded, shared, tmp_path, PLACE)

    assert await everything(shared) == before
    assert await everything_of_the_box(tmp_path), "and the box goes on by itself"


async def test_prices_and_paybills_that_are_there_stay_as_they_are(
    embedded: Store, shared: Store, tmp_path: Path
) -> None:
    await books(shared).plans.insert(replace(PLAN, price=99))
    await books(shared).routers.insert(ROUTER)
    reports = await move(embedded, shared, tmp_path, PLACE, router_is_known=True)
    assert {r.collection: r.theirs for r in reports if r.theirs} == {"plans": ["hour"]}
    plan = await books(shared).plans.get("hour")
    assert plan is not None
    assert plan.price == 99


async def test_an_audit_log_that_the_box_has_there_goes_on_and_is_not_mixed_with_another(
    embedded: Store, shared: Store, tmp_path: Path
) -> None:
    await audit_of(shared).write("owner", "signed in")
    reports = await move(embedded, shared, tmp_path, PLACE)
    (log,) = [report for report in reports if report.left]
    assert (log.collection, log.copied, log.left, log.theirs) == ("audit", 0, 2, [])
    chain = await audit_of(shared).verified()
    assert (chain.length, chain.broken()) == (1, None)
    await audit_of(shared).write("owner", "revoke voucher")
    assert (await audit_of(shared).verified()).broken() is None


def test_the_operator_moves_a_box_by_one_command(
    secantus: Secantus, database: str, tmp_path: Path
) -> None:
    file, seeds = config.write(tmp_path, Ports.at(0))
    told = ["--config", str(file)]

    def said(*words: str, **environment: str) -> Result:
        return CliRunner(env=environment).invoke(cli, [*words, *told])

    assert said("db", "seed", str(seeds)).exit_code == 0
    there = ("db", "move", "--to", secantus.uri, "--database", database)
    with shared_by_all(tmp_path):
        assert isinstance(said(*there).exception, InUse)
    moved = said(*there)
    assert moved.exit_code == 0, moved.output
    assert "all that was carried over read back" in moved.output
    assert secantus.uri not in moved.output
    assert "moved already" in said(*there).output
    assert isinstance(said("db", "status").exception, OnHold)
    shared = {"APPLIANCE_MONGODB__URI": secantus.uri, "APPLIANCE_MONGODB__DATABASE": database}
    status = json.loads(said("db", "status", "--json", **shared).output)
    assert status["collections"]["paybills"]["count"] == 2
    assert said(*there, **shared).exit_code == 2, "it is there"
