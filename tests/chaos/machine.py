"""The daemon's process as systemd would keep it: started, and started again when it dies."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_START_AGAIN = 0.05


class Zygote:
    """The process that daemons are forked from; `package` is the tree whose appliance it runs."""

    def __init__(self, package: Path = ROOT) -> None:
        self._package = package
        self._one_order = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None

    async def open(self) -> float:
        """Return how many seconds it took until everything was imported."""
        began = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.zygote"),
            cwd=self._package,
            env={**os.environ, "PYTHONPATH": str(self._package)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert await self._process.stdout.readline() == b"ready\n"
        return time.monotonic() - began

    async def close(self) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def fork(self, order: dict[str, Any]) -> "Program":
        """Return the program ordered; who is cancelled meanwhile leaves none behind."""
        forking = asyncio.ensure_future(self._fork(order))
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            (await forking).signal(signal.SIGKILL)
            raise

    async def _fork(self, order: dict[str, Any]) -> "Program":
        assert self._process is not None
        to, back = self._process.stdin, self._process.stdout
        assert to is not None
        assert back is not None
        async with self._one_order:
            to.write(json.dumps(order).encode() + b"\n")
            return Program(int(await back.readline()))


class Program:
    """One running process that the zygote forked."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.ended = asyncio.Event()
        try:
            self._handle = os.pidfd_open(pid)
        except ProcessLookupError:
            self.ended.set()
            return
        asyncio.get_running_loop().add_reader(self._handle, self._over)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens where it has ended."""
        if not self.ended.is_set():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def _over(self) -> None:
        asyncio.get_running_loop().remove_reader(self._handle)
        os.close(self._handle)
        self.ended.set()


class Daemon:
    """`appliance run`, for ever."""

    def __init__(
        self, zygote: Zygote, order: dict[str, Any], lose_power: Callable[[], None]
    ) -> None:
        self._zygote = zygote
        self._order = order
        self._lose_power = lose_power
        self._keeper: asyncio.Task[None] | None = None
        self._off_for = _START_AGAIN
        self._power_cut = False
        self._closing = asyncio.Event()
        self.program: Program | None = None
        self.die_at = 0
        self.starts = 0
        self.deaths = 0
        """How often it ended by itself."""
        self.commands = 0
        self._running = set[Program]()
        self._told = False
        self._ready_before = 0

    def open(self) -> None:
        self._keeper = asyncio.create_task(self._keep())

    async def close(self) -> None:
        self._closing.set()
        if self.program is not None:
            self.program.signal(signal.SIGKILL)
        if self._keeper is not None:
            await self._keeper

    def end(self, how: signal.Signals, off_for: float, *, power: bool = False) -> bool:
        """End it and start it again so much later; say whether it was there."""
        if self.program is None or self.program.ended.is_set() or self._told:
            return False
        self._told = True
        self._off_for, self._power_cut = off_for, power
        self.program.signal(how)
        return True

    @property
    def ready(self) -> bool:
        """Say whether this start has come as far as its doors."""
        alive = self.program is not None and not self.program.ended.is_set()
        return alive and self._times_ready() > self._ready_before

    async def run(self, *words: str) -> str:
        """Run another command beside it, and return what it prints."""
        self.commands += 1
        out = Path(f"{self._order['out']}.{self.commands}")
        words = (*words, *self._order["words"][1:])
        order = self._order | {"words": words, "out": str(out), "die_at": 0}
        program = await self._zygote.fork(order)
        self._running.add(program)
        await program.ended.wait()
        self._running.discard(program)
        return out.read_text(encoding="utf-8") if out.exists() else ""

    async def _keep(self) -> None:
        while not self._closing.is_set():
            self._ready_before = self._times_ready()
            order = self._order | {"die_at": self.die_at}
            self.die_at, self._told = 0, False
            self._off_for, self._power_cut = _START_AGAIN, False
            self.starts += 1
            self.program = await self._zygote.fork(order)
            if self._closing.is_set():
                self.program.signal(signal.SIGKILL)
            await self.program.ended.wait()
            if not (self._told or self._closing.is_set() or order["die_at"]):
                self.deaths += 1
            if self._power_cut:
                await self._end_commands()
                self._lose_power()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), self._off_for)

    async def _end_commands(self) -> None:
        """End what runs beside it: a power cut spares nobody."""
        for program in list(self._running):
            program.signal(signal.SIGKILL)
            await program.ended.wait()

    def _times_ready(self) -> int:
        out = Path(self._order["out"])
        return out.read_bytes().count(b"ready\n") if out.exists() else 0
