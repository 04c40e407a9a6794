"""A box in one sealed file: what is in it, who can read it, and what a cut leaves behind."""

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from appliance import app, settings
from appliance.app.backup import FILE_NAME, VERSION, DailyBackup, box_of
from appliance.domain.records import WebhookLog
from appliance.settings import Settings
from appliance.store import backup, hold, sealed
from appliance.store.archive import Manifest, holds, seal
from appliance.store.backup import BackupFailed, Box, make, restore
from appliance.store.hold import InUse, OnHold
from appliance.store.open import SPOOL_FILE, opened
from appliance.store.port import Store
from appliance.store.sealed import WrongBackup
from appliance.store.spool import FileSpool
from tests.conftest import HandClock
from tests.mortal import Countdown, dies

KEY = "a key that nobody else has"
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SETTINGS = """
[webhooks]
public_url = "https://box.example"
path_secret = "00112233445566778899aabbccddeeff"
[router]
host = "10.0.0.1"
"""


@pytest.fixture(autouse=True)
def _cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "_COST", 2)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    place = tmp_path / "etc"
    (place / "credentials").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (place / "appliance.toml").write_text(SETTINGS)
    (place / "credentials" / "router.password").write_text("the router's")
    return Box(
        name="hotspot",
        data_dir=tmp_path / "data",
        settings=place / "appliance.toml",
        credentials=place / "credentials",
    )


@pytest.fixture
async def store(box: Box) -> AsyncIterator[Store]:
    async with opened(uri=None, database="", data_dir=box.data_dir) as made:
        await made.insert(
            "payments", {"_id": "one", "createdAt": NOW, "phoneNumber": "254700000001"}
        )
        yield made


async def payments(box: Box) -> list[str]:
    async with opened(uri=None, database="", data_dir=box.data_dir) as found:
        return sorted([document["_id"] async for document in found.every("payments")])


async def made(box: Box, file: Path, keep: int = 1, version: str = VERSION) -> Manifest:
    return await asyncio.to_thread(make, box, KEY, file, now=NOW, version=version, keep=keep)


async def put_back(file: Path, box: Box, key: str = KEY) -> None:
    await asyncio.to_thread(restore, file, key, box, version=VERSION)


def on(card: Path, box: Box) -> Box:
    """Return the box of the same name on a card of its own."""
    place = card / "etc"
    return replace(
        box,
        data_dir=card / "data",
        settings=place / "appliance.toml",
        credentials=place / "credentials",
    )


