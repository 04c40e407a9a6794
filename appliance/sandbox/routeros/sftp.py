"""The device's files over SFTP, for whoever holds the policy `ftp`."""

import stat
from collections.abc import Callable
from typing import Any, TypeVar

import paramiko
from paramiko import sftp

from appliance.sandbox.routeros.files import File, Files

T = TypeVar("T")
Ask = Callable[[Callable[[], Any]], Any]
"""Puts a question to the device from the only thread that may, and returns the answer."""


class Uploads(paramiko.SFTPServerInterface):
    """What one client does with the files; called from Paramiko's thread."""

    def __init__(self, server: Any, files: Files, ask: Ask) -> None:
        super().__init__(server)
        self._files = files
        self._ask = ask

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> "Open | int":
        """Open a file, to read it as it is now or to write it anew."""
        name = _name(path)
        writes = flags & (_WRITE | _READ_WRITE)
        text = "" if writes else self._ask(lambda: self._files.text(name))
        if text is None:
            return sftp.SFTP_NO_SUCH_FILE
        raw = text.encode("utf-8", "surrogateescape")
        return Open(flags, raw, self._keeper(name) if writes else None)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        """Return what is in a folder."""
        start = f"{_name(path)}/".lstrip("/")

        def look() -> list[paramiko.SFTPAttributes]:
            found = [file for file in self._files.kept.values() if file.name.startswith(start)]
            within = [file for file in found if "/" not in file.name.removeprefix(start)]
            return [_attributes(file, file.name.removeprefix(start)) for file in within]

        return list(self._ask(look))

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Return what a file is."""
        name = _name(path)
        if not name:
            return _folder_attributes()
        file = self._ask(lambda: self._files.kept.get(name))
        return sftp.SFTP_NO_SUCH_FILE if file is None else _attributes(file, name)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        """Return what a file is; there are no links."""
        return self.stat(path)

    def remove(self, path: str) -> int:
        """Take a file away."""
        gone = self._ask(lambda: self._files.kept.pop(_name(path), None))
        return sftp.SFTP_NO_SUCH_FILE if gone is None else sftp.SFTP_OK

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Make a folder."""
        self._ask(lambda: self._files.make_folder(_name(path)))
        return sftp.SFTP_OK

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        """Take no notice: files have no owners and no modes here."""
        return sftp.SFTP_OK

    def _keeper(self, name: str) -> Callable[[bytes], None]:
        def keep(raw: bytes) -> None:
            text = raw.decode("utf-8", "surrogateescape")
            self._ask(lambda: self._files.put(name, text))

        return keep


class Open(paramiko.SFTPHandle):
    """An open file; what was written is kept when it is closed."""

    def __init__(self, flags: int, raw: bytes, keep: Callable[[bytes], None] | None) -> None:
        super().__init__(flags)
        self._raw = bytearray(raw)
        self._keep = keep

    def read(self, offset: int, length: int) -> bytes:
        """Return a piece."""
        return bytes(self._raw[offset : offset + length])

    def write(self, offset: int, data: Any) -> int:
        """Put a piece, which is bytes, where it belongs."""
        if self._keep is None:
            return sftp.SFTP_PERMISSION_DENIED
        if len(self._raw) < offset:
            self._raw.extend(bytes(offset - len(self._raw)))
        self._raw[offset : offset + len(data)] = data
        return sftp.SFTP_OK

    def stat(self) -> paramiko.SFTPAttributes:
        """Return how large it is."""
        attributes = paramiko.SFTPAttributes()
        attributes.st_size, attributes.st_mode = len(self._raw), stat.S_IFREG | _MODE
        return attributes

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        """Take no notice."""
        return sftp.SFTP_OK

    def close(self) -> None:
        """Keep what was written."""
        if self._keep is not None:
            self._keep(bytes(self._raw))


_MODE = 0o644
_WRITE, _READ_WRITE = 1, 2  # as Paramiko passes them on: those of os.open on Linux


def _name(path: str) -> str:
    return path.strip("/")


def _attributes(file: File, name: str) -> paramiko.SFTPAttributes:
    attributes = _folder_attributes()
    attributes.filename = name
    attributes.st_mtime = attributes.st_atime = int(file.changed.timestamp())
    if not file.folder:
        attributes.st_size, attributes.st_mode = file.size, stat.S_IFREG | _MODE
    return attributes


def _folder_attributes() -> paramiko.SFTPAttributes:
    attributes = paramiko.SFTPAttributes()
    attributes.st_mode = stat.S_IFDIR | 0o755
    return attributes
