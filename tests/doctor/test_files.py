"""What the box runs on, who may read its files, and where its backup is."""

import os
import platform
import time
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from appliance.app.backup import FILE_NAME
from appliance.cli.doctor import box
from appliance.cli.doctor.checks import Status
from appliance.settings.tunnel import Cloudflared
from appliance.store.open import SPOOL_FILE
from tests.doctor.conftest import Clinic


@pytest.mark.parametrize(
    ("name", "mode", "act"),
    [
        ("appliance.toml", 0o644, "read"),
        ("appliance.toml", 0o660, "change"),
        (SPOOL_FILE, 0o604, "read"),
        ("seed.toml", 0o644, "read"),
        ("tunnel.key", 0o604, "read"),
        ("backups", 0o777, "change"),
        ("credentials", 0o755, "read"),
        ("credentials/router.password", 0o644, "read"),
    ],
)
async def test_what_others_can_read_or_change_fails(
    clinic: Clinic, name: str, mode: int, act: str
) -> None:
    folder = clinic.world.folder / "credentials"
    folder.mkdir(mode=0o700)
    (folder / "router.password").touch(mode=0o600)
    (clinic.world.folder / "backups").mkdir(mode=0o755)
    for private in (SPOOL_FILE, "seed.toml", "tunnel.key"):
        (clinic.world.folder / private).touch(mode=0o600)
    clinic.set("backup", directory=clinic.world.folder / "backups")
    key = clinic.world.folder / "tunnel.key"
    tunnel = Cloudflared.model_construct(kind="cloudflared", key_file=key)
    clinic.loaded = clinic.loaded.model_copy(update={"tunnel": tunnel})
    assert (await clinic.one("permissions")).status is Status.PASS
    place = clinic.world.folder / name
    place.chmod(mode)
    found = await clinic.one("permissions")
    assert found.status is Status.FAIL
    assert f"can {act} {place}" in found.what
    assert found.fix.startswith("sudo chmod ")
    assert found.fix.endswith(str(place))


async def test_a_secret_that_belongs_to_somebody_else_fails(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = clinic.world.folder / "credentials"
    folder.mkdir(mode=0o700)
    secret = folder / "router.password"
    secret.touch(mode=0o600)
    if os.geteuid() == 0:
        os.chown(secret, 4242, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    told = {finding.fix: finding for finding in await clinic.says("permissions")}
    found = told[f"sudo chown root {secret}"]
    assert (found.status, f"{secret} belongs to" in found.what) == (Status.FAIL, True)


RELEASES = {"ID": "raspbian", "VERSION_ID": "12", "PRETTY_NAME": "Raspbian 12"}


@pytest.mark.parametrize(
    ("release", "machine", "status"),
    [
        ({}, "armv7l", Status.PASS),
        ({"ID": "debian", "VERSION_ID": "13"}, "aarch64", Status.PASS),
        ({"ID": "debian", "VERSION_ID": ""}, "x86_64", Status.PASS),
        ({"VERSION_ID": "11"}, "armv7l", Status.WARN),
        ({"ID": "ubuntu", "VERSION_ID": "24.04"}, "x86_64", Status.WARN),
        ({}, "armv6l", Status.WARN),
        ({}, "riscv64", Status.WARN),
    ],
)
async def test_a_system_that_this_was_not_made_for_is_told(
    clinic: Clinic,
    monkeypatch: pytest.MonkeyPatch,
    release: dict[str, str],
    machine: str,
    status: Status,
) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: RELEASES | release)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert (await clinic.one("system")).status is status


async def test_a_box_without_a_daily_backup_hears_of_it(clinic: Clinic, tmp_path: Path) -> None:
    assert (await clinic.one("backup")).status is Status.WARN
    clinic.set("backup", directory=tmp_path, key=SecretStr("k" * 16))
    assert (await clinic.one("backup")).status is Status.WARN
    file = tmp_path / FILE_NAME
    file.touch()
    found = await clinic.one("backup")
    assert (found.status, "same disk" in found.what) == (Status.WARN, True)
    old = time.time() - timedelta(days=3).total_seconds()
    os.utime(file, (old, old))
    found = await clinic.one("backup")
    assert found.status is Status.FAIL
    assert "72 hours old" in found.what


async def test_a_backup_on_a_disk_of_its_own_is_as_it_should_be(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / FILE_NAME).touch()
    clinic.set("backup", directory=stick, key=SecretStr("k" * 16))
    monkeypatch.setattr(box, "_device", lambda folder: os.makedev(8, int(folder == stick)))
    root = tmp_path / "root"
    _partition(root, "8:0", "mmcblk0/mmcblk0p2")
    _partition(root, "8:1", "sda/sda1")
    assert (await clinic.one("backup", root=root)).status is Status.PASS
    _partition(root, "8:1", "mmcblk0/mmcblk0p3")
    found = await clinic.one("backup", root=root)
    assert (found.status, "same disk" in found.what) == (Status.WARN, True)


def _partition(root: Path, device: str, name: str) -> None:
    """Have a partition of a disk under this device's number, as the kernel shows them."""
    place, numbered = root / "sys/devices" / name, root / "sys/dev/block" / device
    place.mkdir(parents=True)
    (place / "partition").touch()
    numbered.parent.mkdir(parents=True, exist_ok=True)
    numbered.unlink(missing_ok=True)
    numbered.symlink_to(place)
