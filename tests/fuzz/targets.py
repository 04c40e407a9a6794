"""What is fuzzed: each target takes any bytes, and raises only where there is a fault of ours."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import httpx

from appliance.domain import hosts
from appliance.domain.devices import Device, HotspotUser
from appliance.domain.errors import (
    GatewayRefused,
    GatewayUnavailable,
    Invalid,
    OutcomeUnknown,
    RouterRefused,
    RouterUnreachable,
)
from appliance.domain.evidence import Evidence, Received, Verdict
from appliance.mpesa import client, statement, status, values, wire
from appliance.router import wire as texts
from appliance.router.api import ApiWay
from appliance.router.hotspot import Hotspot
from appliance.router.line import private_key
from appliance.router.ssh import SshWay
from appliance.router.way import Way
from appliance.sandbox.routeros.actions import Request
from appliance.sandbox.routeros.api import ApiSession
from appliance.sandbox.routeros.console.balance import Balance
from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.console.syntax import ConsoleError
from appliance.sandbox.routeros.device import Device as PretendDevice
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.sentences import encoded
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions
from appliance.sandbox.routeros.traps import Trap
from appliance.sandbox.routeros.versions import NAMES
from tests.fuzz.strangers import Client, Console, Router

Target = Callable[[bytes], object]

_FULL = frozenset({"read", "write", "policy", "ftp", "test", "api", "ssh", "sensitive"})
_CODE = "ABC3DEF4GH"
_USER = HotspotUser(name=_CODE, profile="p", limit_uptime=timedelta(hours=1))
_DEVICE = Device("02:00:00:00:00:05", "127.0.1.5")
_LARGEST = 10**12
_URL = "http://daraja.invalid/"

_READERS = [Session(PretendDevice(Faults(), version=version), _FULL) for version in NAMES]

_ASKED: tuple[Callable[[Hotspot], Awaitable[object]], ...] = (
    lambda h: h.host(ip=_DEVICE.ip),
    lambda h: h.ensure_user(_USER),
    lambda h: h.users(),
    lambda h: h.set_limits(_USER),
    lambda h: h.cut(_CODE),
    lambda h: h.leave(_CODE, _DEVICE.mac),
    lambda h: h.sessions(),
    lambda h: h.login(_CODE, _DEVICE),
    lambda h: h.health(),
)


def _asked(way: Way, which: int) -> None:
    """Ask the router something: what comes is an answer, or an error of ours."""
    with suppress(RouterRefused, RouterUnreachable):
        asyncio.run(_in_time(_ASKED[which % len(_ASKED)](Hotspot(way, "api"))))


async def _in_time(asking: Awaitable[object]) -> None:
    async with asyncio.timeout(60):
        await asking


def router_answers(data: bytes) -> None:
    """The first byte says what is asked; the others are the router's words on the wire."""
    _asked(ApiWay(Router(data[1:])), data[0] if data else 0)


def console_answers(data: bytes) -> None:
    """The same by SSH; the first byte says too whether the router ended its answer."""
    head = data[0] if data else 0
    text = data[1:].decode("utf-8", "surrogateescape")
    _asked(SshWay(Console(text, complete=bool(head & 0x80))), head & 0x7F)


def router_texts(data: bytes) -> None:
    """One value of the router's."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(ValueError):
        length = texts.duration(text)
        assert texts.duration(texts.seconds(length)) == length
    with suppress(ValueError):
        assert hosts.mac(hosts.mac(text)) == hosts.mac(text)
    assert str(texts.refused(text)).isprintable()
    rows = [dict.fromkeys(("name", "user", "address", "uptime", ".id", "bytes-in"), text)]
    for read in (texts.sessions, texts.entries, texts.ids, texts.device):
        with suppress(RouterRefused):
            read(rows)


def ssh_keys(data: bytes) -> None:
    """A key file of the operator's."""
    with suppress(ValueError):
        private_key(data.decode("utf-8", "replace"))


