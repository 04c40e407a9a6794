"""Two processes share one database: a new token kills the one before, so only one may fetch it."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from appliance.mpesa.tokens import LEASE
from appliance.sandbox.daraja.oauth import Tokens
from appliance.store.records import books
from tests.journeys.crowd import NUMBER
from tests.world import World

CROWD = 100


class Counted:
    """The real token office, with a count of who came and a door that can be shut."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted, generate = Counted(), Tokens.generate

    async def counting(self: Tokens, request: web.Request) -> web.Response:
        counted.asked += 1
        await counted.open.wait()
        return await generate(self, request)

    monkeypatch.setattr(Tokens, "generate", counting)
    return counted


@pytest.fixture
async def shared(office: Counted, still_world: World) -> AsyncIterator[World]:
    yield still_world
    office.open.set()


class Crowd:
    """One process of many customers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def gathered(cls, world: World, kind: str, first: int, count: int) -> "Crowd":
        command = [sys.executable, "-m", "tests.journeys.crowd", str(world.settings), kind]
        process = await asyncio.create_subprocess_exec(
            *command,
            str(first),
            str(count),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "APPLIANCE_MONGODB__DATABASE": world.database},
        )
        assert process.stdout is not None
        assert await process.stdout.readline() == b"open\n"
        return cls(process)

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def got(self) -> list[str]:
        output, _ = await self.process.communicate()
        found: list[str] = json.loads(output)
        return found


async def give_old_token(world: World, **credentials: Any) -> None:
    async with world.store() as store:
        paybills = books(store).paybills
        paybill = await paybills.find("paybillInfo.number", NUMBER)
        assert paybill is not None
        old = replace(paybill.credentials, access_token="old", **credentials)
        await paybills.change(paybill, replace(paybill, credentials=old))


def moment(**away: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(**away)


@pytest.mark.parametrize("kind", ["tokens", "pushes"])
async def test_two_processes_fetch_an_expired_token_once(
    shared: World, office: Counted, kind: str
) -> None:
    await give_old_token(shared, token_expires_at=moment(hours=-1))
    crowds = [await Crowd.gathered(shared, kind, n * CROWD, CROWD) for n in range(2)]
    for crowd in crowds:
        crowd.go()
    got = [answer for crowd in crowds for answer in await crowd.got()]
    assert len(got) == 2 * CROWD
    assert len(set(got)) == (1 if kind == "tokens" else 2 * CROWD)
    assert office.asked == 1


async def test_two_processes_replace_a_dead_token_once(shared: World, office: Counted) -> None:
    await give_old_token(shared, token_expires_at=moment(hours=1))
    crowds = [await Crowd.gathered(shared, "pushes", n * CROWD, CROWD) for n in range(2)]
    for crowd in crowds:
        crowd.go()
    got = [answer for crowd in crowds for answer in await crowd.got()]
    assert len(set(got)) == 2 * CROWD
    assert office.asked == 1


async def test_who_dies_while_fetching_holds_nobody_up_for_longer_than_the_lease(
    shared: World, office: Counted
) -> None:
    await give_old_token(shared, token_expires_at=moment(hours=-1))
    office.open.clear()
    first = await Crowd.gathered(shared, "tokens", 0, 1)
    second = await Crowd.gathered(shared, "tokens", 0, 1)
    first.go()
    async with asyncio.timeout(10):
        while not office.asked:
            await asyncio.sleep(0.01)
    first.process.kill()
    await first.process.wait()
    office.open.set()
    began = time.monotonic()
    second.go()
    (token,) = await second.got()
    assert time.monotonic() - began < LEASE.total_seconds() + 2
    assert token != "old"
    assert office.asked == 2


async def test_a_lease_of_long_ago_is_no_lease(shared: World, office: Counted) -> None:
    await give_old_token(
        shared,
        token_expires_at=moment(hours=-1),
        refresh_holder="gone",
        refresh_lease_until=moment(minutes=-5),
    )
    crowd = await Crowd.gathered(shared, "tokens", 0, 1)
    began = time.monotonic()
    crowd.go()
    await crowd.got()
    assert time.monotonic() - began < LEASE.total_seconds() / 2
    assert office.asked == 1
