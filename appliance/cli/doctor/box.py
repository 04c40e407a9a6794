"""The box itself: its system, clock, disk, files and settings."""

import os
import platform
import pwd
import shutil
import stat
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from appliance import settings
from appliance.app.backup import FILE_NAME
from appliance.app.readiness import there
from appliance.cli.doctor.checks import Finding, Skipped, fail, warn, well
from appliance.cli.doctor.patient import Patient
from appliance.settings.tunnel import Cloudflared, Ssh

_FULL, _NEARLY_FULL = 0.05, 0.15
_TOO_LITTLE_BYTES = 100_000_000
_MADE_IN = 2025
"""No clock that is right says less."""
_BACKUP_AGE = timedelta(days=2)
_FEW_LETTERS = 6
_SYSTEMS, _OLDEST_DEBIAN = ("debian", "raspbian"), 12
_MACHINES = ("x86_64", "aarch64", "armv7l")
_OTHERS = stat.S_IRWXO
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH
_SERVICE = "hotspot-appliance"


def system(_: Patient) -> list[Finding]:
    """Say what this runs on, and whether it is what this was made for."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    name = release.get("PRETTY_NAME", platform.system())
    said = f"{name} on {platform.machine()}, Python {platform.python_version()}"
    version = release.get("VERSION_ID", "").partition(".")[0]
    # Debian testing has no version: it is the next one.
    old = version.isdecimal() and int(version) < _OLDEST_DEBIAN
    if old or release.get("ID") not in _SYSTEMS:
        return warn(
            f"{said}: this is made for Debian and Raspberry Pi OS, 12 or later",
            "move to a card with Raspberry Pi OS Lite: appliance backup FILE here, restore there",
        )
    if platform.machine() not in _MACHINES:
        return warn(
            f"{said}: this is made for amd64, arm64 and armhf",
            "move to such a box: appliance backup FILE here, appliance restore FILE there",
        )
    return well(said)


async def clock(about: Patient) -> list[Finding]:
    """See whether the time is right: tokens, timestamps and the end of vouchers depend on it."""
    await about.clock.look()
    now = about.clock.now()
    mend = "sudo timedatectl set-ntp true, then timedatectl timesync-status"
    if time.gmtime().tm_year < _MADE_IN:
        return fail(
            f"the clock says {now:%Y-%m-%d}: Safaricom's certificate will not be believed", mend
        )
    if about.loaded.appliance.clock == "trusted":
        return well(f"{now:%Y-%m-%d %H:%M} UTC, taken as right (appliance.clock = trusted)")
    if about.clock.certain() is None:
        return warn(f"no time server was heard; {now:%Y-%m-%d %H:%M} UTC may be wrong", mend)
    return well(f"{now:%Y-%m-%d %H:%M} UTC, set by a time server")


def disk(about: Patient) -> list[Finding]:
    """See how much room there is where the data is."""
    folder = there(about.data_dir)
    usage = shutil.disk_usage(folder)
    said = f"{usage.free // 1_000_000} MB of {usage.total // 1_000_000} MB free at {folder}"
    mend = "sudo journalctl --vacuum-size=64M; sudo apt-get clean; then du -xh / | sort -h | tail"
    if usage.free < _TOO_LITTLE_BYTES or usage.free < usage.total * _FULL:
        return fail(f"the disk is full: {said}", mend)
    if usage.free < usage.total * _NEARLY_FULL:
        return warn(f"the disk is nearly full: {said}", mend)
    return well(said)


def disk_health(about: Patient) -> list[Finding]:
    """See whether the disk still takes writes and what the file system has noticed."""
    folder = there(about.data_dir)
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return fail(
            f"{folder} is on a disk that is mounted read-only, as a worn SD card ends",
            "dmesg | grep -i -e ext4 -e mmc; put in a new card: appliance restore FILE",
        )
    counts = {
        file.parent.name: file.read_text(encoding="ascii").strip()
        for file in sorted((about.root / "sys/fs/ext4").glob("*/errors_count"))
        if os.access(file, os.R_OK)
    }
    if not counts:
        raise Skipped(f"{folder} can be written to; no file system here counts its errors")
    bad = {name: count for name, count in counts.items() if count != "0"}
    if bad:
        told = ", ".join(f"{count} on {name}" for name, count in bad.items())
        return warn(
            f"the file system has met errors: {told}",
            "appliance backup FILE now, to another disk; then sudo touch /forcefsck and reboot",
        )
    return well(f"{folder} can be written to; no errors on {', '.join(counts)}")


def permissions(about: Patient) -> list[Finding]:
    """See that nobody else on the box reads secrets and phone numbers, or changes them."""
    found: list[Finding] = []
    for path, what in _guarded(about):
        try:
            state = path.stat()
        except PermissionError:
            found += warn(f"{path} cannot be looked at", "run it as root: sudo appliance doctor")
            continue
        except FileNotFoundError:
            continue
        found += _owner(path, what, state.st_uid)
        found += _mode(path, what, state.st_mode)
    return found or well("settings, secrets, data and backups are for the daemon alone")


def _owner(path: Path, what: str, uid: int) -> list[Finding]:
    """See that it belongs to root, to the daemon, or to whoever looks, who runs it by hand."""
    name = _name_of(uid)
    if uid in {0, os.geteuid()} or name == _SERVICE:
        return []
    owner = _SERVICE if what in {"data", "backups"} else "root"
    return fail(f"{path} belongs to {name}, who can change it", f"sudo chown {owner} {path}")


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _mode(path: Path, what: str, mode: int) -> list[Finding]:
    wanted = "u=rwX,g=rX,o=" if what == "settings" else "u=rwX,go="
    # A folder of data hides no names, and a backup is sealed: they must only not be replaced.
    hides = what not in {"data", "backups"} or stat.S_ISREG(mode)
    readable = mode & (_OTHERS if hides else stat.S_IWOTH)
    if not readable and not mode & _WRITABLE:
        return []
    act = "change" if mode & _WRITABLE else "read"
    return fail(f"others on this box can {act} {path}", f"sudo chmod {wanted} {path}")


def _guarded(about: Patient) -> Iterator[tuple[Path, str]]:
    """Yield each file and folder that must be guarded, and what it is."""
    yield about.file, "settings"
    yield about.file.with_name("seed.toml"), "seed"
    if isinstance(about.loaded.tunnel, Ssh | Cloudflared):
        yield about.loaded.tunnel.key_file, "key"
    if about.loaded.backup.directory is not None:
        yield about.loaded.backup.directory, "backups"
    folders = ((settings.credentials_of(about.file), "credentials"), (about.data_dir, "data"))
    for folder, what in folders:
        if folder.is_dir():
            yield folder, what
            if os.access(folder, os.R_OK | os.X_OK):
                names = folder.iterdir() if what == "credentials" else folder.glob("*.sqlite3*")
                yield from ((path, what) for path in sorted(names))


def backup(about: Patient) -> list[Finding]:
    """See whether a new card could take over."""
    told = about.loaded.backup
    if told.directory is None:
        return warn(
            "there is no daily backup: with the SD card everything would be gone",
            "set backup.directory (a USB stick: /mnt/hotspot-backup) and backup.key",
        )
    file = told.directory / FILE_NAME
    if not file.exists():
        return warn(f"there is no backup yet in {told.directory}", f"appliance backup {file}")
    age = timedelta(seconds=max(0.0, time.time() - file.stat().st_mtime))
    hours = int(age.total_seconds() // 3600)
    if age > _BACKUP_AGE:
        return fail(
            f"the newest backup is {hours} hours old",
            f"appliance backup {file}, and journalctl -u {_SERVICE} | grep backup",
        )
    said = f"the newest backup is {hours} hours old"
    if _disk_of(about, told.directory) == _disk_of(about, there(about.data_dir)):
        return warn(
            f"{said}, on the same disk as the data: a card that dies takes both",
            "mount a USB stick at /mnt/hotspot-backup and set backup.directory to it; until then, "
            "copy the file to another machine now and then",
        )
    return well(said)


def _disk_of(about: Patient, folder: Path) -> Path:
    """Return the disk that a folder is on, whichever of its partitions that is."""
    device = _device(folder)
    place = about.root / f"sys/dev/block/{os.major(device)}:{os.minor(device)}"
    return place.resolve().parent if (place / "partition").exists() else place.resolve()


def _device(folder: Path) -> int:
    return folder.stat().st_dev


def audit(about: Patient) -> list[Finding]:
    """See which settings were left as no real box should have them."""
    loaded, found = about.loaded, list[Finding]()
    if _is_weak(loaded.webhooks.path_secret):
        found += fail(
            "webhooks.path_secret can be guessed: anybody could tell us that a payment came",
            "openssl rand -hex 16, put it there, restart, and appliance c2b register",
        )
    for name in ("cron_secret", "metrics_token"):
        secret = getattr(loaded.admin, name)
        if secret is not None and _is_weak(secret):
            found += warn(f"admin.{name} can be guessed", "openssl rand -hex 16, and put it there")
    if _is_weak(loaded.router.password):
        found += warn(
            "router.password is short or plain: a customer could try it on the router",
            "openssl rand -base64 18, put it there, and appliance provision apply --admin NAME",
        )
    if loaded.appliance.encryption_keys is None:
        found += warn(
            "the paybills' secrets are stored in clear (appliance.encryption_keys is not set)",
            "openssl rand -base64 32 | tr +/ -_, put it there, and appliance db migrate",
        )
    if loaded.daraja.environment == "sandbox":
        found += warn(
            "daraja.environment is sandbox: no real money comes in",
            f"on the day you go live: daraja.environment = production in {about.file}",
        )
    return found or well("nothing is left as it was for a first try")


def _is_weak(secret: SecretStr) -> bool:
    """Say whether somebody made it up: few different letters, or few at all."""
    text = secret.get_secret_value()
    return len(set(text)) < _FEW_LETTERS or len(text) < 2 * _FEW_LETTERS
