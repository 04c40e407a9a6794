"""Alive, ready, and what is scraped: the admin door as a watcher sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appliance.app.doors import Opened
from appliance.domain.errors import StoreUnavailable
from appliance.web import health
from appliance.web.admin import build_admin
from appliance.web.cron import Cron, Report
from appliance.web.health import Check, Health, NotReady
from appliance.web.knocking import knocking_at
from appliance.web.listening import listening
from tests.web.desk import shell

TOKEN = "of-the-scraper-16-or-more"
FACTS = {"routerAnsweredSecondsAgo": None, "clockTrusted": False}
Client = TestClient[web.Request, web.Application]


async def _nothing() -> Sequence[Report]:
    return []


@asynccontextmanager
async def watched(
    checks: Mapping[str, Check],
    late: Callable[[], tuple[str, ...]] = lambda: (),
    metrics_token: str | None = None,
) -> AsyncIterator[Client]:
    told = Health(
        checks=checks,
        late=late,
        scrape=lambda: b"edge_build_info 1\n",
        facts=lambda: FACTS,
        metrics_token=metrics_token,
    )
    cron = Cron(_nothing, None)
    async with TestClient(TestServer(build_admin(told, cron, shell(), []))) as client:
        yield client


async def test_a_box_whose_loops_come_round_is_alive_and_one_that_hangs_is_not() -> None:
    late: list[str] = []
    async with watched({}, lambda: tuple(late)) as client:
        answer = await client.get("/healthz")
        told = {"alive": True, "late": [], "upSeconds": 0}
        assert (answer.status, await answer.json()) == (200, told)
        late.append("voucher 3")
        answer = await client.get("/healthz")
        told = {"alive": False, "late": late, "upSeconds": 0}
        assert (answer.status, await answer.json()) == (503, told)


async def test_a_box_says_why_it_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_LONGEST_CHECK", 0.01)

    async def away() -> None:
        raise StoreUnavailable("mongodb://user:secret@host")

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def full() -> None:
        raise NotReady("only 9 MB of the disk are free")

    checks = {"well": _nothing, "database": away, "schema": hangs, "disk": full}
    async with watched(checks) as client:
        answer = await client.get("/readyz")
        reasons = {
            "database": "database_away",
            "schema": "slow",
            "disk": "only 9 MB of the disk are free",
        }
        told = {"ready": False, "reasons": reasons, "facts": FACTS}
        assert (answer.status, await answer.json()) == (503, told)
    async with watched({"well": _nothing}) as client:
        answer = await client.get("/readyz")
        told = {"ready": True, "reasons": {}, "facts": FACTS}
        assert (answer.status, await answer.json()) == (200, told)


async def test_a_box_is_ready_while_all_its_doors_are_open() -> None:
    @asynccontextmanager
    async def door() -> AsyncIterator[None]:
        yield

    opened = Opened(("portal", "webhooks"))
    async with watched(opened.checks()) as client:
        async with opened.door("portal", door()):
            answer = await client.get("/readyz")
            assert (await answer.json())["reasons"] == {"webhooks": "closed"}
            async with opened.door("webhooks", door()):
                assert (await client.get("/readyz")).status == 200
        assert (await client.get("/readyz")).status == 503


async def test_what_is_scraped_is_prometheus_text_that_nobody_keeps() -> None:
    async with watched({}) as client:
        answer = await client.get("/metrics")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["Cache-Control"] == "no-store"
        assert await answer.read() == b"edge_build_info 1\n"


OURS = ("192.168.88.2", 8082)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every caller come from another machine."""
    monkeypatch.setattr(health, "_ends", lambda _: (OURS, ("192.168.88.20", 40000)))


@pytest.mark.usefixtures("elsewhere")
async def test_from_elsewhere_the_token_is_needed_and_no_header_stands_in_for_it() -> None:
    async with watched({}, metrics_token=TOKEN) as client:
        for wrong in (
            {},
            {"Authorization": "Bearer"},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Basic {TOKEN}"},
            {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Host": "127.0.0.1"},
        ):
            answer = await client.get("/metrics", headers=wrong)
            assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert "edge_" not in await answer.text()
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (answer.status, await answer.read()) == (200, b"edge_build_info 1\n")
        assert (await client.get("/healthz")).status == 200


@pytest.mark.usefixtures("elsewhere")
async def test_from_elsewhere_there_are_no_metrics_where_no_token_is_set() -> None:
    async with watched({}) as client:
        answer = await client.get("/metrics", headers={"Authorization": "Bearer None"})
        assert answer.status == 404
        assert (await answer.json())["error"]["code"] == "metrics_token_unset"


async def test_whoever_comes_by_the_unix_socket_needs_no_token(tmp_path: Path) -> None:
    listen = f"unix:{tmp_path / 'admin.sock'}"
    told = Health(checks={}, late=lambda: (), scrape=lambda: b"x 1\n", metrics_token=TOKEN)
    async with (
        listening(build_admin(told, Cron(_nothing, None), shell(), []), listen),
        knocking_at(listen) as http,
    ):
        assert (await http.get("/metrics")).text == "x 1\n"


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ((OURS, (OURS[0], 40000)), 200),
        ((("::1", 8082, 0, 0), ("::1", 40000, 0, 0)), 200),
        ((("::ffff:127.0.0.1", 8082, 0, 0), ("::ffff:127.0.1.1", 40000, 0, 0)), 200),
        ((("::ffff:10.0.0.1", 8082, 0, 0), ("::ffff:10.0.0.2", 40000, 0, 0)), 401),
        ((("fe80::1", 8082, 0, 2), ("fe80::2%eth0", 40000, 0, 2)), 401),
        ((None, None), 401),
    ],
)
async def test_the_box_itself_needs_no_token_by_whichever_of_its_addresses(
    monkeypatch: pytest.MonkeyPatch, ends: object, status: int
) -> None:
    monkeypatch.setattr(health, "_ends", lambda _: ends)
    async with watched({}, metrics_token=TOKEN) as client:
        assert (await client.get("/metrics")).status == status
