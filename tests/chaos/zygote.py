"""A process that has imported the appliance once, and forks a daemon or a command per order.

Orders are JSON lines on standard input; each is answered with the child's process id.
"""

import ctypes
import gc
import json
import os
import random
import signal
import sqlite3
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from appliance import cli
from appliance.store import thread
from tests.chaos import pace, power
from tests.chaos.shared import Shared
from tests.journeys import daemon

_PR_SET_PDEATHSIG = 1
# What a child would import when it first needs it: once here instead.
_LATER = (
    "anyio._backends._asyncio",
    "appliance.cli.payments",
    "appliance.cli.vouchers",
    "appliance.router.line",
    "appliance.router.ssh",
    "appliance.store.mongodb",
    "apscheduler.executors.asyncio",
    "apscheduler.triggers.date",
    "concurrent.futures.thread",
    "encodings.unicode_escape",
    "httpcore",
    "portal_templates",
    "tzdata.zoneinfo",
)


def serve() -> None:
    """Fork until standard input ends; children end with this process."""
    for name in _LATER:
        import_module(name)
    # A context takes a tenth of a second to make, and nothing here speaks TLS.
    default = import_module("httpx._transports.default")
    vars(default)["create_ssl_context"] = cache(default.create_ssl_context)
    default.create_ssl_context()
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        _reap()
        pid = os.fork()
        if pid == 0:
            _become(json.loads(line))
        print(pid, flush=True)  # the machine reads it


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _become(order: dict[str, Any]) -> None:
    """Be the program that was ordered, and never return."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _speak_to(order["out"], order["err"])
    os.environ.update(order["environment"])
    random.seed()
    shared = Shared(Path(order["shared"]))
    pace.hasten()
    pace.tell_time_by(shared)
    _note_commits(shared)
    if order["die_at"]:
        os.environ["DIE_AT"] = str(order["die_at"])
        daemon.make_mortal()
    sys.argv = ["appliance", *order["words"]]
    code = 1
    try:
        cli.main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _speak_to(out: str, err: str) -> None:
    for stream, name in ((0, os.devnull), (1, out), (2, err)):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, stream)
        os.close(file)


def _note_commits(shared: Shared) -> None:
    committed = thread._committed

    def noted(connection: sqlite3.Connection, batch: list[Any]) -> list[Any]:
        answers = committed(connection, batch)
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        power.note(Path(file), connection, shared)
        return answers

    thread._committed = noted


if __name__ == "__main__":
    serve()
