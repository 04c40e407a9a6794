"""The box and its records: one thing broken after another."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr

from appliance.cli.doctor import patient, records
from appliance.cli.doctor.checks import Status
from appliance.domain import ids
from appliance.domain.debts import Kind, Owed
from appliance.domain.devices import Device
from appliance.domain.homing import moved, taken_off
from appliance.domain.paybills import RouterRecord
from appliance.domain.payments import Payment, State
from appliance.domain.plans import Plan
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import State as VoucherState
from appliance.domain.vouchers import drawn_up
from appliance.store.open import EMBEDDED, SPOOL_FILE
from appliance.store.port import Shelf
from appliance.store.records import books
from appliance.store.sqlite import SqliteStore
from tests.doctor.conftest import Clinic
from tests.memory_store import MemoryStore
from tests.unit.test_vouchers import VOUCHER


class Usage(NamedTuple):
    total: int
    used: int
    free: int


async def test_a_full_disk_fails(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 10**10, 10**8 - 1))
    found = await clinic.one("disk")
    assert found.status is Status.FAIL
    assert "journalctl --vacuum-size" in found.fix
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**10, 9 * 10**9, 10**9))
    assert (await clinic.one("disk")).status is Status.WARN


async def test_errors_that_the_file_system_counted_are_told(clinic: Clinic, tmp_path: Path) -> None:
    counter = tmp_path / "sys/fs/ext4/mmcblk0p2/errors_count"
    assert (await clinic.one("disk health", root=tmp_path)).status is Status.SKIP
    counter.parent.mkdir(parents=True)
    counter.write_text("0\n")
    assert (await clinic.one("disk health", root=tmp_path)).status is Status.PASS
    counter.write_text("3\n")
    found = await clinic.one("disk health", root=tmp_path)
    assert found.status is Status.WARN
    assert "3 on mmcblk0p2" in found.what
    assert "backup" in found.fix


async def test_secrets_that_somebody_made_up_are_told(clinic: Clinic) -> None:
    clinic.set("webhooks", path_secret=SecretStr("00" * 16))
    plain = SecretStr("abcabcabcabcabcabc")
    clinic.set("admin", cron_secret=plain, metrics_token=plain)
    said = await clinic.says("settings")
    weak = {f.what.split()[0]: f.status for f in said}
    assert weak["webhooks.path_secret"] is Status.FAIL
    assert weak["admin.cron_secret"] is weak["admin.metrics_token"] is Status.WARN
    assert weak["router.password"] is Status.WARN  # the sandbox's
    assert "00000" not in str(said)
    assert "abcabc" not in str(said)


async def test_a_clock_that_no_time_server_set_is_told(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.set("appliance", clock="checked")
    on_the_table = clinic.patient()
    heard = False
    monkeypatch.setattr(on_the_table.clock, "_synchronised", lambda jumped: heard)
    monkeypatch.setattr(clinic, "patient", lambda: on_the_table)
    found = await clinic.one("clock")
    assert found.status is Status.WARN
    assert "timedatectl" in found.fix
    heard = True
    assert (await clinic.one("clock")).status is Status.PASS


async def test_a_database_that_is_not_there_is_not_made(clinic: Clinic) -> None:
    (clinic.world.folder / EMBEDDED).unlink()
    found = await clinic.one("database")
    assert found.status is Status.FAIL
    assert "appliance db init" in found.fix
    assert (await clinic.one("indexes")).status is Status.SKIP
    assert (await clinic.one("debts")).status is Status.SKIP
    assert not (clinic.world.folder / EMBEDDED).exists()


async def test_a_database_that_is_rubbish_is_said(clinic: Clinic) -> None:
    for file in clinic.world.folder.glob(f"{EMBEDDED}*"):
        file.unlink()
    (clinic.world.folder / EMBEDDED).write_bytes(b"rubbish" * 1000)
    found = await clinic.one("database")
    assert found.status is Status.FAIL
    assert "restore" in found.fix


async def test_a_shared_database_that_is_away_is_said(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patient, "_DATABASE_SECONDS", 0.3)
    port = clinic.world.ports.daraja  # nobody is there
    uri = SecretStr(f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS=200")
    clinic.set("mongodb", uri=uri)
    found = await clinic.one("database")
    assert found.status is Status.FAIL
    assert "mongodb.uri" in found.fix
    assert (await clinic.one("spool")).status is Status.PASS
    assert not (clinic.world.folder / SPOOL_FILE).exists()  # looking makes none


async def test_a_missing_index_fails(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await clinic.one("indexes")).status is Status.PASS

    async def inspect(_: SqliteStore, collection: str) -> Shelf:  # opening SQLite makes them anew
        return Shelf(0, ("receipt",) if collection == "payments" else ())

    monkeypatch.setattr(SqliteStore, "inspect", inspect)
    found = await clinic.one("indexes")
    assert found.status is Status.FAIL
    assert "missing in payments" in found.what
    assert found.fix == "appliance db init"


async def test_a_pending_migration_is_told(clinic: Clinic) -> None:
    key = SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    assert (await clinic.one("migrations")).status is Status.PASS
    clinic.set("appliance", encryption_keys=key)  # what is stored in clear is to be sealed
    found = await clinic.one("migrations")
    assert found.status is Status.WARN
    assert found.fix == "appliance db migrate"


async def test_vouchers_of_a_router_that_was_renamed_are_told_with_its_name(
    clinic: Clinic,
) -> None:
    now = datetime.now(UTC)
    running = replace(VOUCHER, state=VoucherState.ACTIVE, owed=Owed(Kind.END, now, since=now))
    ours = replace(running, router_id=clinic.loaded.router.id)
    async with clinic.store() as store:
        await books(store).vouchers.insert(ours)
    assert (await clinic.one("homes")).status is Status.PASS
    clinic.set("router", id="new-name")
    found = await clinic.one("homes")
    assert found.status is Status.WARN
    assert f'router.id = "{ours.router_id}"' in found.fix
    assert str(clinic.world.settings) in found.fix


async def test_of_several_boxes_only_one_that_nobody_has_or_that_is_long_off_is_told(
    clinic: Clinic,
) -> None:
    clinic.set("mongodb", uri=SecretStr("mongodb://shared.example"))
    store, now = MemoryStore(), datetime.now(UTC)
    kept, patient = books(store), clinic.patient(database=store)

    async def says() -> str:
        return " ".join(finding.what for finding in await records.homes(patient))

    await kept.vouchers.insert(replace(VOUCHER, router_id="next-door", owed=Owed(Kind.GRANT, now)))
    assert "1 vouchers belong to the router next-door" in await says()
    await kept.routers.insert(RouterRecord(id="next-door"))
    assert "next-door" not in await says()
    long_ago = Owed(Kind.GRANT, now - timedelta(hours=2))
    other = replace(VOUCHER, id=ids.new_id(), code="ABC123DEF5", token=ids.new_token())
    await kept.vouchers.insert(replace(other, router_id="next-door", owed=long_ago))
    assert "2 vouchers belong to the router next-door" in await says()


async def test_money_that_waits_for_a_person_is_told(clinic: Clinic) -> None:
    assert (await clinic.one("people")).status is Status.PASS
    stray = Payment(
        id=ids.new_id(),
        token=ids.new_token(),
        amount=10,
        paybill_number="174379",
        router_id="sandbox-router",
        created_at=datetime.now(UTC),
        state=State.UNMATCHED,
        phone="254712345678",
    )
    async with clinic.store() as store:
        await books(store).payments.insert(stray)
        other = replace(stray, id=ids.new_id(), token=ids.new_token(), state=State.REVERSING)
        await books(store).payments.insert(other)
    found = await clinic.one("people")
    assert found.status is Status.WARN
    assert "1 reversing, 1 unmatched" in found.what
    assert "appliance payments list --state unmatched" in found.fix
    assert "--state reversing" not in found.fix
    assert "2547" not in str(found)


async def test_a_code_that_moved_here_and_may_still_be_good_where_it_was_is_told(
    clinic: Clinic,
) -> None:
    assert (await clinic.one("moved codes")).status is Status.PASS
    plan = Plan(id=ids.new_id(), name="One hour", price=10, duration=timedelta(hours=1))
    now, first = datetime.now(UTC), ids.new_id()
    made = drawn_up(plan, router_id=first, payment_id=ids.new_id(), now=now)
    sold = made.paid(now, made.payment_id or "")
    async with clinic.store() as store:
        kept = books(store).vouchers
        here = moved(sold, clinic.loaded.router.id, Device("02:00:00:00:00:05", "10.5.50.9"), now)
        there = await kept.insert(here)
    found = await clinic.one("moved codes")
    assert (found.status, "1 codes" in found.what, first in found.what) == (Status.WARN, True, True)
    assert there.code not in str(found)
    async with clinic.store() as store:
        await books(store).vouchers.change(there, taken_off(there, now))
    assert (await clinic.one("moved codes")).status is Status.PASS


async def test_what_waits_for_a_person_is_counted(clinic: Clinic) -> None:
    now = datetime.now(UTC)
    owed = Owed(Kind.SETTLE, now + timedelta(hours=1), attempts=2, last_error="missing x")
    webhook = WebhookLog(
        id=ids.new_id(), source="x", type="x", timestamp=now, raw_body="{}", owed=owed
    )
    assert (await clinic.one("debts")).status is Status.PASS
    async with clinic.store() as store:
        kept = await books(store).webhooks.insert(webhook)
    found = await clinic.one("debts")
    assert found.status is Status.WARN
    assert "missing x" in found.what
    async with clinic.store() as store:
        parked = replace(kept, owed=replace(owed, parked_at=now))
        await books(store).webhooks.change(kept, parked)
    found = await clinic.one("debts")
    assert found.status is Status.FAIL
    assert "appliance debts list --parked" in found.fix
