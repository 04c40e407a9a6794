"""Calls that came while the database was away: kept, moved on in their order, each of them once."""

import asyncio
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.domain import debts, ids
from appliance.domain.errors import Duplicate, StoreUnavailable, Unstorable
from appliance.domain.payments import Payment
from appliance.domain.records import Backlog, WebhookLog
from appliance.flows import intake as flow
from appliance.flows.intake import Intake
from appliance.store import spool as spools
from appliance.store.open import SPOOL_FILE, opened
from appliance.store.port import Document
from appliance.store.records import books
from appliance.store.spool import FileSpool
from tests.conftest import HandClock
from tests.flows.mortal_drain import CALLS, NOON, call
from tests.forks import forked
from tests.memory_store import MemoryStore

TOKEN = "ab" * 16


class FarStore(MemoryStore):
    """A database at the other end of a cable."""

    away = False
    silent = False
    answer_lost = False
    refuses = ""

    async def insert(self, collection: str, document: Document) -> None:
        await self._reached()
        if document["_id"] == self.refuses:
            raise Unstorable("a rule of theirs")
        await super().insert(collection, document)
        if self.answer_lost:
            raise StoreUnavailable("cut")

    async def get(self, collection: str, key: str, value: str) -> Document | None:
        await self._reached()
        return await super().get(collection, key, value)

    async def _reached(self) -> None:
        if self.silent:
            await asyncio.Event().wait()
        if self.away:
            raise StoreUnavailable("away")


