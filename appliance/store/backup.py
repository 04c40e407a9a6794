"""A box's own state in one sealed file, and back from it.

In it: every database of the data folder as it is at one moment, the settings, the credentials, and
the tunnel's key where whoever makes it may read that (root may, the daemon may not), so that a new
SD card, this file and its key are a box again. Not in it: a shared MongoDB, and an operator's own
page templates. A file that it has no place for is left out, and the log says so.
"""

import logging
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance.domain.errors import ApplianceError
from appliance.store.archive import (
    CREDENTIALS,
    DATABASES,
    SETTINGS,
    TUNNEL,
    Manifest,
    digest_of,
    holds,
    migrations_in,
    seal,
    tables,
    unseal,
)
from appliance.store.hold import (
    OnHold,
    alone,
    let_go,
    make_folder,
    put_on_hold,
    settle,
    why_held,
    written,
)
from appliance.store.open import EMBEDDED, SPOOL_FILE
from appliance.store.sealed import WrongBackup

log = logging.getLogger(__name__)

_RESTORING = "a restore was cut off: run `appliance restore` again before anything else"
_STAGING = "backup.tmp"
_OTHER_NAME = "settings_"
_ASIDE = ".before-restore"


class BackupFailed(ApplianceError):
    """No backup was written; what was there is still there."""

    code = "backup_failed"


class RestoreFailed(ApplianceError):
    """The disk did not take it; where the database is on hold, it must be run again."""

    code = "restore_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Where a box keeps what it cannot do without."""

    name: str
    data_dir: Path
    settings: Path
    credentials: Path | None
    shared: bool = False
    """Whether its records are in a shared MongoDB."""

    @property
    def tunnel(self) -> Path:
        """Return the folder of the tunnel's key."""
        return self.settings.parent / TUNNEL


