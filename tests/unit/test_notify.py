"""The words for systemd, and when there are none."""

import os
import socket
from pathlib import Path

import pytest

from appliance.app.notify import Supervisor


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),  # meant for another process
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_as_often_as_systemd_says(
    environ: dict[str, str], seconds: float | None
) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": "@x", **environ})
    assert supervisor.watchdog_seconds == seconds
    assert Supervisor(environ).watchdog_seconds is None


def test_without_a_listener_nothing_is_said_and_nothing_breaks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Supervisor({}).ready("serving")
    assert not caplog.records
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_listener_that_is_full_holds_nobody_up(tmp_path: Path) -> None:
    address = str(tmp_path / "full")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(address)
        supervisor = Supervisor({"NOTIFY_SOCKET": address})
        for _ in range(2000):
            supervisor.alive()
        assert ear.recv(64) == b"WATCHDOG=1"
