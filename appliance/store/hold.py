"""Who works on a box's own files: many at once or one alone; and what must be finished first."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from appliance.domain.errors import ApplianceError

_HOLD = "on-hold"
_STOP_FIRST = "the daemon or another command is at work: systemctl stop hotspot-appliance"


class InUse(ApplianceError):
    """Somebody else is at work on the files."""

    code: ClassVar[str] = "in_use"


class OnHold(ApplianceError):
    """Something that was begun must be finished before anybody works on the files."""

    code: ClassVar[str] = "on_hold"


@contextmanager
def shared(folder: Path) -> Iterator[None]:
    """Work on the folder's files beside others; raise `InUse` while one has them alone."""
    with _locked(folder, fcntl.LOCK_SH, "a restore or a move is under way"):
        yield


@contextmanager
def alone(folder: Path, why: str = _STOP_FIRST) -> Iterator[None]:
    """Have the folder's files alone; raise `InUse` while anybody works on them."""
    with _locked(folder, fcntl.LOCK_EX, why):
        yield


@contextmanager
def _locked(folder: Path, kind: int, why: str) -> Iterator[None]:
    # The folder itself: no file to leave behind, and whoever may enter may lock.
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(held, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(why) from None
        yield
    finally:
        os.close(held)


def put_on_hold(folder: Path, why: str) -> None:
    """Keep everybody from opening the database in this folder, over a power cut too."""
    written(folder / _HOLD, why.encode(), 0o644)


def let_go(folder: Path) -> None:
    """Take the hold away."""
    (folder / _HOLD).unlink(missing_ok=True)
    flush(folder)


def why_held(folder: Path) -> str | None:
    """Return what has to be finished first, if anything."""
    try:
        return (folder / _HOLD).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def refuse_on_hold(folder: Path) -> None:
    """Raise `OnHold` where something must be finished first."""
    why = why_held(folder)
    if why is not None:
        raise OnHold(why)


def written(path: Path, content: bytes, mode: int) -> None:
    """Put a file in its place at once, for its folder's owner, and on the disk."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_bytes(content)
    settle(part, path, mode)


def settle(part: Path, path: Path, mode: int) -> None:
    """Make a finished file take the place of what is there, on the disk when this returns."""
    part.chmod(mode)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(part, owner.st_uid, owner.st_gid)
    flush(part)
    part.replace(path)
    flush(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder that is its parent's owner's, who must be able to take it away again."""
    path.mkdir(exist_ok=True, mode=0o700)
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def flush(path: Path) -> None:
    """Return when a file, or what a folder lists, is on the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
