"""A day goes by in seconds: an event loop that runs on a clock moved by hand, and a router without
a wire whose two ways can be out. Everything else is the product's own: pool, line, breaker, worker.
"""

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar, cast

import paramiko
import pytest

from appliance.router import line as ssh_line
from appliance.router import wire
from appliance.router.line import Line, Login
from appliance.router.pool import Address, Pool
from appliance.router.sentences import Conversation
from appliance.sandbox.routeros.actions import Request
from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions
from appliance.sandbox.routeros.traps import Trap
from tests.conftest import HandClock

P = ParamSpec("P")
T = TypeVar("T")
_POLICIES = frozenset({"read", "write", "api", "ssh"})


class _Jumping(selectors.SelectSelector):
    """Waits for nothing: where nothing is ready, the clock moves on to what comes next."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout:
            self._clock.pass_by(timedelta(microseconds=math.ceil(timeout * 1e6) + 1))
        assert found or timeout is not None, "nothing will ever happen again"
        return found


def by_hand(clock: HandClock, story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a story in which waiting takes no time."""

    def loop() -> asyncio.AbstractEventLoop:
        made = asyncio.SelectorEventLoop(_Jumping(clock))
        made.time = clock.monotonic  # type: ignore[method-assign] # the whole point
        made._clock_resolution = 1e-6  # type: ignore[attr-defined] # what is due this instant is due
        return made

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(story())


class _AtOnce(Executor):
    """A thread whose work is done before anybody can wait for it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except (OSError, paramiko.SSHException) as error:
            done.set_exception(error)
        return done


@dataclass
class Ways:
    """A pretend router, and what goes to it by either way."""

    router: PretendRouter = field(default_factory=lambda: PretendRouter(RouterOptions()))
    api_out: bool = False
    ssh_out: bool = False
    knocks: dict[str, int] = field(default_factory=lambda: {"api": 0, "ssh": 0})
    """How often somebody tried to connect, by way."""

    def pool(self) -> Pool:
        return _WirelessPool(self)

    def line(self, monkeypatch: pytest.MonkeyPatch) -> Line:
        monkeypatch.setattr(ssh_line, "_signed_in", lambda _: self._signed_in())
        monkeypatch.setattr(ssh_line, "_carried_out", lambda _, line, __: self._typed(line))
        login = Login(host="127.0.0.1", port=9, username="a", password="b", fingerprint="")
        made = Line(login)
        made._threads.shutdown()
        made._threads = cast("Any", _AtOnce())
        return made

    def asked(self, words: tuple[str, ...]) -> list[wire.Row]:
        if self.api_out:
            raise ConnectionResetError
        path, _, name = words[0].rpartition("/")
        given: Mapping[str, str] = wire.row(words)
        queries = tuple(word[1:] for word in words if word.startswith("?"))
        try:
            answer = self.router.device.perform(path, name, Request(given, queries, _POLICIES))
        except Trap as trap:
            raise wire.refused(trap.message) from None
        return [dict(row) for row in answer.rows]

    def _typed(self, line: str) -> tuple[str, bool]:
        if self.ssh_out:
            raise ConnectionResetError
        return Session(self.router.device, _POLICIES).run(line), True

    def _signed_in(self) -> paramiko.Transport:
        self.knocks["ssh"] += 1
        if self.ssh_out:
            raise ConnectionRefusedError
        return cast("paramiko.Transport", _Standing())


class _Standing:
    """A connection that stands."""

    sock = None

    def is_active(self) -> bool:
        return True

    def close(self) -> None: ...


class _Wireless:
    """A conversation without a wire."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways

    async def ask(self, *words: str) -> list[wire.Row]:
        return self._ways.asked(words)

    def is_usable(self) -> bool:
        return True

    def hang_up(self) -> None: ...

    async def close(self) -> None: ...


class _WirelessPool(Pool):
    def __init__(self, ways: Ways) -> None:
        super().__init__(Address(host="127.0.0.1", port=9, username="a", password="b"))
        self._ways = ways

    async def _connect(self) -> Conversation:
        self._ways.knocks["api"] += 1
        if self._ways.api_out:
            raise ConnectionRefusedError
        return cast("Conversation", _Wireless(self._ways))
