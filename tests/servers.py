"""Servers that tests start: a free port, and a stand-in for MongoDB."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

# Below the ports that outgoing connections take by themselves; each test worker has its own range.
_FIRST, _LAST, _RANGE = 18000, 32000, 1000
_worker = int("".join(filter(str.isdigit, os.environ.get("PYTEST_XDIST_WORKER", ""))) or "9")
_next = count(_FIRST + _worker * _RANGE)


def free_port() -> int:
    """Return a port that nobody else here will be given."""
    while True:
        port = _FIRST + (next(_next) - _FIRST) % (_LAST - _FIRST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Secantus:
    """A MongoDB-wire server of its own process, that can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def start(self) -> None:
        self._folder.mkdir(exist_ok=True)
        program = Path(sys.executable).with_name("secantusd-py")
        command = [str(program), "--standalone", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--storage-path", str(self._folder), "--sync-on-commit"]
        command += ["--cache-size", "64M", "--log-level", "WARNING"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("SecantusDB did not start")

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Have it answer nobody for the length of a block, with every connection open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)  # its last thread may run on a little
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