def pretend_api(data: bytes) -> None:
    """Somebody signs in to the pretend router and says this: it answers, or hangs up."""
    version = NAMES[(data[0] if data else 0) % len(NAMES)]
    device = PretendRouter(RouterOptions(version=version)).device
    login = encoded(["/login", "=name=admin", "=password=sandbox"])

    async def served() -> None:
        heard = Client(login + data[1:])
        async with asyncio.timeout(60):
            await ApiSession(heard.reader, heard.writer, device).serve()

    asyncio.run(served())


def pretend_grammar(data: bytes) -> None:
    """A script that the pretend router's console only reads."""
    session = _READERS[(data[0] if data else 0) % len(_READERS)]
    text = data[1:].decode("utf-8", "surrogateescape")
    with suppress(ConsoleError, RecursionError):
        session._parser(text).script()
    with suppress(ConsoleError, RecursionError):
        Balance(session._reader(text)).check()


def pretend_console(data: bytes) -> None:
    """A line at the pretend router's console: something is printed, whatever it is."""
    version = NAMES[(data[0] if data else 0) % len(NAMES)]
    line = data[1:].decode("utf-8", "surrogateescape")
    assert isinstance(Session(PretendDevice(Faults(), version=version), _FULL).run(line), str)


def pretend_import(data: bytes) -> None:
    """A script that is brought in over the pretend router's API: done, or refused."""
    device = PretendRouter(RouterOptions()).device
    device.files.put("x.rsc", data.decode("utf-8", "surrogateescape"))
    with suppress(Trap):
        device.perform("", "import", Request({"file-name": "x.rsc"}, (), _FULL))


def stk_callbacks(data: bytes) -> None:
    """The body of an STK callback."""
    with suppress(Invalid):
        evidence, payload = wire.callback_evidence(_body(data))
        _is_sound(evidence)
        _is_kept(payload)


def confirmations(data: bytes) -> None:
    """The body of a C2B confirmation."""
    with suppress(Invalid):
        money, payload = wire.received(_body(data))
        _is_money(money)
        _is_kept(payload)


def status_results(data: bytes) -> None:
    """The body of a transaction's status."""
    with suppress(Invalid):
        said, payload = status.result(_body(data))
        assert said.amount is None or 0 <= said.amount <= _LARGEST
        _is_kept(payload)


def daraja_answers(data: bytes) -> None:
    """What Daraja answers to a push, a query and a pull, with an HTTP status of the first byte."""
    code = (200, 200, 400, 403, 404, 429, 500, 503)[(data[0] if data else 0) % 8]
    asyncio.run(_posted(code, data[1:]))


async def _posted(code: int, body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(code, content=body))
    refusals = (GatewayRefused, GatewayUnavailable, OutcomeUnknown, client.InvalidToken)
    async with httpx.AsyncClient(transport=transport) as http:
        with suppress(*refusals):
            answer = await client.send(http, _URL, "token", {})
            _is_sound(wire.query_evidence(answer))
            rows, listed = wire.pulled(answer, "174379")
            assert len(listed) <= rows
            for money in listed:
                _is_money(money)


def statements(data: bytes) -> None:
    """A file that the operator says is a statement."""
    with suppress(Invalid):
        for line in statement.read(statement.text_of(data)):
            assert line.receipt
            assert 0 < line.amount <= _LARGEST
            assert line.at.tzinfo is not None


def _body(data: bytes) -> str:
    """Return a body as it is stored."""
    return data.decode("utf-8", errors="replace")


def _is_sound(evidence: Evidence) -> None:
    assert (evidence.verdict is Verdict.PAID) == (evidence.code == "0")
    assert evidence.amount is None or 0 <= evidence.amount <= _LARGEST
    assert evidence.receipt is None or values.receipt(evidence.receipt) == evidence.receipt


def _is_money(money: Received) -> None:
    assert 0 <= money.amount <= _LARGEST
    assert values.receipt(money.receipt) == money.receipt


def _is_kept(payload: dict[str, object]) -> None:
    """See that every store takes what was understood."""
    json.dumps(payload).encode("ascii")


TARGETS: dict[str, Target] = {
    target.__name__: target
    for target in (
        router_answers,
        console_answers,
        router_texts,
        ssh_keys,
        pretend_api,
        pretend_grammar,
        pretend_console,
        pretend_import,
        stk_callbacks,
        confirmations,
        status_results,
        daraja_answers,
        statements,
    )
}