async def test_a_new_card_with_the_file_and_its_key_is_the_box_again(
    box: Box, store: Store, tmp_path: Path
) -> None:
    """Made while the store is open, as the daemon has it."""
    file = tmp_path / "backup"
    await made(box, file)
    await store.insert("payments", {"_id": "later", "createdAt": NOW})
    fresh = on(tmp_path / "new", box)

    await put_back(file, fresh)

    assert await payments(fresh) == ["one"]
    assert fresh.settings.read_text() == SETTINGS
    assert fresh.credentials is not None
    password = fresh.credentials / "router.password"
    assert password.read_text() == "the router's"
    assert password.stat().st_mode & 0o777 == 0o600
    assert (fresh.data_dir / "appliance.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_nothing_in_the_file_can_be_read_without_the_key(
    box: Box, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    await made(box, file)
    content = file.read_bytes()
    for secret in (b"254700000001", b"the router's", b"00112233"):
        assert secret not in content
    with pytest.raises(WrongBackup, match="does not open"):
        await put_back(file, on(tmp_path / "new", box), "another key altogether")


@pytest.mark.parametrize("harm", ["a byte", "the end", "a piece", "all but its head"])
async def test_a_file_that_is_not_as_it_was_written_puts_nothing_back(
    box: Box, store: Store, tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_PIECE", 512)
    file, other = tmp_path / "backup", on(tmp_path / "new", box)
    await made(box, file)
    content = file.read_bytes()
    head, piece = len(sealed._MAGIC) + 23, 512 + 16
    file.write_bytes(
        {
            "a byte": content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
            "the end": content[: head + piece * 2],
            "a piece": content[:head] + content[head + piece :],
            "all but its head": content[:head],
        }[harm]
    )
    with pytest.raises(WrongBackup):
        await put_back(file, other)
    assert not other.settings.exists()
    assert list(other.data_dir.iterdir()) == []


async def test_a_damaged_database_is_not_taken_for_a_backup(
    box: Box, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    await made(box, file)
    before = file.read_bytes()
    with closing(sqlite3.connect(box.data_dir / "spoiled.sqlite3")) as spoiled:
        spoiled.execute("CREATE TABLE some (value)")
        spoiled.executemany("INSERT INTO some VALUES (?)", [("x" * 3000,)] * 40)
        spoiled.commit()
    with (box.data_dir / "spoiled.sqlite3").open("r+b") as raw:
        raw.seek(8192)
        raw.write(b"\xff" * 30000)
    with pytest.raises((WrongBackup, BackupFailed)):
        await made(box, file)
    assert file.read_bytes() == before
    assert not (box.data_dir / "backup.tmp").exists()


async def test_older_ones_are_kept_as_many_as_told(box: Box, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    sealed_as = []
    for _ in range(4):
        await made(box, file, keep=3)
        sealed_as.append(file.read_bytes())
    kept = [file, tmp_path / "backup.1", tmp_path / "backup.2"]
    assert [path.read_bytes() for path in kept] == sealed_as[:0:-1]
    assert not (tmp_path / "backup.3").exists()


async def test_a_box_at_work_is_not_restored(box: Box, store: Store, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    await made(box, file)
    async with app.open_store(loaded_for(box)):
        with pytest.raises(InUse, match="systemctl stop"):
            await put_back(file, box)


async def test_a_backup_of_a_newer_version_is_refused(
    box: Box, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    await made(box, file, version="99.1")
    with pytest.raises(WrongBackup, match=r"version 99\.1"):
        await put_back(file, on(tmp_path / "new", box))
    await store.insert("migrations", {"_id": "99-of-tomorrow", "appliedAt": NOW})
    await made(box, file)
    with pytest.raises(WrongBackup, match="install that first"):
        await put_back(file, on(tmp_path / "new", box))


async def test_what_a_restore_replaces_stays_beside_it(box: Box, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    async with opened(uri=None, database="", data_dir=box.data_dir) as first:
        await first.insert("payments", {"_id": "one", "createdAt": NOW})
    await made(box, file)
    async with opened(uri=None, database="", data_dir=box.data_dir) as later:
        await later.insert("payments", {"_id": "two", "createdAt": NOW})
    box.settings.write_text(SETTINGS + "\n")

    await put_back(file, box)
    await put_back(file, box)

    assert await payments(box) == ["one"]
    aside = box.data_dir / "appliance.sqlite3.before-restore"
    assert await asyncio.to_thread(_ids, aside) == ["one", "two"]
    assert not aside.with_name(f"{aside.name}-2").exists(), "the second time nothing differed"
    assert box.settings.with_name("appliance.toml.before-restore").read_text() == SETTINGS + "\n"


def _mortal(countdown: Countdown, function: Callable[..., None]) -> Callable[..., None]:
    def crossing(*args: object, **kwargs: object) -> None:
        function(*args, **kwargs)
        countdown.cross()

    return crossing


def restore_until(box: Box, file: Path, boundary: int) -> None:
    """Restore, and die after so many changes on the disk."""
    countdown = Countdown(boundary)
    for owner, name in ((backup, "settle"), (backup, "written"), (hold, "written")):
        setattr(owner, name, _mortal(countdown, getattr(owner, name)))
    for place, name in ((os, "link"), (Path, "unlink")):
        setattr(place, name, _mortal(countdown, getattr(place, name)))
    restore(file, KEY, box, version=VERSION)


async def sells(box: Box) -> list[str] | None:
    """Return the payments of a box that starts; None where it does not."""
    try:
        return await payments(box)
    except OnHold:
        return None


async def test_a_restore_that_was_cut_off_anywhere_is_run_again_before_the_box_sells(
    box: Box, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    async with opened(uri=None, database="", data_dir=box.data_dir) as first:
        await first.insert("payments", {"_id": "one", "createdAt": NOW})
    await made(box, file)
    held = 0
    for boundary in range(1, 40):
        lost = f"lost-{boundary}"
        async with opened(uri=None, database="", data_dir=box.data_dir) as later:
            await later.insert("payments", {"_id": lost, "createdAt": NOW})
        box.settings.write_text(f"{SETTINGS}# {boundary}\n")
        if not await asyncio.to_thread(dies, partial(restore_until, box, file, boundary)):
            break
        found = await sells(box)
        held += found is None
        if found is not None:
            assert (box.settings.read_text() == SETTINGS) == (found == ["one"])
            assert found == ["one"] or lost in found
        await put_back(file, box)
        assert await payments(box) == ["one"]
        asides = box.data_dir.glob("appliance.sqlite3.before-restore*")
        whole = [path for path in asides if not path.name.endswith(("-wal", "-shm"))]
        kept = [await asyncio.to_thread(_ids, path) for path in whole]
        assert any(lost in ids for ids in kept)
    else:
        pytest.fail("it never came to its end")
    assert held >= 5
    assert await payments(box) == ["one"]


def _ids(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        return [row[0] for row in connection.execute("SELECT _id FROM payments ORDER BY _id")]


def loaded_for(box: Box, **more: dict[str, object]) -> Settings:
    return Settings.model_validate(
        {
            "appliance": {"data_dir": box.data_dir},
            "webhooks": {"public_url": "https://box.example", "path_secret": "0" * 32},
            "router": {"host": "10.0.0.1", "password": "secret"},
            **more,
        }
    )


async def test_the_box_makes_one_a_day_and_again_after_the_clock_went_back(
    box: Box, store: Store, tmp_path: Path
) -> None:
    told = {"directory": tmp_path, "keep": 2, "key": KEY}
    clock = HandClock(datetime.now(UTC))
    daily = DailyBackup(loaded_for(box, backup=told), box.settings, clock)
    newest, older = tmp_path / FILE_NAME, tmp_path / f"{FILE_NAME}.1"

    await daily.look()
    first = newest.read_bytes()
    clock.pass_by(timedelta(hours=20))
    await daily.look()
    assert newest.read_bytes() == first
    clock.pass_by(timedelta(hours=4))
    await daily.look()
    assert older.read_bytes() == first
    second = newest.read_bytes()
    ahead = (clock.now() + timedelta(days=400)).timestamp()
    os.utime(newest, (ahead, ahead))
    await daily.look()
    assert older.read_bytes() == second


async def test_a_daily_backup_that_cannot_be_made_is_said_and_tried_again(
    box: Box, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stick = tmp_path / "stick"
    loaded = loaded_for(box, backup={"directory": stick, "key": KEY})
    daily = DailyBackup(loaded, box.settings, HandClock(datetime.now(UTC)))
    with pytest.raises(BackupFailed):  # the scheduler counts it
        await daily.look()
    assert "no backup made" in caplog.text
    stick.mkdir()
    await daily.look()
    assert (stick / FILE_NAME).exists()


async def test_a_disk_that_hangs_keeps_one_thread_and_no_more(
    box: Box, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, goes_on = threading.Event(), threading.Event()

    def hangs(*_: object) -> None:
        waits.set()
        assert goes_on.wait(30)

    told = {"directory": tmp_path, "key": KEY}
    daily = DailyBackup(loaded_for(box, backup=told), box.settings, HandClock(datetime.now(UTC)))
    monkeypatch.setattr(DailyBackup, "_make_if_due", hangs)
    first = asyncio.create_task(daily.look())
    try:
        assert await asyncio.to_thread(waits.wait, 30)
        first.cancel()  # given up; its thread knows nothing of it
        with pytest.raises(BackupFailed, match="the attempt before"):
            await daily.look()
    finally:
        goes_on.set()


async def test_the_tunnels_folder_is_in_it_and_what_has_no_place_is_named(
    box: Box, store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (box.tunnel / "old").mkdir(parents=True)
    for name in ("key", "key.pub", "known_hosts", ".swp"):
        (box.tunnel / name).write_text(name)
    (box.data_dir / "appliance.old.sqlite3").write_text("not even a database")
    assert box.credentials is not None
    (box.credentials / "router.password~").write_text("of an editor")
    (box.credentials / "router.password.before-restore").write_text("put aside")
    file, fresh = tmp_path / "backup", on(tmp_path / "new", box)

    await made(box, file)

    await put_back(file, fresh)
    kept = {path.name: path.read_text() for path in fresh.tunnel.iterdir()}
    assert kept == {"key": "key", "key.pub": "key.pub", "known_hosts": "known_hosts"}
    for left in ("tunnel/old", "tunnel/.swp", "appliance.old.sqlite3", "router.password~"):
        assert f"{left}\n" in caplog.text
    assert "before-restore" not in caplog.text


@pytest.mark.parametrize("name", ["tunnel/..", "tunnel/.", "tunnel/a/b", "tunnel/", "tunnel/a b"])
def test_a_name_that_leads_elsewhere_is_in_no_backup(name: str) -> None:
    assert not holds(name)


async def test_a_tunnels_folder_that_may_not_be_read_is_said(
    box: Box,
    store: Store,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    box.tunnel.mkdir()
    (box.tunnel / "key").write_text("secret")
    monkeypatch.setattr(os, "access", lambda path, _: path != box.tunnel)
    found = await made(box, tmp_path / "backup")
    assert "tunnel/key" not in found.files
    assert f"not in this backup: {box.tunnel}, which only root may read" in caplog.text


async def test_a_disk_without_room_for_the_copies_is_said_before_any_is_made(
    box: Box, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = sum(path.stat().st_size for path in box.data_dir.glob("*.sqlite3*"))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=size))
    with pytest.raises(BackupFailed, match="make room on that disk"):
        await made(box, tmp_path / "backup")
    assert not (tmp_path / "backup").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2 * size))
    await made(box, tmp_path / "backup")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
async def test_what_root_leaves_behind_is_the_folders_owners(
    box: Box, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(box.data_dir, 65534, 65534)
    owners: list[int] = []

    def looked(*given: object, **named: object) -> None:
        staging = box.data_dir / "backup.tmp"
        owners.extend(path.stat().st_uid for path in (staging, staging / "data"))
        seal(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(backup, "seal", looked)
    await made(box, tmp_path / "backup")
    assert owners == [65534, 65534]


@pytest.mark.parametrize("since", ["waits", "parked", "none"])
async def test_a_restore_keeps_the_calls_that_wait_in_the_spool(
    box: Box, tmp_path: Path, since: str, caplog: pytest.LogCaptureFixture
) -> None:
    file, place, box = tmp_path / "backup", box.data_dir / SPOOL_FILE, replace(box, shared=True)
    old = WebhookLog(id="old", source="c2b", type="confirmation", timestamp=NOW, raw_body="{}")
    spool = FileSpool(place)
    await spool.keep(old, None)
    await made(box, file)
    await spool.remove([1])
    if since != "none":
        await spool.keep(replace(old, id="new"), None)
    if since == "parked":
        await spool.park(2, "refused")
    await spool.close()

    await put_back(file, box)

    after = FileSpool(place)
    await after.unpark()
    kept = [call.webhook.id for call in await after.oldest(9)]
    await after.close()
    assert kept == (["old"] if since == "none" else ["new"])
    assert ("stays as it is" in caplog.text) == (since != "none")


def test_a_directory_without_a_key_is_refused(box: Box) -> None:
    with pytest.raises(ValueError, match="key must be set where directory is"):
        loaded_for(box, backup={"directory": "/var/backups"})


def test_credentials_are_read_as_systemd_names_those_of_a_folder(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert box.credentials is not None
    folder = box.credentials
    (folder / "router.password").rename(folder / "settings_router.password")
    environ = {"CREDENTIALS_DIRECTORY": str(folder)}
    loaded = settings.load(box.settings, environ)
    assert loaded.router.password.get_secret_value() == "the router's"
    assert box_of(loaded, box.settings, environ).credentials == folder


async def test_a_box_on_a_shared_database_backs_up_what_is_its_own(
    box: Box, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    with closing(sqlite3.connect(box.data_dir / "spool.sqlite3")) as spool:
        spool.execute("CREATE TABLE calls (body)")
        spool.commit()
    found = await made(replace(box, shared=True), file)
    assert found.shared
    assert set(found.files) == {
        "data/spool.sqlite3",
        "settings.toml",
        "credentials/router.password",
    }