def make(
    box: Box, key: str, target: Path, *, now: datetime, version: str, keep: int = 1
) -> Manifest:
    """Write a backup and read all of it back before it takes the place of an older one.

    Of the older ones the newest `keep - 1` stay, as FILE.1, FILE.2 and so on. The daemon may run.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        with _staging(box.data_dir) as folder:
            there = _found(box.data_dir, DATABASES, "*.sqlite3")
            _refuse_full(box.data_dir, there.values())
            databases = _snapshots(there, folder)
            files: dict[str, Path | bytes] = {**_papers(box), **databases}
            made = Manifest(
                name=box.name,
                made=now,
                version=version,
                shared=box.shared,
                files={name: digest_of(content) for name, content in files.items()},
                counts={name: tables(path) for name, path in databases.items()},
                migrations=_migrations(databases),
            )
            part.unlink(missing_ok=True)
            seal(part, key, made, files)
            _emptied(folder)
            if unseal(part, key, folder) != made:
                raise BackupFailed("what was written does not read back")
        _rotate(target, keep)
        settle(part, target, 0o600)
    except (OSError, sqlite3.Error) as error:
        raise BackupFailed(str(error)) from error
    return made


def restore(file: Path, key: str, box: Box, *, version: str) -> Manifest:
    """Put back what is in the file; raise before anything is touched where it cannot be.

    What is replaced stays beside it as `….before-restore`; a spool in which calls wait is not
    replaced. Cut off anywhere, nothing opens the database until it was run again.
    """
    try:
        box.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with alone(box.data_dir):
            return _restored(file, key, box, version)
    except OSError as error:
        raise RestoreFailed(str(error)) from error


def _restored(file: Path, key: str, box: Box, version: str) -> Manifest:
    held = why_held(box.data_dir)
    with _staging(box.data_dir) as folder:
        manifest = unseal(file, key, folder)
        manifest.refuse_newer(version)
        if held not in {None, _RESTORING} and f"{DATABASES}/{EMBEDDED}" in manifest.files:
            raise OnHold(str(held))
        if held is None:
            put_on_hold(box.data_dir, _RESTORING)
        for name in manifest.files:
            _put_back(folder / name, name, box)
    if held in {None, _RESTORING}:
        let_go(box.data_dir)
    return manifest


@contextmanager
def _staging(beside: Path) -> Iterator[Path]:
    """Yield an empty folder on the same disk; what a cut left in it goes."""
    folder = beside / _STAGING
    make_folder(folder)
    with alone(folder, "another backup is under way"):
        _emptied(folder)
        try:
            yield folder
        finally:
            _emptied(folder)
            folder.rmdir()


def _emptied(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _refuse_full(data_dir: Path, databases: Collection[Path]) -> None:
    """Raise `BackupFailed` where the copies, and the backup made of them, may not find room."""
    logs = (path.with_name(f"{path.name}-wal") for path in databases)
    size = sum(path.stat().st_size for path in (*databases, *logs) if path.exists())
    free = shutil.disk_usage(data_dir).free
    if free < 2 * size:
        raise BackupFailed(
            f"{data_dir} has {free >> 20} MB free, a backup needs {(2 * size >> 20) + 1} MB:"
            " make room on that disk"
        )


def _snapshots(databases: dict[str, Path], folder: Path) -> dict[str, Path]:
    """Copy every database as it is at one moment, while others may write."""
    make_folder(folder / DATABASES)
    copies = {}
    for name, path in databases.items():
        copy = copies[name] = folder / name
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    return copies


def _papers(box: Box) -> dict[str, bytes]:
    """Return the settings and what goes with them, as far as they are files."""
    found = {SETTINGS: box.settings} if box.settings.is_file() else {}
    if box.credentials is not None:
        found |= _found(box.credentials, CREDENTIALS)
    if os.access(box.tunnel, os.R_OK | os.X_OK):
        found |= _found(box.tunnel, TUNNEL)
    elif box.tunnel.exists():
        log.warning("not in this backup: %s, which only root may read", box.tunnel)
    return {name: path.read_bytes() for name, path in found.items()}


def _found(folder: Path, kind: str, pattern: str = "*") -> dict[str, Path]:
    """Return the files that have a place in a backup; say which have none."""
    found = {}
    for path in sorted(folder.glob(pattern)):
        prefix = _OTHER_NAME if kind == CREDENTIALS else ""
        name = f"{kind}/{path.name.removeprefix(prefix)}"
        unreadable = kind == TUNNEL and not os.access(path, os.R_OK)
        if path.is_file() and holds(name) and _ASIDE not in name and not unreadable:
            found[name] = path
        elif _ASIDE not in name:
            log.warning("not in this backup: %s", path)
    return found


def _migrations(databases: dict[str, Path]) -> tuple[str, ...]:
    names = [
        name
        for path in databases.values()
        if "migrations" in tables(path)
        for name in migrations_in(path)
    ]
    return tuple(sorted(names))


def _rotate(target: Path, keep: int) -> None:
    def aged(age: int) -> Path:
        return target.with_name(f"{target.name}.{age}") if age else target

    for age in range(keep - 1, 0, -1):
        if aged(age - 1).exists():
            aged(age - 1).replace(aged(age))
    if keep == 1:
        return
    for path in target.parent.glob(f"{target.name}.*"):
        ending = path.name.removeprefix(f"{target.name}.")
        if ending.isdecimal() and int(ending) >= keep:
            path.unlink()


def _put_back(new: Path, name: str, box: Box) -> None:
    kind, _, rest = name.partition("/")
    if name == f"{DATABASES}/{SPOOL_FILE}" and _calls_wait_in(box.data_dir / rest):
        log.warning("%s stays as it is: calls wait in it", box.data_dir / rest)
    elif kind == DATABASES:
        _put_database(new, box.data_dir / rest)
    elif kind == SETTINGS:
        _put_paper(new, box.settings, 0o640)
    elif kind == TUNNEL:
        _put_paper(new, box.tunnel / rest, 0o600)
    elif box.credentials is None:
        raise WrongBackup("it holds credentials: say where they go with $CREDENTIALS_DIRECTORY")
    else:
        _put_paper(new, box.credentials / rest, 0o600)


def _calls_wait_in(spool: Path) -> bool:
    """Say whether there is a call that the shared database does not have yet, parked or not."""
    if not spool.exists():
        return False
    with closing(sqlite3.connect(spool)) as connection:
        try:
            return connection.execute("SELECT 1 FROM spooled LIMIT 1").fetchone() is not None
        except sqlite3.DatabaseError:
            return False  # nothing that a daemon could read either; it is put aside


def _put_paper(new: Path, path: Path, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    content = new.read_bytes()
    if path.exists() and path.read_bytes() == content:
        return
    if path.exists():
        os.link(path, _aside(path))
    written(path, content, mode)


def _put_database(new: Path, path: Path) -> None:
    log = path.with_name(f"{path.name}-wal")
    if path.exists() and not log.exists() and digest_of(path) == digest_of(new):
        return
    if path.exists():
        aside = _aside(path)
        for ending in ("", "-wal", "-shm"):
            there = path.with_name(path.name + ending)
            if there.exists():
                os.link(there, aside.with_name(aside.name + ending))
    # The old file's log must never meet the new file.
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    settle(new, path, 0o600)


def _aside(path: Path) -> Path:
    """Return a name that is free beside the file."""
    first = path.with_name(f"{path.name}{_ASIDE}")
    aside, count = first, 1
    while aside.exists():
        count += 1
        aside = first.with_name(f"{first.name}-{count}")
    return aside
