"""Programs of ours in processes of their own, without the second that their imports take.

One process has imported them once and forks for every program that is asked for; what runs is the
same module with the same words, environment and open files as under `python -m`.
"""

import asyncio
import atexit
import ctypes
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_LARGEST_ORDER = 1 << 20
_IMPORTED = (
    "appliance.app",
    "appliance.app.metrics",
    "appliance.cli",
    "appliance.cli.payments",
    "appliance.cli.vouchers",
    "appliance.store.mongodb",
    "paramiko",
)
_PR_SET_PDEATHSIG = 1


class Forked:
    """A running program, and the ends of its pipes that were asked for."""

    def __init__(self, pid: int, news: asyncio.StreamReader, way: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._way = way
        self._end = asyncio.create_task(self._told(news))

    async def _told(self, news: asyncio.StreamReader) -> int:
        line = await news.readline()
        self.returncode = int(line) if line else -signal.SIGKILL
        self._way.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the program has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    async def wait(self) -> int:
        """Return the exit code, negative for a signal."""
        return await asyncio.shield(self._end)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return all that it printed, when it has ended."""
        output, errors = await asyncio.gather(_all(self.stdout), _all(self.stderr))
        await self.wait()
        return output, errors


async def forked(
    module: str,
    *words: str,
    environment: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Forked:
    """Run `python -m module words`; streams are ours, `PIPE`, `DEVNULL` or a file."""
    kept = os.environ if environment is None else environment
    order = {"module": module, "words": words, "environment": dict(kept), "cwd": str(Path.cwd())}
    pipes = [_ends(wanted, number) for number, wanted in ((1, stdout), (2, stderr))]
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(await asyncio.to_thread(_server))
    body = json.dumps(order).encode() + b"\n"
    await asyncio.to_thread(socket.send_fds, connection, [body], [theirs for _, theirs in pipes])
    for _, theirs in pipes:
        os.close(theirs)
    news, way = await asyncio.open_unix_connection(sock=connection)
    process = Forked(int(await news.readline()), news, way)
    process.stdout, process.stderr = [await _reader(ours) for ours, _ in pipes]
    return process


def _ends(wanted: int | None, number: int) -> tuple[int | None, int]:
    """Return our end of a stream, if we want one, and the program's."""
    if wanted == subprocess.PIPE:
        return os.pipe()
    if wanted == subprocess.DEVNULL:
        return None, os.open(os.devnull, os.O_WRONLY)
    return None, os.dup(number if wanted is None else wanted)


async def _reader(end: int | None) -> asyncio.StreamReader | None:
    if end is None:
        return None
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(end, "rb", buffering=0))
    return reader


async def _all(stream: asyncio.StreamReader | None) -> bytes:
    return b"" if stream is None else await stream.read()


@cache
def _server() -> str:
    """Start the process that forks, once, and return its address; it ends with us."""
    address = f"{tempfile.mkdtemp()}/forks"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.forks", address], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    atexit.register(process.kill)
    return address


def _serve(address: str) -> dict[str, Any]:
    """Take orders for ever; return one only in the process that is to be that program."""
    for module in _IMPORTED:
        import_module(module)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    print("ready", flush=True)  # noqa: T201 # whoever started us waits for it
    while True:
        connection, _ = listener.accept()
        if os.fork():
            connection.close()
            continue
        listener.close()
        _die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        order = _read(connection)
        if (pid := os.fork()) == 0:
            connection.close()
            _die_with_parent()
            return order
        _follow(connection, pid)


def _read(connection: socket.socket) -> dict[str, Any]:
    """Return the order, whose streams become ours."""
    body, streams, _, _ = socket.recv_fds(connection, _LARGEST_ORDER, 2)
    while not body.endswith(b"\n"):
        body += connection.recv(_LARGEST_ORDER)
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    order: dict[str, Any] = json.loads(body)
    return order


def _follow(connection: socket.socket, pid: int) -> None:
    """Tell the program's process id and then its end; hold none of its streams open."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)
    connection.send(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    connection.send(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _become(order: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    sys.argv = [order["module"], *order["words"]]
    runpy.run_module(order["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _become(_serve(sys.argv[1]))
