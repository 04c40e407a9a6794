"""A page of memory that the machine and one daemon look at: the time there, and what is safe."""

import mmap
import struct
from pathlib import Path

_TIME = struct.Struct("<ddd")
_SAFE = struct.Struct("<QII")
_SAFE_AT = 32
_SIZE = 64


class Shared:
    """Offsets of the daemon's clock, and how much of the write-ahead log is on the disk."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_SIZE))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SIZE)

    def set_time(self, *, passed: float, skew: float, heard: bool) -> None:
        """Set the seconds that passed in no time, the date's error, and whether NTP answers."""
        _TIME.pack_into(self._memory, 0, passed, skew, float(heard))

    @property
    def passed(self) -> float:
        return float(_TIME.unpack_from(self._memory)[0])

    @property
    def skew(self) -> float:
        return float(_TIME.unpack_from(self._memory)[1])

    @property
    def heard(self) -> bool:
        return bool(_TIME.unpack_from(self._memory)[2])

    def set_safe(self, frames: int, salt: tuple[int, int]) -> None:
        """Say that so many frames of the log with this salt were forced to the disk."""
        _SAFE.pack_into(self._memory, _SAFE_AT, frames, *salt)

    @property
    def safe(self) -> tuple[int, tuple[int, int]]:
        frames, one, two = _SAFE.unpack_from(self._memory, _SAFE_AT)
        return frames, (one, two)
