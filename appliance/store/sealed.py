"""A file that only whoever has the key can read, and nobody can change or shorten unseen.

AES-GCM in pieces, each bound to its place and the last one marked (the STREAM construction), so
that a small box need not hold the whole in memory.
"""

import os
import struct
from typing import BinaryIO, ClassVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from appliance.domain.errors import ApplianceError

_MAGIC = b"hotspot-appliance backup 1\n"
_SALT, _PREFIX, _TAG = 16, 7, 16
_PIECE = 64 * 1024
_COST = 2**15
"""scrypt's n: 32 MiB and a fraction of a second on a small box, for every guess too."""


class WrongBackup(ApplianceError):
    """The file cannot be used; the text says why."""

    code: ClassVar[str] = "wrong_backup"


class Sealing:
    """Writes what only the key opens; it counts once `finish` has returned."""

    def __init__(self, file: BinaryIO, key: str) -> None:
        salt, prefix = os.urandom(_SALT), os.urandom(_PREFIX)
        self._file, self._kept = file, bytearray()
        self._pieces = _Pieces(key, salt, prefix)
        file.write(_MAGIC + salt + prefix)

    def write(self, content: bytes) -> int:
        """Take more content."""
        self._kept += content
        while len(self._kept) > _PIECE:
            self._file.write(self._pieces.sealed(bytes(self._kept[:_PIECE]), last=False))
            del self._kept[:_PIECE]
        return len(content)

    def finish(self) -> None:
        """Write the last piece, which says that it is the last."""
        self._file.write(self._pieces.sealed(bytes(self._kept), last=True))


class Opening:
    """Reads what was sealed; raises `WrongBackup` at the first piece that is not as written."""

    def __init__(self, file: BinaryIO, key: str) -> None:
        head = file.read(len(_MAGIC) + _SALT + _PREFIX)
        if not head.startswith(_MAGIC) or len(head) != len(_MAGIC) + _SALT + _PREFIX:
            raise WrongBackup("this is no backup, or one of another version")
        salt, prefix = head[len(_MAGIC) : -_PREFIX], head[-_PREFIX:]
        self._file, self._kept = file, bytearray()
        self._pieces = _Pieces(key, salt, prefix)
        self._next = file.read(_PIECE + _TAG)
        if not self._next:
            raise WrongBackup("it is cut short")

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer only at the end."""
        while self._next and (size < 0 or len(self._kept) < size):
            piece, self._next = self._next, self._file.read(_PIECE + _TAG)
            self._kept += self._pieces.opened(piece, last=not self._next)
        taken = bytes(self._kept if size < 0 else self._kept[:size])
        del self._kept[: len(taken)]
        return taken


class _Pieces:
    def __init__(self, key: str, salt: bytes, prefix: bytes) -> None:
        derived = Scrypt(salt=salt, length=32, n=_COST, r=8, p=1).derive(key.encode())
        self._cipher, self._prefix, self._count = AESGCM(derived), prefix, 0

    def sealed(self, piece: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._place(last=last), piece, None)

    def opened(self, piece: bytes, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(self._place(last=last), piece, None)
        except InvalidTag:
            raise WrongBackup("the key does not open it, or it is damaged or cut short") from None

    def _place(self, *, last: bool) -> bytes:
        place = self._prefix + struct.pack(">IB", self._count, last)
        self._count += 1
        return place
