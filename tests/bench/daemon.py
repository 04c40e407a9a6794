"""The daemon under measurement: started as an operator starts it, and read from outside."""

import asyncio
import os
import sys
import time
from pathlib import Path

import psutil


class Daemon:
    """One `appliance run`."""

    def __init__(self, settings: Path, database: str) -> None:
        self._settings = settings
        self._environment = {
            **os.environ,
            "APPLIANCE_MONGODB__DATABASE": database,
            "APPLIANCE_DARAJA__PROMPTS_PER_MINUTE": "1000000",
        }
        self._process: asyncio.subprocess.Process | None = None
        self.start_seconds = 0.0

    async def __aenter__(self) -> "Daemon":
        began = time.perf_counter()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "appliance",
            "run",
            "--config",
            str(self._settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=self._environment,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            assert await self._process.stdout.readline() == b"ready\n"
        self.start_seconds = time.perf_counter() - began
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    @property
    def _seen(self) -> psutil.Process:
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def resident_mb(self) -> float:
        """Return the memory the process really holds."""
        return float(self._seen.memory_info().rss / 2**20)

    def written_bytes(self) -> int:
        """Return what the process has had written to the disk."""
        return int(self._seen.io_counters().write_bytes)

    def cpu_seconds(self) -> float:
        """Return the processor time spent."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)
