"""Servers that tests start: a free port, and a stand-in for MongoDB."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
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

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
