"""What every test stands on: no blocking call hides in the event loop, and every store is real."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from appliance.domain.ids import new_id
from appliance.store.open import opened
from appliance.store.port import Store

REAL_MONGODB = os.environ.get("APPLIANCE_TEST_MONGODB_URI")
STORES = ["sqlite", "secantus", *(["mongodb"] if REAL_MONGODB else [])]


@pytest.fixture(autouse=True)
def no_blocking_calls(request: pytest.FixtureRequest) -> Iterator[BlockBuster | None]:
    if "browser" in request.path.parts:
        yield None  # Playwright's own loop blocks as it likes
        return
    with blockbuster_ctx("appliance") as guard:
        # pymongo looks once whether it runs in a container
        guard.functions["os.stat"].can_block_in("pool_options.py", "get_container_env_info")
        yield guard


@dataclass
class HandClock:
    """A clock that a test moves by hand."""

    moment: datetime = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def pass_by(self, time: timedelta) -> None:
        self.moment += time


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


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


@pytest.fixture(scope="session")
def secantus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secantus]:
    server = Secantus(tmp_path_factory.mktemp("secantus"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=STORES)
def mongodb_uri(request: pytest.FixtureRequest) -> str | None:
    """The database of one run of a test: None is SQLite."""
    if request.param == "sqlite":
        return None
    if request.param == "mongodb":
        return REAL_MONGODB
    server: Secantus = request.getfixturevalue("secantus")
    return server.uri


@pytest.fixture
def database() -> str:
    return f"test_{new_id()}"


@pytest.fixture
async def store(mongodb_uri: str | None, database: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(uri=mongodb_uri, database=database, data_dir=tmp_path) as opened_store:
        yield opened_store
