"""Alive, ready, and what is scraped: the admin door as a watcher sees it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appliance.app.doors import Opened
from appliance.domain.errors import StoreUnavailable
from appliance.web import health
from appliance.web.admin import build_admin
from appliance.web.cron import Cron, Report
from appliance.web.health import Check, Health
from tests.web.desk import shell

Client = TestClient[web.Request, web.Application]


async def _nothing() -> Sequence[Report]:
    return []


@asynccontextmanager
async def watched(
    checks: Mapping[str, Check], late: Callable[[], tuple[str, ...]] = lambda: ()
) -> AsyncIterator[Client]:
    told = Health(checks=checks, late=late, scrape=lambda: b"edge_build_info 1\n")
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

    async with watched({"well": _nothing, "database": away, "disk": hangs}) as client:
        answer = await client.get("/readyz")
        told = {"ready": False, "reasons": {"database": "database_away", "disk": "slow"}}
        assert (answer.status, await answer.json()) == (503, told)
    async with watched({"well": _nothing}) as client:
        answer = await client.get("/readyz")
        assert (answer.status, await answer.json()) == (200, {"ready": True, "reasons": {}})


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
