"""Where worlds are built: an address range of its own, the fork server, and the database."""

import asyncio
import shutil
import socket
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.sandbox.daraja.accounts import MERCHANTS
from appliance.store.open import opened
from appliance.store.seed import seed
from tests.chaos.documents import Document, empty, paybills
from tests.chaos.machine import Zygote
from tests.chaos.schedule import Schedule
from tests.servers import Secantus

PORTS = Ports.at(2000)
LINE, DATABASE = 10202, 10203
_LOCK_PORT = 10200
_USUAL_START, _SLOWEST = 2.5, 6.0
_FIRST_RANGE, _LAST_RANGE = 20, 250


def _own_range() -> tuple[int, socket.socket]:
    """Return a number no other process here has, with what holds it."""
    for number in range(_FIRST_RANGE, _LAST_RANGE):
        lock = socket.socket()
        try:
            lock.bind((f"127.{number}.0.1", _LOCK_PORT))
            lock.listen(1)
        except OSError:
            lock.close()
            continue
        return number, lock
    raise RuntimeError("every address range is taken")


@dataclass
class Ground:
    """What all worlds of one process share."""

    folder: Path
    zygote: Zygote
    secantus: Secantus
    _range: tuple[int, socket.socket] = field(default_factory=_own_range)
    _numbers: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]
    _seeding: asyncio.Lock = field(default_factory=asyncio.Lock)
    _mongodb: bool = False
    _filled: dict[str, list[Document]] = field(default_factory=dict)
    """By database: its paybills before anything was sold."""

    slow: float = 1.0
    """How many times slower this machine is just now than one with nothing else to do."""

    async def open(self) -> None:
        self.slow = min(_SLOWEST, max(1.0, await self.zygote.open() / _USUAL_START))

    async def close(self) -> None:
        await self.zygote.close()
        self.secantus.kill()
        self._range[1].close()

    def host(self, place: int) -> str:
        """Return the address of everything in one place."""
        return f"127.{self._range[0]}.{place + 1}.1"

    def new_folder(self) -> Path:
        folder = self.folder / f"{next(self._numbers):06d}"
        folder.mkdir(parents=True)
        return folder

    async def mongodb(self) -> None:
        """Start the database server, once."""
        async with self._seeding:
            if not self._mongodb:
                await asyncio.to_thread(self.secantus.start)
                self._mongodb = True

    async def fill(self, schedule: Schedule, folder: Path, database: str) -> None:
        """Put the world's plans and paybills into its database."""
        if schedule.store == "mongodb":
            await self.mongodb()
            if database not in self._filled:
                await _seeded(schedule, folder, self.secantus.uri, database)
                self._filled[database] = await asyncio.to_thread(
                    paybills, self.secantus.uri, database
                )
            await asyncio.to_thread(empty, self.secantus.uri, database, self._filled[database])
            return
        kind = self.folder / f"seeded-{schedule.till:d}{schedule.pull:d}"
        async with self._seeding:
            if not kind.exists():
                kind.mkdir()
                await _seeded(schedule, kind, None, database)
        for file in kind.glob("appliance.sqlite3*"):
            shutil.copy2(file, folder)


async def _seeded(schedule: Schedule, folder: Path, uri: str | None, database: str) -> None:
    _, file = await asyncio.to_thread(config.write, folder, PORTS, uri)
    text = file.read_text(encoding="utf-8")
    if schedule.till:
        (till,) = [merchant.till for merchant in MERCHANTS if merchant.till]
        owner = f'id = "sandbox-owner"\npaymentSettings = {{ paybillNumber = "{till}" }}'
        text = text.replace('id = "sandbox-owner"', owner, 1)
    if schedule.pull:
        text = text.replace('environment = "sandbox"', 'environment = "sandbox"\npull = true')
    file.write_text(text, encoding="utf-8")
    async with opened(uri=uri, database=database, data_dir=folder) as store:
        await seed(store, file)
