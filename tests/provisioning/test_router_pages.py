"""The pages on the router: they hand over, they never loop, and they work while the box is down."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from urllib.parse import urlsplit

import aiohttp
import pytest

from appliance.sandbox.routeros.markup import rendered
from appliance.sandbox.routeros.server import PretendRouter
from appliance.web.router_pages import router_pages
from provisioning.lending import lending
from provisioning.pages import render_pages
from tests.provisioning.routers import a_router, a_wish, door_to, set_up

PORTAL = "http://127.0.0.1:9"
GUEST = {
    "mac": "02:00:7F:00:01:05",
    "ip": "127.0.1.5",
    "server-name": "hotspot1",
    "link-login-only": "http://10.5.50.1/login",
    "link-orig": "http://example.com/?a=1&b=2",
    "logged-in": "no",
    "session-timeout-secs": "0",
}
ONLINE = GUEST | {"logged-in": "yes"}
NEEDED = {
    "alogin.html",
    "api.json",
    "error.html",
    "login.html",
    "logout.html",
    "redirect.html",
    "rlogin.html",
    "status.html",
}


def page(name: str, variables: dict[str, str]) -> tuple[int, str, str]:
    found = rendered(render_pages(PORTAL)[name], variables)
    return found.status, found.headers.get("Location", ""), found.body


@asynccontextmanager
async def visitor(device: int = 5) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(local_addr=(f"127.0.1.{device}", 0))
    async with aiohttp.ClientSession(connector=connector) as session:
        yield session


async def got(router: PretendRouter, path: str) -> tuple[int, str, str]:
    url = f"http://127.0.0.1:{router.web_port}{path}"
    async with visitor() as session, session.get(url, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


def test_every_page_that_others_fall_back_to_is_there_and_fits_the_oldest_router() -> None:
    pages = render_pages("https://a-rather-long-name.hotspot.example.co.ke:8443/portal")
    assert set(pages) == NEEDED
    assert {name for name, text in pages.items() if not text.isascii()} == set()
    assert {name for name, text in pages.items() if len(text) > 4095} == set()


@pytest.mark.parametrize(
    ("more", "captive", "seconds", "data"),
    [
        ({}, True, None, None),
        ({"logged-in": "yes"}, False, None, None),
        ({"logged-in": "yes", "session-timeout-secs": "90"}, False, 90, None),
        ({"logged-in": "yes", "remain-bytes-total": "5000"}, False, None, 5000),
        (
            {"logged-in": "yes", "session-timeout-secs": "9", "remain-bytes-total": "1"},
            False,
            9,
            1,
        ),
    ],
)
def test_the_api_answers_as_rfc_8908_says(
    more: dict[str, str], captive: object, seconds: int | None, data: int | None
) -> None:
    _, _, body = page("api.json", GUEST | more)
    said = json.loads(body)
    assert said.pop("user-portal-url") == f"{PORTAL}/"
    assert said.pop("can-extend-session") is True
    assert said.pop("captive") is captive
    expected = {"seconds-remaining": seconds, "bytes-remaining": data}
    assert said == {name: value for name, value in expected.items() if value is not None}
    assert len(body) < 4096


def test_a_visitor_is_handed_over_with_everything_escaped() -> None:
    status, location, _ = page("login.html", GUEST)
    parts = urlsplit(location)
    assert (status, f"{parts.scheme}://{parts.netloc}") == (302, PORTAL)
    assert "dst=http%3A%2F%2Fexample.com%2F%3Fa%3D1%26b%3D2" in parts.query


@pytest.mark.parametrize("name", ["rlogin.html", "redirect.html"])
def test_a_visitor_without_a_page_is_sent_to_the_login_page(name: str) -> None:
    status, location, _ = page(name, GUEST)
    assert (status, location.partition("?")[0]) == (302, GUEST["link-login-only"])


@pytest.mark.parametrize("error", ["invalid username or password", '"><script>alert(1)</script>'])
def test_a_refused_login_leaves_the_router_and_cannot_loop(error: str) -> None:
    refused = GUEST | {"error": error, "error-orig": error}
    status, location, body = page("login.html", refused)
    assert (status, urlsplit(location).netloc) == (302, urlsplit(PORTAL).netloc)
    assert GUEST["link-login-only"] not in location.partition("?")[0]
    assert "<script>alert" not in body
    status, location, body = page("login.html", refused | {"var": "voucher"})
    assert (status, location, "not accepted" in body) == (200, "", True)


@pytest.mark.parametrize("name", ["error.html", "logout.html"])
def test_a_voucher_can_be_typed_while_the_box_is_down(name: str) -> None:
    _, _, body = page(name, GUEST)
    assert f'href="{GUEST["link-login-only"]}?var=voucher"' in body
    status, _, body = page("login.html", GUEST | {"var": "voucher"})
    assert (status, f'action="{GUEST["link-login-only"]}"' in body) == (200, True)
    assert PORTAL not in body.partition("<form")[0]


@pytest.mark.parametrize("version", ["6.49", "7.21"])
async def test_the_pages_that_were_uploaded_are_those_that_a_phone_is_shown(version: str) -> None:
    async with a_router(version) as router, door_to(router) as door:  # type: ignore[arg-type]
        assert (await got(router, "/login"))[0] == 404
        await set_up(door, a_wish(portal_url=PORTAL))
        status, location, _ = await got(router, "/generate_204")
        assert (status, "/login?dst=" in location) == (302, True)
        status, location, _ = await got(router, "/login")
        assert (status, location.startswith(f"{PORTAL}/?mac=02")) == (302, True)
        _, _, said = await got(router, "/api")
        assert json.loads(said)["captive"] is True


def test_an_address_that_a_page_cannot_hold_is_refused() -> None:
    for address in ("ftp://x", "http://x/$(mac)", 'http://x/"', "http://x/?a=b", "http://é/"):
        with pytest.raises(ValueError, match="portal's address"):
            render_pages(address)


async def test_a_file_is_lent_to_whoever_knows_where_and_to_nobody_else() -> None:
    async with lending("127.0.0.1") as lender, aiohttp.ClientSession() as session:
        url = await lender.lend("a page")
        async with session.get(url) as answer:
            assert (answer.status, await answer.text()) == (200, "a page")
        base = url.rpartition("/")[0]
        for path in ("/", "/login.html", "/../etc/passwd"):
            async with session.get(f"{base}{path}") as answer:
                assert answer.status == 404
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(b"\x00" * 20_000)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_the_portal_hands_the_pages_out_for_a_router_that_can_only_fetch() -> None:
    routes = router_pages(render_pages(PORTAL))
    app = aiohttp.web.Application()
    app.add_routes(routes)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}/router"
    async with aiohttp.ClientSession() as session:
        for path in files("provisioning").joinpath("hotspot").iterdir():
            async with session.get(f"{base}/{path.name}") as answer:
                assert await answer.text() == render_pages(PORTAL)[path.name]
        async with session.get(f"{base}/pages.py") as answer:
            assert answer.status == 404
    await runner.cleanup()
