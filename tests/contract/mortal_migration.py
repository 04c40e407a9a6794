"""`mortal_migration URI DATABASE FOLDER N`: migrate, and die just after the N-th write."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from appliance.app import SystemClock
from appliance.domain.secrets import InClear
from appliance.store.migrations import Migrations
from appliance.store.open import opened


async def migrate(uri: str | None, database: str, folder: Path, boundary: int) -> None:
    async with opened(uri=uri, database=database, data_dir=folder) as store:
        left = boundary

        def mortal(write: Any) -> Any:
            async def writing(*args: Any) -> None:
                nonlocal left
                await write(*args)
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            return writing

        for name in ("change", "insert"):
            setattr(store, name, mortal(getattr(store, name)))
        async for _ in Migrations(store, InClear(), SystemClock()).run():
            pass


if __name__ == "__main__":
    _, address, name, place, number = sys.argv
    asyncio.run(migrate(address or None, name, Path(place), int(number)))
