"""What systemd hears of the real daemon, and what becomes of one with a loop that is no more."""

import asyncio
import os
import re
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from appliance.domain.ids import new_id
from tests.forks import Forked, forked
from tests.world import PATIENCE, World


class Listener(asyncio.DatagramProtocol):
    """Systemd's end of the socket."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._news = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        self.heard += data.decode().splitlines()
        self._news.set()

    async def until(self, line: str, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.heard.count(line) < times:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def listening(address: str) -> AsyncIterator[Listener]:
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.settimeout(0)
    ear.bind(address)
    loop = asyncio.get_running_loop()
    transport, listener = await loop.create_datagram_endpoint(Listener, sock=ear)
    try:
        yield listener
    finally:
        transport.close()


@asynccontextmanager
async def daemon(folder: Path, **environment: str) -> AsyncIterator[Forked]:
    """Run the daemon without any neighbour: no router, no Safaricom."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    world = await asyncio.to_thread(World, folder, None, "supervised")
    await world.fill()
    process = await forked(
        *("tests.journeys.daemon", "run", "--config", str(world.settings)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        environment={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def ended(process: Forked) -> tuple[int, str]:
    """Return how it ended, and what it said."""
    async with asyncio.timeout(PATIENCE):
        _, said = await process.communicate()
        return await process.wait(), said.decode()


async def broken(folder: Path, how: str) -> tuple[int, str, list[str]]:
    """Return how a daemon with such a loop ended, what it said, and what systemd heard of it."""
    name = new_id()
    about = {"NOTIFY_SOCKET": f"@{name}", "WATCHDOG_USEC": "60000000", "LOOP": how}
    async with listening(f"\0{name}") as systemd, daemon(folder / how, **about) as process:
        return *await ended(process), systemd.heard


async def test_a_box_without_its_neighbours_is_ready_lives_and_says_when_it_stops(
    tmp_path: Path,
) -> None:
    path = str(tmp_path / "notify")
    about = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000", "LOOP": ""}
    async with listening(path) as systemd, daemon(tmp_path, **about) as process:
        await systemd.until("WATCHDOG=1", times=10)  # longer than a loop may be late
        process.send_signal(signal.SIGTERM)
        code, _ = await ended(process)
    assert code == 0
    assert systemd.heard[:2] == ["READY=1", "STATUS=serving"]
    assert set(systemd.heard[2:-1]) == {"WATCHDOG=1"}
    assert systemd.heard[-1] == "STOPPING=1"


async def test_a_loop_that_is_no_more_is_named_starves_the_watchdog_and_ends_the_process(
    tmp_path: Path,
) -> None:
    dies, hangs, leaves, blocks = await asyncio.gather(
        *(broken(tmp_path, how) for how in ("dies", "hangs", "leaves", "blocks"))
    )
    assert [code for code, _, _ in (dies, hangs, leaves, blocks)] == [1, 1, 1, 1]
    assert "ZeroDivisionError" in dies[1]
    assert dies[2][-1] == "STOPPING=1"
    for _, said, heard in (hangs, leaves):
        assert "loop does not come round: voucher look" in said
        assert heard[-1] == "STATUS=stuck: voucher look"
    assert re.search(r"daemon\.py:\d+ \S+broken", hangs[1])
    assert "its task is gone" in leaves[1]
    assert re.search(r'daemon\.py", line \d+ in broken', blocks[1])
    assert blocks[2][-1] == "WATCHDOG=1"
