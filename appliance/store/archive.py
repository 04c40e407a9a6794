"""What a backup holds: a manifest, and what it names, as a compressed tar that is sealed."""

import hashlib
import io
import json
import re
import sqlite3
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from appliance.store.hold import make_folder
from appliance.store.migrations import ALL
from appliance.store.sealed import Opening, Sealing, WrongBackup

DATABASES, SETTINGS, CREDENTIALS, TUNNEL = "data", "settings.toml", "credentials", "tunnel"
_MANIFEST = "manifest.json"
_NAME = re.compile(
    rf"{_MANIFEST}|{SETTINGS}|{DATABASES}/[\w-]+\.sqlite3|{CREDENTIALS}/\w+\.\w+|{TUNNEL}/\w[\w.-]*",
    re.ASCII,
)
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says of itself."""

    name: str
    """The box's."""
    made: datetime
    version: str
    """The appliance's that made it."""
    shared: bool
    """Whether the records are in a shared MongoDB, and so not here."""
    files: Mapping[str, str]
    """Each file's SHA-256."""
    counts: Mapping[str, Mapping[str, int]]
    """Of each database, the rows of each table."""
    migrations: tuple[str, ...] = ()
    format: int = _FORMAT

    def refuse_newer(self, version: str) -> None:
        """Raise `WrongBackup` where this version would not know what it reads."""
        unknown = set(self.migrations) - {migration.name for migration in ALL}
        if self.format != _FORMAT or unknown or _parts(self.version) > _parts(version):
            raise WrongBackup(
                f"it was made by version {self.version}, this is {version}: install that first"
            )


def holds(name: str) -> bool:
    """Say whether a backup may hold a file of this name."""
    return _NAME.fullmatch(name) is not None


def seal(part: Path, key: str, manifest: Manifest, files: Mapping[str, Path | bytes]) -> None:
    """Write the files behind their manifest."""
    with part.open("xb") as raw:
        part.chmod(0o600)
        sealing = Sealing(raw, key)
        with tarfile.open(fileobj=cast("Any", sealing), mode="w|gz") as archive:
            _add(archive, _MANIFEST, json.dumps(asdict(manifest), default=str).encode())
            for name, content in files.items():
                _add(archive, name, content)
        sealing.finish()


def unseal(file: Path, key: str, folder: Path) -> Manifest:
    """Put what is in the file into an empty folder; every byte is as the manifest says."""
    with _opened(file, key) as (opening, archive):
        for member in archive:
            _extract(archive, member, folder)
        archive.close()
        opening.read()
    manifest = _manifest((folder / _MANIFEST).read_bytes())
    for name, digest in manifest.files.items():
        if not (folder / name).is_file() or digest_of(folder / name) != digest:
            raise WrongBackup(f"{name} in it is not what was put in")
    for name, counts in manifest.counts.items():
        if tables(folder / name) != counts:
            raise WrongBackup(f"{name} in it does not hold what was put in")
    return manifest


def settings_in(file: Path, key: str) -> str | None:
    """Return the settings that are in the file, without reading on."""
    with _opened(file, key) as (_, archive):
        for member in archive:
            source = archive.extractfile(member)
            if member.name == SETTINGS and source is not None:
                return source.read().decode()
    return None


@contextmanager
def _opened(file: Path, key: str) -> Iterator[tuple[Opening, tarfile.TarFile]]:
    """Yield what is in the file, to be read from its beginning to its end."""
    try:
        with file.open("rb") as raw:
            opening = Opening(raw, key)
            with tarfile.open(fileobj=cast("Any", opening), mode="r|gz") as archive:
                yield opening, archive
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise WrongBackup(f"it is damaged: {error}") from None


def tables(database: Path) -> dict[str, int]:
    """Return the rows of each table; raise `WrongBackup` where the file is not sound."""
    with closing(_looked_at(database)) as connection:
        try:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                raise WrongBackup(f"{database.name} is damaged: {verdict}")
            listed = (
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            )
            names = [row[0] for row in connection.execute(listed)]
            return {name: _count(connection, name) for name in names}
        except sqlite3.DatabaseError as error:
            raise WrongBackup(f"{database.name} is damaged: {error}") from None


def migrations_in(database: Path) -> tuple[str, ...]:
    """Return the names of the migrations that were ever run on it."""
    with closing(_looked_at(database)) as connection:
        return tuple(row[0] for row in connection.execute("SELECT _id FROM migrations"))


def digest_of(content: Path | bytes) -> str:
    """Return the SHA-256."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _looked_at(database: Path) -> sqlite3.Connection:
    """Return a connection that leaves a file that nobody writes exactly as it is."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _count(connection: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    count: int = connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0]  # noqa: S608
    return count


def _add(archive: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o600
    if isinstance(content, bytes):
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
        return
    entry.size = content.stat().st_size
    with content.open("rb") as file:
        archive.addfile(entry, file)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    source = archive.extractfile(member) if member.isfile() else None
    if source is None or not holds(member.name):
        raise WrongBackup("it holds what no backup holds")
    target = folder / member.name
    make_folder(target.parent)
    with target.open("xb") as file:
        while piece := source.read(1 << 16):
            file.write(piece)


def _manifest(text: bytes) -> Manifest:
    try:
        found: dict[str, Any] = json.loads(text)
        made = datetime.fromisoformat(found["made"])
        given = {**found, "made": made, "migrations": tuple(found["migrations"])}
        return Manifest(**given)
    except (ValueError, TypeError, KeyError):
        raise WrongBackup("its manifest is of another version") from None


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version.partition("+")[0]))
