"""A power cut: what SQLite had not forced to the disk is gone.

With `synchronous=FULL` a commit returns once its frames in the write-ahead log are on the disk.
The daemon's writer notes after each commit how far that is; a commit under anything less notes
nothing. At the cut the log loses what lies behind the note (or part of it, or gets rubbish there:
all of it may happen), and the log's index, which is only ever in memory, goes too.
"""

import os
import sqlite3
import struct
from pathlib import Path
from random import Random

from tests.chaos.shared import Shared

FULL = 2
_WAL_HEADER, _FRAME_HEADER = 32, 24
_INDEX = struct.Struct("=16xII8xII")  # frames, pages; then the salt
_SALT = struct.Struct("=II")
_SALT_AT, _PAGE_SIZE_AT = 16, 8
_held: dict[Path, int] = {}


def note(path: Path, connection: sqlite3.Connection, shared: Shared) -> None:
    """Note how much of the log is on the disk, after a commit."""
    if connection.execute("PRAGMA synchronous").fetchone()[0] < FULL:
        return
    frames, _, one, two = _INDEX.unpack(os.pread(_index_of(path), _INDEX.size, 0))
    shared.set_safe(frames, (one, two))


def _index_of(path: Path) -> int:
    """Return the log's index, opened once: closing it would give up SQLite's locks on it."""
    held = _held.get(path)
    if held is None or os.fstat(held).st_nlink == 0:
        held = _held[path] = os.open(f"{path}-shm", os.O_RDONLY)
    return held


def cut(path: Path, shared: Shared, chance: Random) -> int:
    """Lose what was not on the disk; return how many bytes of the log went."""
    log, index = Path(f"{path}-wal"), Path(f"{path}-shm")
    index.unlink(missing_ok=True)
    if not log.exists():
        return 0
    content = log.read_bytes()
    safe = _safe_bytes(content, shared)
    doubtful = content[safe:]
    match chance.randrange(3):
        case 0:
            kept = b""
        case 1:
            kept = doubtful[: chance.randrange(len(doubtful) + 1)]
        case _:
            kept = chance.randbytes(min(len(doubtful), 512))
    log.write_bytes(content[:safe] + kept)
    return len(doubtful)


def _safe_bytes(content: bytes, shared: Shared) -> int:
    if len(content) < _WAL_HEADER:
        return 0
    frames, salt = shared.safe
    if salt != _SALT.unpack_from(content, _SALT_AT):
        return 0  # the log began anew since: all that was noted has been moved into the file
    (page,) = struct.unpack_from(">I", content, _PAGE_SIZE_AT)
    return min(len(content), _WAL_HEADER + frames * (_FRAME_HEADER + int(page)))
