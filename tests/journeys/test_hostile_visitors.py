"""Hostile visitors of a running box: what they put into pages, and what they could read of it."""

from itertools import cycle
from urllib.parse import urlencode

import httpx
import pytest

from tests.journeys.commands import as_json, command
from tests.world import Customer, World

pytestmark = pytest.mark.parametrize("store_kind", ["sqlite"], indirect=True)

SCRIPT = "\"'><script>alert(1)</script>"
EVIL = "https://evil.example"
PARAMETERS = (
    *("dst", "link_login", "error", "lang", "mac", "ip", "server", "buy", "brand"),
    *("code", "phone", "receipt"),
)
VALUES = (
    SCRIPT,
    "{{ 7 * 191 }}${7*191}<%= 7*191 %>",
    "javascript:alert(1)//http://",
    "x\r\nSet-Cookie: stolen=1\r\n\r\n<script>alert(1)</script>",
    f"{EVIL}\\@ok.example/",
    "//evil.example",
)


async def pages_of(customer: Customer, query: str, token: str) -> list[httpx.Response]:
    """Return every page of the portal, asked with this query or form."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [
        await customer.portal("GET", f"{path}?{query}")
        for path in ("/", f"/wait/{token}", f"/done/{token}", "/nowhere", f"/wait/{SCRIPT[:9]}")
    ]
    answers += [
        await customer.portal("POST", path, content=query, headers=form)
        for path in ("/purchase", "/redeem", "/recover")
    ]
    return answers


async def test_nothing_a_visitor_sends_runs_or_leads_away(world: World, customer: Customer) -> None:
    token = (await customer.buy())["token"]
    for shift in range(0, len(VALUES), 2):
        turned = [*VALUES[shift:], *VALUES[:shift]]
        query = urlencode(dict(zip(PARAMETERS, cycle(turned), strict=False)))
        for answer in await pages_of(customer, query, token):
            assert answer.status_code in {200, 303, 400, 404, 409, 429}
            assert answer.headers.get("location", "/").startswith("/")
            assert not answer.headers.get("location", "/").startswith("//")
            assert "set-cookie" not in answer.headers
            assert "<script>alert" not in answer.text
            assert "1337" not in answer.text
            assert 'href="javascript' not in answer.text.lower()
            assert 'href="//' not in answer.text
            assert_strict(answer)


def assert_strict(answer: httpx.Response) -> None:
    """Every answer forbids what it does not need, and is kept by nobody."""
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


async def test_no_door_says_more_than_it_has_to(world: World, customer: Customer) -> None:
    ports = world.ports
    async with httpx.AsyncClient(timeout=10) as http:
        for port in (ports.portal, ports.webhooks, ports.admin):
            for path in ("/", "/healthz", "/readyz", "/nowhere", "/api/captive/plans", "/.env"):
                answer = await http.get(f"http://127.0.0.1:{port}{path}")
                assert_strict(answer)


async def test_no_page_leads_in_circles(world: World, customer: Customer) -> None:
    token = (await customer.buy())["token"]

    async def hops(path: str) -> int:
        """Return how many redirects lead from here to a page."""
        for count in range(5):
            answer = await customer.portal("GET", path)
            if answer.status_code != 303:
                assert answer.status_code == 200
                return count
            path = answer.headers["location"]
        return 5

    for action in ("wait", "pay"):
        if action == "pay":
            await customer.phone_does(action)
            await customer.until(token, "online")
        for path in ("/", f"/wait/{token}", f"/done/{token}", "/?buy=1", "/?error=invalid"):
            assert await hops(path) <= 2


async def test_prompts_beyond_measure_are_told_when_to_come_back(
    world: World, customer: Customer
) -> None:
    for _ in range(5):
        bought = await customer.buy()
        await customer.phone_does("cancel")
        await customer.until(bought["token"], "cancelled")
    answer = await customer.ask()
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "too_many_prompts"
    assert 1 <= int(answer.headers["retry-after"]) <= 600
    form = {"plan": "hour", "phone": customer.phone, "lang": "sw"}
    page = await customer.portal("POST", "/purchase", data=form)
    assert page.status_code == 429
    assert "Subiri" in page.text
    assert len(world.near.daraja.ledger.pushes) == 5


async def test_what_lies_on_the_disk_or_is_listed_is_nobody_elses(
    world: World, customer: Customer
) -> None:
    await customer.buy()
    secret = world.settings.read_text(encoding="utf-8").partition('path_secret = "')[2][:32]
    kept = [file for file in world.folder.iterdir() if "sqlite" in file.name or "toml" in file.name]
    assert len(kept) >= 3
    assert [file.name for file in kept if file.stat().st_mode & 0o077] == []
    for words in (("webhooks", "list"), ("initiations", "list"), ("payments", "list")):
        said = await as_json(world, *words)
        assert said is not None
        assert secret not in str(said)
        assert customer.phone not in str(said)
    assert secret not in await command(world, "db", "status")
