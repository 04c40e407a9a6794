"""What `appliance tunnel test` says of a way in that leads here, elsewhere or nowhere."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientSession, web

from appliance.cli.tunnel import in_words
from appliance.domain import ids, probes
from appliance.domain.records import WebhookLog
from appliance.settings import Settings, checked
from appliance.tunnel.trial import Trial, tried
from appliance.web.callers import Callers
from appliance.web.listening import listening
from appliance.web.webhooks import WebhooksDoor, build_webhooks
from tests.conftest import HandClock
from tests.servers import free_port
from tests.vps import Vps

SECRET = "0" * 32


class Kept:
    """What the door wrote down."""

    def __init__(self) -> None:
        self.logs: list[WebhookLog] = []

    async def insert(self, webhook: WebhookLog) -> None:
        self.logs.append(webhook)


class Street:
    """Doors and other servers on loopback."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.kept = Kept()
        self.listen = ""

    async def box(self, secret: str = SECRET, **callers: Any) -> str:
        """Open a box's door; nothing in it can take a callback."""
        door = WebhooksDoor(
            intake=cast(Any, None),
            webhooks=cast(Any, self.kept),
            clock=HandClock(datetime.now(UTC)),
            expecting=cast(Any, None),
            path_secret=secret,
            callers=Callers(**callers),
        )
        return await self.serves(build_webhooks(door))

    async def answers(self, status: int, **more: Any) -> str:
        async def handler(_: web.Request) -> web.Response:
            return web.Response(status=status, **more)

        app = web.Application()
        app.router.add_route("*", "/{anything:.*}", handler)
        return await self.serves(app)

    async def passes_on(self, to: str) -> str:
        """Serve as a proxy does that leaves the caller's headers as they are."""

        async def handler(request: web.Request) -> web.Response:
            url = f"http://{to}{request.path}"
            async with ClientSession() as http, http.post(url, headers=request.headers) as answer:
                return web.Response(body=await answer.read(), content_type="application/json")

        app = web.Application()
        app.router.add_post("/{anything:.*}", handler)
        return await self.serves(app)

    async def serves(self, app: web.Application) -> str:
        listen = f"127.0.0.1:{free_port()}"
        await self._stack.enter_async_context(listening(app, listen))
        return listen


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    async with AsyncExitStack() as stack:
        yield Street(stack)


def settings(listen: str, public_url: str, header: str | None = None) -> Settings:
    door = {"listen": listen, "public_url": public_url, "path_secret": SECRET}
    router = {"host": "192.168.88.1", "password": "secret"}
    return checked({"webhooks": door | {"client_ip_header": header}, "router": router})


async def trial(listen: str, public: str, header: str | None = None) -> Trial:
    found = await tried(settings(listen, f"http://{public}", header))
    assert SECRET not in in_words(found)
    return found


async def test_a_probe_comes_home_and_nothing_is_stored(street: Street) -> None:
    box = await street.box()
    found = await trial(box, box)
    assert (found.problem, found.address, found.warning) == (None, "127.0.0.1", None)
    assert found.round_trip_ms is not None
    assert street.kept.logs == []


async def test_a_probe_is_no_stranger_where_only_safaricom_may_call(street: Street) -> None:
    box = await street.box(enforce=True)
    assert (await trial(box, box)).problem is None
    async with ClientSession() as http:
        url = f"http://{box}/hooks/{SECRET}/c2b/validation"
        assert (await http.post(url, json={})).status == 403


async def test_a_callers_own_word_for_its_address_is_noticed(street: Street) -> None:
    box = await street.box(header="X-Real-IP")
    found = await trial(box, await street.passes_on(box), "X-Real-IP")
    assert found.problem is None
    assert "must overwrite X-Real-IP" in (found.warning or "")


@pytest.mark.parametrize(
    ("status", "problem", "words"),
    [
        (200, "other_server", "Something else"),
        (302, "redirect", "Safaricom follows none"),
        (403, "forbidden", "let /hooks/ through"),
        (404, "not_found", "does not pass /hooks/ on"),
        (502, "tunnel_down", "journalctl -u hotspot-appliance-tunnel"),
        (530, "tunnel_down", "the tunnel to the box is down"),
    ],
)
async def test_what_answers_instead_is_said_in_words(
    street: Street, status: int, problem: str, words: str
) -> None:
    found = await trial(await street.box(), await street.answers(status))
    assert found.problem == problem
    assert words in in_words(found)


async def test_an_answer_without_end_is_not_waited_for(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drips(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)

    app = web.Application()
    app.router.add_post("/{anything:.*}", drips)
    box = await street.box()
    monkeypatch.setattr("appliance.tunnel.trial._PATIENCE", 0.5)
    assert (await trial(box, await street.serves(app))).problem == "timeout"


async def test_another_box_is_told_from_this_one(street: Street) -> None:
    here = await street.box()
    assert (await trial(here, await street.box())).problem == "other_box"
    assert (await trial(here, await street.box("1" * 32))).problem == "not_found"
    assert (await trial(await street.box("1" * 32), here)).problem == "other_daemon"
    nobody = f"127.0.0.1:{free_port()}"
    assert (await trial(nobody, here)).problem == "daemon_down"
    assert (await trial(here, nobody)).problem == "unreachable"


async def test_a_name_or_a_certificate_that_is_not_good_is_named(
    street: Street, tmp_path: Path
) -> None:
    box = await street.box()
    unknown = await tried(settings(box, "https://nobody.invalid"))
    assert unknown.problem == "dns"
    assert "nobody.invalid" in in_words(unknown)
    plain = await tried(settings(box, f"https://{box}"))
    assert plain.problem == "tls"
    server = Vps(tmp_path / "vps")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.certificate, server.folder / "privkey.pem")
    runner = web.AppRunner(web.Application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", server.https_port, ssl_context=context).start()
        found = await tried(settings(box, server.url))
    finally:
        await runner.cleanup()
    assert found.problem == "tls"
    assert "self-signed certificate" in in_words(found)


def test_a_probe_is_answered_once_and_is_never_taken_for_anything_else() -> None:
    respondent = probes.Respondent(SECRET)
    asked = probes.question(SECRET)
    answer = respondent.answer(asked, "192.0.2.7")
    assert answer is not None
    assert probes.is_answered(SECRET, asked, answer)
    assert not probes.is_answered("1" * 32, asked, answer)
    assert not probes.is_answered(SECRET, probes.question(SECRET), answer)
    assert respondent.answer(asked, None) is None
    assert respondent.answer(probes.question("1" * 32), None) is None
    assert ids.unsigned(SECRET, asked) is None, "it is no address for Safaricom's answers"
    forged = ids.new_token()
    assert respondent.answer(forged + ids.mark(SECRET, forged), None) is None
    assert respondent.answer(ids.signed(SECRET, "174379 UKN7K2M"), None) is None
