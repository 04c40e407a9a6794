"""The box's backups: by hand, and one a day where the settings say where to."""

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from threading import Lock

from pydantic import SecretStr

from appliance import settings
from appliance.domain.errors import ApplianceError
from appliance.ports import Clock
from appliance.settings import Settings
from appliance.store.archive import Manifest
from appliance.store.backup import BackupFailed, Box, make

log = logging.getLogger(__name__)

VERSION = version("hotspot-appliance")
FILE_NAME = "hotspot-appliance.backup"
_EVERY_SECONDS = 23 * 3600


def box_of(loaded: Settings, config: Path | None, environ: Mapping[str, str] = os.environ) -> Box:
    """Return where the box of these settings keeps what it cannot do without."""
    file = settings.file_of(config, environ)
    credentials = settings.credentials_of(file, environ)
    return Box(
        name=loaded.appliance.name,
        data_dir=loaded.appliance.data_dir,
        settings=file,
        credentials=credentials if os.access(credentials, os.R_OK | os.X_OK) else None,
        shared=loaded.mongodb.uri is not None,
    )


def back_up(
    loaded: Settings, config: Path | None, key: str, target: Path, clock: Clock, keep: int = 1
) -> Manifest:
    """Write a backup of this box; in a folder under the usual name."""
    file = target / FILE_NAME if target.is_dir() else target
    box = box_of(loaded, config)
    return make(box, key, file, now=clock.now(), version=VERSION, keep=keep)


@dataclass(frozen=True, slots=True)
class DailyBackup:
    """Makes a backup when the newest is a day old."""

    loaded: Settings
    config: Path | None
    clock: Clock
    _hand: Lock = field(default_factory=Lock, init=False)
    """One at a time: a disk that hangs keeps its thread, and must not get them all."""

    async def look(self) -> None:
        """Make one where it is time; raise where none can be made. It is tried again next time."""
        told = self.loaded.backup
        if told.directory is None or told.key is None:
            return
        try:
            made = await asyncio.to_thread(self._alone, told.directory, told.key)
        except (ApplianceError, OSError) as error:
            log.error("no backup made directory=%s why=%s", told.directory, error)
            raise
        if made is not None:
            log.info("backup made directory=%s files=%d", told.directory, len(made.files))

    def _alone(self, directory: Path, key: SecretStr) -> Manifest | None:
        if not self._hand.acquire(blocking=False):
            raise BackupFailed("the disk has not answered the attempt before")
        try:
            return self._make_if_due(directory, key)
        finally:
            self._hand.release()

    def _make_if_due(self, directory: Path, key: SecretStr) -> Manifest | None:
        file = directory / FILE_NAME
        # Of a date that is still to come nothing can be said: the clock was ahead.
        now = self.clock.now().timestamp()
        if file.exists() and 0 <= now - file.stat().st_mtime < _EVERY_SECONDS:
            return None
        secret, keep = key.get_secret_value(), self.loaded.backup.keep
        return back_up(self.loaded, self.config, secret, file, self.clock, keep)
