"""Databases that others left behind: indexes, today's shape, and a cut in the middle of it."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pymongo import AsyncMongoClient
from pymongo.errors import DuplicateKeyError

from appliance.domain import ids
from appliance.domain.secrets import InClear
from appliance.mpesa.cipher import FernetCipher
from appliance.ports import Cipher
from appliance.store.migrations import Change, Migrations
from appliance.store.open import opened
from appliance.store.port import Document, Store
from appliance.store.records import books
from appliance.store.schema import COLLECTIONS
from appliance.store.seed import seed
from tests.conftest import HandClock

NINETY_DAYS = 90 * 86400
SEEDS = {
    "webhook_logs": [
        ("source", 1),
        ("timestamp", -1),
        ("metadata.TransID", 1),
        ("metadata.BillRefNumber", 1),
    ],
    "stk_initiations": [
        ("CheckoutRequestID", 1),
        ("MerchantRequestID", 1),
        ("AccountReference", 1),
        ("PhoneNumber", 1),
        ("paybillNumber", 1),
        ("status", 1),
        ("createdAt", -1),
    ],
}
OLD_SHAPE: Document = {
    "paybillInfo": {"name": "Old", "provider": "safaricom"},
    "apiConfig": {"consumerKey": "key-k", "consumerSecret": "key-s", "passkey": "key-p"},
    "config": {"environment": "sandbox"},
    "status": "active",
    "theirs": "kept",
}
KEY = Fernet.generate_key().decode()


def old_shape(number: str, **more: Any) -> Document:
    info = {**OLD_SHAPE["paybillInfo"], "number": number}
    return {**OLD_SHAPE, "_id": ids.new_id(), "paybillInfo": info, **more}


async def changes(store: Store, cipher: Cipher | None = None) -> list[Change]:
    run = Migrations(store, cipher or InClear(), HandClock()).run()
    return [change async for change in run]


async def pending(store: Store, cipher: Cipher | None = None) -> list[Change]:
    return await Migrations(store, cipher or InClear(), HandClock()).pending()


async def the(store: Store, number: str) -> Document:
    found = await store.get("paybills", "paybillInfo.number", number)
    assert found is not None
    return found


async def mongo_indexes(uri: str, database: str, name: str) -> dict[str, Any]:
    async with AsyncMongoClient[Document](uri) as client:
        found = await client.get_database(database).get_collection(name).index_information()
    return {str(one["key"]): one for one in dict(found).values()}


async def test_every_index_of_the_owners_list_is_there(
    store: Store, mongodb_uri: str | None, database: str
) -> None:
    await store.ping()
    for name in COLLECTIONS:
        assert (await store.inspect(name)).missing == ()
    if mongodb_uri is None:
        return  # the list is of the shared database; what SQLite needs is what we ask it
    for name, wanted in SEEDS.items():
        there = await mongo_indexes(mongodb_uri, database, name)
        for key in wanted:
            assert str([key]) in there, (name, key)
    logs = await mongo_indexes(mongodb_uri, database, "webhook_logs")
    assert logs[str([("timestamp", -1)])]["expireAfterSeconds"] == NINETY_DAYS
    pushes = await mongo_indexes(mongodb_uri, database, "stk_initiations")
    assert pushes[str([("CheckoutRequestID", 1)])]["unique"]


async def test_unique_indexes_that_earlier_versions_made_give_way_to_ones_that_are_used(
    mongodb_uri: str | None, database: str, tmp_path: Path
) -> None:
    if mongodb_uri is None:
        pytest.skip("SQLite has no such indexes")
    text: Document = {"code": {"$type": "string"}}
    async with AsyncMongoClient[Document](mongodb_uri) as client:
        earlier = client.get_database(database).vouchers
        await earlier.create_index("code", unique=True, partialFilterExpression=text)
        await earlier.insert_one({"code": "ABC3DEF4GH"})
        first = await _prepared(mongodb_uri, database, tmp_path)
        assert await _prepared(mongodb_uri, database, tmp_path) == first
        made = first["vouchers"][str([("code", 1)])]
        assert made["unique"]
        assert made["partialFilterExpression"] == {"code": {"$gte": ""}}
        with pytest.raises(DuplicateKeyError):
            await earlier.insert_one({"code": "ABC3DEF4GH"})
        await earlier.insert_many([{"code": None}, {"code": None}, {}, {}])


async def test_a_file_of_an_earlier_version_loses_the_indexes_that_nobody_asks(
    tmp_path: Path,
) -> None:
    file = tmp_path / "appliance.sqlite3"

    def age() -> None:
        with closing(sqlite3.connect(file)) as earlier:
            earlier.execute('DROP INDEX "payments_mpesaReceiptNumber"')
            earlier.execute(
                'CREATE UNIQUE INDEX "payments_mpesaReceiptNumber"'
                ' ON payments ("mpesaReceiptNumber")'
            )
            earlier.execute('ALTER TABLE payments ADD COLUMN "reason"')
            earlier.execute(
                "INSERT INTO payments (_id, doc, mpesaReceiptNumber) VALUES ('1', '{}', 'R')"
            )
            earlier.execute('CREATE INDEX "payments_reason" ON payments ("reason")')
            earlier.commit()

    fresh = await _shape(file)
    await asyncio.to_thread(age)
    assert await _shape(file) == fresh
    assert await _shape(file) == fresh


async def _shape(file: Path) -> dict[str, str]:
    """Open the file as the product does, and return how everything in it was made."""
    async with opened(uri=None, database="x", data_dir=file.parent) as store:
        for name in COLLECTIONS:
            assert (await store.inspect(name)).missing == ()

    def look() -> dict[str, str]:
        query = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"
        with closing(sqlite3.connect(file)) as there:
            return dict(there.execute(query).fetchall())

    return await asyncio.to_thread(look)


async def test_preparing_a_database_that_others_filled_changes_none_of_it(
    mongodb_uri: str | None, database: str, tmp_path: Path
) -> None:
    if mongodb_uri is None:
        pytest.skip("SQLite is never shared")
    async with AsyncMongoClient[Document](mongodb_uri) as client:
        theirs = client.get_database(database)
        await theirs.stk_initiations.create_index("CheckoutRequestID", unique=True)
        await theirs.stk_initiations.create_index("status", name="their own name")
        await theirs.webhook_logs.create_index([("timestamp", -1)], expireAfterSeconds=3600)
        push = {"CheckoutRequestID": "ws_CO_1", "status": "initiated", "note": None}
        await theirs.stk_initiations.insert_one(push)
        log = {"source": "mpesa_confirmation", "timestamp": datetime.now(UTC)}
        await theirs.webhook_logs.insert_one(log)
        before = await _raw(client, database)
        first = await _prepared(mongodb_uri, database, tmp_path)
        assert await _prepared(mongodb_uri, database, tmp_path) == first
        assert await _raw(client, database) == before
    assert first["stk_initiations"][str([("status", 1)])].get("unique") is None
    assert first["webhook_logs"][str([("timestamp", -1)])]["expireAfterSeconds"] == 3600


async def _raw(client: AsyncMongoClient[Document], database: str) -> list[Document]:
    names = ("stk_initiations", "webhook_logs")
    made = client.get_database(database)
    return [document for name in names async for document in made[name].find({})]


async def _prepared(uri: str, database: str, folder: Path) -> dict[str, Any]:
    async with opened(uri=uri, database=database, data_dir=folder) as store:
        await store.ping()
        for name in COLLECTIONS:
            assert (await store.inspect(name)).missing == ()
    return {name: await mongo_indexes(uri, database, name) for name in COLLECTIONS}


async def test_looking_at_an_empty_database_makes_nothing(
    mongodb_uri: str | None, database: str, tmp_path: Path
) -> None:
    if mongodb_uri is None:
        pytest.skip("opening the file makes its tables")
    async with opened(uri=mongodb_uri, database=database, data_dir=tmp_path) as store:
        assert (await store.inspect("stk_initiations")).missing
        assert await pending(store) == []
    async with AsyncMongoClient[Document](mongodb_uri) as client:
        assert await client.get_database(database).list_collection_names() == []


async def test_every_document_comes_once_and_is_counted(store: Store) -> None:
    for place in range(450):
        await store.insert("paybills", old_shape(f"{100000 + place}"))
    numbers = [d["paybillInfo"]["number"] async for d in store.every("paybills")]
    assert len(numbers) == len(set(numbers)) == 450
    assert (await store.inspect("paybills")).count == 450


async def test_a_page_without_an_index_holds_the_newest_of_all(store: Store) -> None:
    noon = datetime(2026, 11, 23, 12, tzinfo=UTC)
    for place in range(4):
        log = {"_id": ids.new_id(), "source": f"s{place}", "timestamp": noon}
        await store.insert("webhook_logs", log | {"timestamp": noon + timedelta(hours=place)})
    newest = await store.page("webhook_logs", None, None, 2)
    assert [log["source"] for log in newest] == ["s3", "s2"]


async def test_the_old_shape_becomes_todays_and_a_second_run_changes_nothing(store: Store) -> None:
    cached = {"accessToken": "t", "tokenExpiresAt": datetime(2026, 1, 1, tzinfo=UTC), "mine": "x"}
    await store.insert("paybills", old_shape("100001"))
    await store.insert("paybills", old_shape("100002", credentials=cached))
    assert len(await pending(store)) == len(await changes(store)) == 4
    assert await pending(store) == await changes(store) == []
    keys = {"consumerKey": "key-k", "consumerSecret": "key-s", "passKey": "key-p"}
    for number, credentials in (("100001", keys), ("100002", keys | {"mine": "x"})):
        document = await the(store, number)
        assert document["credentials"] == credentials
        assert document["paybillInfo"]["type"] == "paybill"
        assert document["theirs"] == "kept"
        assert "apiConfig" not in document
        paybill = await books(store).paybills.find("paybillInfo.number", number)
        assert paybill is not None
        assert paybill.credentials.pass_key == "key-p"
    recorded = [document["_id"] async for document in store.every("migrations")]
    assert sorted(recorded) == ["1-paybill-type", "2-credentials"]


async def test_a_dry_run_says_all_that_a_run_does_and_no_secret(store: Store) -> None:
    await store.insert("paybills", old_shape("100001"))
    before = await the(store, "100001")
    cipher = FernetCipher([KEY])
    said = await pending(store, cipher)
    assert await the(store, "100001") == before
    assert said == await changes(store, cipher)
    words = [line for change in said for line in change.lines]
    assert "paybillInfo.type = 'paybill'" in words
    assert "apiConfig (consumerKey, consumerSecret, passkey) is removed" in words
    assert "credentials.passKey is replaced (not shown)" in words
    assert "key-" not in str(words)
    assert "fernet:" not in str(words)


async def test_secrets_are_sealed_and_sealed_anew_under_a_new_key(store: Store) -> None:
    await store.insert("paybills", old_shape("100001"))
    old, new_key = FernetCipher([KEY]), Fernet.generate_key().decode()
    await changes(store, old)
    sealed = (await the(store, "100001"))["credentials"]
    assert all(value.startswith("fernet:") for value in sealed.values())
    await changes(store, FernetCipher([new_key, KEY]))
    moved = (await the(store, "100001"))["credentials"]
    assert FernetCipher([new_key]).open(moved["consumerSecret"]) == "key-s"
    assert await changes(store, FernetCipher([new_key])) == []


@pytest.mark.parametrize("boundary", range(1, 8))
async def test_a_migration_cut_off_anywhere_is_finished_by_the_next(
    mongodb_uri: str | None, database: str, tmp_path: Path, boundary: int
) -> None:
    async with opened(uri=mongodb_uri, database=database, data_dir=tmp_path) as store:
        for place in range(3):
            await store.insert("paybills", old_shape(f"{100000 + place}"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.contract.mortal_migration",
        mongodb_uri or "",
        database,
        str(tmp_path),
        str(boundary),
        env=dict(os.environ),
    )
    assert await process.wait() == -signal.SIGKILL
    async with opened(uri=mongodb_uri, database=database, data_dir=tmp_path) as store:
        await changes(store)
        assert await pending(store) == []
        for place in range(3):
            document = await the(store, f"{100000 + place}")
            assert document["credentials"]["consumerSecret"] == "key-s"
            assert document["paybillInfo"]["type"] == "paybill"
            assert "apiConfig" not in document


async def test_seeding_seals_secrets_keeps_tokens_and_may_be_repeated(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "seed.toml"
    text = """[[paybills]]