class Post:
    """An intake, its database and its spool."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.store = FarStore()
        self.kept = books(self.store)
        self.file = folder / SPOOL_FILE
        self.spool = FileSpool(self.file)
        self.handed: list[WebhookLog] = []
        self.intake = self.made()

    def made(self) -> Intake:
        return Intake(
            payments=self.kept.payments,
            webhooks=self.kept.webhooks,
            hand_over=self.handed.append,
            clock=self.clock,
            spool=self.spool,
        )

    async def restart(self) -> None:
        await self.spool.close()
        self.spool = FileSpool(self.file)
        self.intake = self.made()

    async def sold(self) -> Payment:
        """Return a purchase whose callback comes with `TOKEN`."""
        payment = Payment(
            id=ids.new_id(),
            token=ids.new_token(),
            callback_hash=ids.fingerprint(TOKEN),
            voucher_code="ABC123DEF4",
            amount=10,
            paybill_number="174379",
            router_id="router",
            created_at=NOON,
        )
        return await self.kept.payments.insert(payment)

    async def fill(self, webhook: WebhookLog) -> int:
        """Return how many calls like this one are taken before one is not."""
        for count in range(100):
            another = replace(webhook, id=f"{int(webhook.id, 16) + count:024x}")
            try:
                await self.intake.take(another)
            except StoreUnavailable:
                return count
        raise AssertionError("there is no end")

    async def drain(self) -> None:
        while await self.intake.drain():
            pass

    @property
    def stored(self) -> list[Document]:
        return list(self.store.collections["webhook_logs"].values())


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    made = Post(tmp_path)
    await made.drain()
    yield made
    await made.spool.close()


async def test_a_call_goes_straight_to_a_database_that_is_there(post: Post) -> None:
    assert await post.intake.take(call(1))
    assert [webhook.id for webhook in post.handed] == [call(1).id]
    assert await post.spool.backlog() == Backlog(0, 0, None)


async def test_spooled_calls_follow_in_their_order_and_new_ones_behind_them(post: Post) -> None:
    post.store.away = True
    for number in (3, 1):
        assert await post.intake.take(call(number))
    assert await post.spool.backlog() == Backlog(2, 0, NOON)
    assert not await post.intake.drain()
    post.store.away = False
    assert await post.intake.take(call(2))
    assert post.stored == []
    await post.drain()
    order = [call(number).id for number in (3, 1, 2)]
    assert [document["_id"] for document in post.stored] == order
    assert [webhook.id for webhook in post.handed] == order
    await post.intake.take(call(4))
    assert len(post.stored) == 4


async def test_what_was_moved_on_is_settled_as_if_it_came_now(post: Post) -> None:
    post.store.away = True
    await post.intake.take(call(1))
    post.store.away = False
    post.clock.pass_by(debts.LEASE * 100)
    await post.drain()
    (webhook,) = post.handed
    assert webhook.owed is not None
    assert webhook.owed.lease_until == post.clock.now() + debts.LEASE
    assert webhook.owed.since == webhook.timestamp == NOON


async def test_a_restart_forgets_nothing(post: Post) -> None:
    post.store.away = True
    await post.intake.take(call(1))
    await post.restart()
    assert await post.intake.take(call(2))
    post.store.away = False
    await post.drain()
    assert [document["rawBody"] for document in post.stored] == ["call 1", "call 2"]


async def test_a_database_that_says_nothing_is_not_waited_for(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "_PATIENCE_SECONDS", 0.05)
    post.store.silent = True
    async with asyncio.timeout(5):
        assert await post.intake.take(call(1))
    post.store.silent = False
    await post.drain()
    assert [document["_id"] for document in post.stored] == [call(1).id]


async def test_a_write_that_was_made_without_an_answer_is_made_once(post: Post) -> None:
    post.store.answer_lost = True
    assert await post.intake.take(call(1))
    await post.drain()
    post.store.away = True
    assert await post.intake.take(call(2))
    post.store.away = False
    assert not await post.intake.drain()
    post.store.answer_lost = False
    await post.drain()
    assert [document["_id"] for document in post.stored] == [call(1).id, call(2).id]
    assert await post.spool.backlog() == Backlog(0, 0, None)


async def test_a_spooled_callback_finds_the_payment_of_its_token(post: Post) -> None:
    payment = await post.sold()
    post.store.away = True
    assert await post.intake.take(call(1), ids.fingerprint(TOKEN))
    assert TOKEN.encode() not in post.file.read_bytes()
    post.store.away = False
    await post.drain()
    assert [webhook.payment_id for webhook in post.handed] == [payment.id]


async def test_a_forged_token_is_refused_at_once_or_when_the_database_is_back(post: Post) -> None:
    await post.sold()
    forged = ids.fingerprint("cd" * 16)
    assert not await post.intake.take(call(1), forged)
    post.store.away = True
    assert await post.intake.take(call(2), forged)
    post.store.away = False
    await post.drain()
    (shown,) = post.stored
    assert shown["_id"] == call(2).id
    assert shown["status"] == "refused"
    assert "owed" not in shown
    assert post.handed == []


async def test_one_that_the_database_never_takes_holds_up_nobody(post: Post) -> None:
    post.store.away = True
    for number in (1, 2, 3):
        await post.intake.take(call(number))
    post.store.away, post.store.refuses = False, call(2).id
    await post.drain()
    assert [document["_id"] for document in post.stored] == [call(1).id, call(3).id]
    assert await post.spool.backlog() == Backlog(0, 1, None)
    post.store.refuses = ""
    await post.restart()
    await post.spool.unpark()
    await post.drain()
    assert len(post.stored) == 3
    assert await post.spool.backlog() == Backlog(0, 0, None)


async def test_a_callback_of_a_payment_that_cannot_be_read_is_kept_all_the_same(
    post: Post,
) -> None:
    payment = await post.sold()
    post.store.collections["payments"][payment.id]["status"] = "of a later version"
    assert await post.intake.take(call(1), ids.fingerprint(TOKEN))
    assert [document["_id"] for document in post.stored] == [call(1).id]
    assert await post.spool.backlog() == Backlog(0, 0, None)


async def test_what_was_put_aside_is_tried_again_every_hour(post: Post) -> None:
    post.store.refuses = call(1).id
    with pytest.raises(Unstorable):
        await post.kept.webhooks.insert(call(1))
    await post.spool.keep(call(1), None)
    beats = 0
    ended = asyncio.Event()

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 4:
            post.store.refuses = ""
            post.clock.pass_by(timedelta(hours=1))
        if post.stored:
            ended.set()

    running = asyncio.create_task(post.intake.run(lambda _: beat))
    try:
        async with asyncio.timeout(10):
            await ended.wait()
    finally:
        running.cancel()


async def test_a_twin_of_another_key_is_no_reason_to_forget_a_call(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def taken(*_: Any) -> None:
        raise Duplicate("webhook_logs", "a key of theirs")

    monkeypatch.setattr(post.store, "insert", taken)
    assert await post.intake.take(call(1))
    await post.drain()
    assert await post.spool.backlog() == Backlog(0, 1, None)


async def test_a_row_that_cannot_be_read_is_put_aside(post: Post) -> None:
    post.store.away = True
    for number in (1, 2):
        await post.intake.take(call(number))
    with closing(sqlite3.connect(post.file)) as file, file:
        file.execute("UPDATE spooled SET doc = '{' WHERE place = 1")
    post.store.away = False
    await post.drain()
    assert [document["_id"] for document in post.stored] == [call(2).id]
    assert await post.spool.backlog() == Backlog(0, 1, None)


@pytest.mark.parametrize(("limit", "much"), [("MOST_CALLS", 20), ("MOST_BYTES", 6_000)])
async def test_a_full_spool_claims_nothing_and_hints_never_fill_it(
    post: Post, monkeypatch: pytest.MonkeyPatch, limit: str, much: int
) -> None:
    monkeypatch.setattr(spools, limit, much)
    post.store.away = True
    hints = await post.fill(replace(call(100), proved=False))
    taken = await post.fill(call(200))
    assert 1 <= hints < taken < 20
    assert (await post.spool.backlog()).waiting == hints + taken
    post.store.away = False
    await post.intake.take(call(999))  # full, with the database there: past the spool
    await post.drain()
    assert len(post.stored) == hints + taken + 1


async def test_a_spool_that_cannot_be_written_is_in_nobodys_way(tmp_path: Path) -> None:
    post = Post(tmp_path / "nowhere")
    assert await post.intake.take(call(1))
    assert not await post.intake.drain()
    post.store.away = True
    with pytest.raises(StoreUnavailable):
        await post.intake.take(call(2))
    await post.spool.close()


# Each side of every write: three calls that go by the spool, one that does not, and nothing more.
@pytest.mark.parametrize("boundary", range(1, 18))
async def test_wherever_it_dies_what_was_accepted_is_there_once(
    tmp_path: Path, boundary: int
) -> None:
    words = (str(tmp_path), str(boundary))
    process = await forked("tests.flows.mortal_drain", *words, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    accepted = [int(line) for line in out.split()]
    assert process.returncode == (-signal.SIGKILL if boundary <= 16 else 0)
    assert boundary <= 16 or accepted == list(range(CALLS))
    post = Post(tmp_path)
    async with opened(uri=None, database="", data_dir=tmp_path) as store:
        post.kept = books(store)
        await post.restart()
        await post.drain()
        there = [document["rawBody"] async for document in store.every("webhook_logs")]
    assert len(there) == len(set(there))
    assert {f"call {number}" for number in accepted} <= set(there)
    assert await post.spool.backlog() == Backlog(0, 0, None)
    await post.spool.close()
