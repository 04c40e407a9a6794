"""What a box needs to do its work, and what else there is to know for whoever watches over it."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from appliance.domain.health import RouterHealth
from appliance.ports import Clock
from appliance.store.port import Store
from appliance.store.schema import COLLECTIONS
from appliance.web.health import NotReady

# Of a large disk this much is room enough, and a little more than building a release takes.
_FULL, _ENOUGH = 0.05, 256 * 1024 * 1024
_LONGEST_LOOK = 2.0
# A look counts every collection; the indexes are made at start, and hardly ever lost.
_LOOK_AGAIN_SECONDS = 600.0


def there(folder: Path) -> Path:
    """Return the folder, or the one that it will be made in."""
    return next(path for path in (folder, *folder.parents) if path.exists())


@dataclass(frozen=True, slots=True)
class Room:
    """Whether there is room where the data is: a full disk takes no payment."""

    data_dir: Path

    async def check(self) -> None:
        """Raise `NotReady` where there is hardly any."""
        disk = await asyncio.to_thread(lambda: shutil.disk_usage(there(self.data_dir)))
        if disk.free < min(_FULL * disk.total, _ENOUGH):
            raise NotReady(f"only {disk.free // 2**20} MB of the disk are free")


@dataclass(slots=True)
class Schema:
    """Whether no key can be in the database twice: one receipt would pay twice."""

    store: Store
    clock: Clock
    well_until: float = 0.0

    async def check(self) -> None:
        """Raise `NotReady` where a unique index lacks; a slow question is no reason."""
        if self.clock.monotonic() < self.well_until:
            return
        try:
            async with asyncio.timeout(_LONGEST_LOOK):
                shelves = await asyncio.gather(*map(self.store.inspect, COLLECTIONS))
        except TimeoutError:
            return
        found = zip(COLLECTIONS, shelves, strict=True)
        lacking = [name for name, shelf in found if shelf.unguarded]
        if lacking:
            raise NotReady(f"unique indexes are missing in {', '.join(lacking)}")
        self.well_until = self.clock.monotonic() + _LOOK_AGAIN_SECONDS


@dataclass(slots=True)
class Facts:
    """What is told of the router and the clock; nothing waits for either."""

    clock: Clock
    answered_at: float | None = None
    """When the router last said how it is, in seconds that only grow."""

    def router(self, health: RouterHealth | None) -> None:
        """Take how the router is; None while it does not answer."""
        if health is not None:
            self.answered_at = self.clock.monotonic()

    def told(self) -> dict[str, object]:
        """Return the facts."""
        at, now = self.answered_at, self.clock.monotonic()
        return {
            "routerAnsweredSecondsAgo": None if at is None else round(now - at),
            "clockTrusted": self.clock.certain() is not None,
        }