status = "active"
[paybills.paybillInfo]
number = "100001"
name = "Shop"
[paybills.credentials]
consumerKey = "key-k"
consumerSecret = "key-s"
passKey = "key-p"
initiatorName = "operator"
securityCredential = "key-i"
"""
    await asyncio.to_thread(file.write_text, text, encoding="utf-8")
    cipher = FernetCipher([KEY])
    await seed(store, file, cipher)
    document = await the(store, "100001")
    assert cipher.open(document["credentials"]["passKey"]) == "key-p"
    assert document["credentials"]["initiatorName"] == "operator"
    assert document["credentials"]["securityCredential"].startswith("fernet:")
    assert cipher.open(document["credentials"]["securityCredential"]) == "key-i"
    kept = await books(store).paybills.find("paybillInfo.number", "100001")
    assert kept is not None
    assert kept.has_initiator
    token = cipher.seal("token")
    await store.change("paybills", document["_id"], {"credentials.accessToken": token}, {})
    before = await the(store, "100001")
    await seed(store, file, cipher)
    assert await the(store, "100001") == before
    changed = text.replace("key-s", "key-2")
    await asyncio.to_thread(file.write_text, changed, encoding="utf-8")
    await seed(store, file, cipher)
    after = await the(store, "100001")
    assert cipher.open(after["credentials"]["consumerSecret"]) == "key-2"
    assert after["credentials"]["accessToken"] == token
