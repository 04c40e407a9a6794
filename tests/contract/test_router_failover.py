"""Two ways to one router: what is done when the API does not answer, and when it does again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from math import inf

import pytest

from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router.api import RouterApi
from appliance.router.failover import Failover
from appliance.router.line import Line
from appliance.router.pool import Pool
from appliance.router.ssh import RouterSsh
from appliance.sandbox.routeros.hotspot import mac_of
from appliance.sandbox.routeros.server import PretendRouter, pretend_router
from tests.ways import CODE, USER, address, heard, login, names, options

ADD, LOGIN, PRINT = "/ip/hotspot/user/add", "/ip/hotspot/active/login", "/ip/hotspot/active/print"


@dataclass(frozen=True)
class Both:
    """A router with both ways to it."""

    router: PretendRouter
    hotspot: Failover
    pool: Pool
    line: Line

    def soon(self) -> None:
        """Let every wait before a next attempt be over."""
        for patience in (self.hotspot.patience, self.pool.patience, self.line.patience):
            patience.until = 0.0

    async def tried(self) -> None:
        """Wait for a trial of the API that is under way."""
        if self.hotspot._trial is not None:
            await self.hotspot._trial


@pytest.fixture
async def both() -> AsyncIterator[Both]:
    async with pretend_router(options()) as router:
        pool = Pool(replace(address(router), timeout=0.5))
        line = Line(replace(login(router), timeout=3))
        failover = Failover(RouterApi(pool), RouterSsh(line))
        yield Both(router, failover, pool, line)
        await failover.close()
        await line.close()
        await pool.close()


async def test_while_the_api_answers_nothing_goes_by_ssh(both: Both) -> None:
    both.router.faults.set({"ssh_refuse": True})
    one = heard(both.router)
    await both.hotspot.ensure_user(USER)
    await both.hotspot.login(CODE, one)
    assert [session.mac for session in await both.hotspot.sessions(user=CODE)] == [one.mac]
    assert both.hotspot.way == "api"


@pytest.mark.parametrize("trouble", ["refuse", "hang", "rubbish", "half_close"])
async def test_whatever_ails_the_api_ssh_carries_the_work(both: Both, trouble: str) -> None:
    both.router.faults.set({trouble: True})
    one = heard(both.router)
    await both.hotspot.ensure_user(USER)
    assert both.hotspot.way == "ssh"
    await both.hotspot.login(CODE, one)
    await both.hotspot.cut(CODE)
    assert not both.router.hotspot.is_online(one.ip)
    both.router.faults.set({})
    both.soon()
    assert await both.hotspot.host(ip=one.ip) == one
    await both.tried()
    assert await both.hotspot.host(ip=one.ip) == one
    assert both.hotspot.way == "api"


async def test_nobody_waits_for_an_api_that_is_known_to_be_out(both: Both) -> None:
    both.router.faults.set({"hang": True})
    await both.hotspot.ensure_user(USER)
    both.hotspot.patience.until = inf
    asked = 0
    command = both.pool.command

    async def counted(*words: str) -> list[dict[str, str]]:
        nonlocal asked
        asked += 1
        return await command(*words)

    both.pool.command = counted  # type: ignore[method-assign] # a count of what is sent
    for _ in range(5):
        await both.hotspot.ensure_user(USER)
    assert asked == 0
    assert both.hotspot.way == "ssh"


async def test_a_refusal_is_an_answer_and_is_asked_once(both: Both) -> None:
    both.router.faults.set({"trap": {LOGIN: "failure: busy"}, "ssh_refuse": True})
    with pytest.raises(RouterRefused, match="busy"):
        await both.hotspot.login(CODE, heard(both.router))
    assert both.hotspot.way == "api"


async def test_a_wrong_password_at_the_api_leaves_ssh(both: Both) -> None:
    wrong = Pool(replace(address(both.router), password="wrong"))
    hotspot = Failover(RouterApi(wrong), RouterSsh(both.line))
    await hotspot.ensure_user(USER)
    assert hotspot.way == "ssh"
    await hotspot.close()
    await wrong.close()


@pytest.mark.parametrize("fault", ["cut_before_command", "cut_after_command", "late_answer"])
@pytest.mark.parametrize("command", [ADD, LOGIN, PRINT])
async def test_whatever_became_of_a_command_it_is_done_once(
    both: Both, fault: str, command: str
) -> None:
    one = heard(both.router)
    both.router.faults.set({fault: command})
    await both.hotspot.ensure_user(USER)
    await both.hotspot.login(CODE, one)
    assert [session.mac for session in await both.hotspot.sessions(user=CODE)] == [one.mac]
    assert [user.name for user in both.router.hotspot.users].count(CODE) == 1
    assert len(both.router.hotspot.logins) == 1


@pytest.mark.parametrize(
    "command", ["user set", "active print", "active remove", "cookie", "user remove"]
)
@pytest.mark.parametrize("fault", ["ssh_cut_before_command", "ssh_cut_after_command"])
async def test_a_cut_that_ssh_breaks_off_is_finished_by_whoever_comes_next(
    both: Both, fault: str, command: str
) -> None:
    await both.hotspot.ensure_user(USER)
    await both.hotspot.login(CODE, heard(both.router))
    both.router.hotspot.cookies.issue("cookie", CODE, mac_of("127.0.1.5"))
    both.router.faults.set({"refuse": True, fault: command})
    try:
        await both.hotspot.cut(CODE)
    except RouterUnreachable:
        both.soon()
        await both.hotspot.cut(CODE)
    assert names(both.router) == {"admin"}
    assert both.router.hotspot.sessions == []
    assert both.router.hotspot.cookies.all() == []


async def test_with_both_out_it_is_said_of_both_and_either_may_come_back(both: Both) -> None:
    both.router.faults.set({"refuse": True, "ssh_refuse": True})
    with pytest.raises(RouterUnreachable, match=r"api: .*; ssh: "):
        await both.hotspot.users()
    both.router.faults.set({"ssh_refuse": True})
    both.soon()
    assert await both.hotspot.users() == []
    assert both.hotspot.way == "api"


async def test_each_task_hears_the_way_of_its_own_command(both: Both) -> None:
    both.router.faults.set({"refuse": True})
    began, ended = asyncio.Event(), asyncio.Event()

    async def by_ssh() -> str:
        await both.hotspot.users()
        began.set()
        await ended.wait()
        return both.hotspot.way

    async def by_api() -> str:
        await began.wait()
        both.router.faults.set({"ssh_refuse": True})
        both.soon()
        await both.hotspot.users()
        ended.set()
        return both.hotspot.way

    ways = await asyncio.gather(by_ssh(), by_api())
    assert list(ways) == ["ssh", "api"]


async def test_health_tells_which_way_is_out(both: Both) -> None:
    both.router.faults.set({"license_level": 4})
    well = await both.hotspot.health()
    assert (well.way, well.silent, well.most_online, well.online) == ("api", (), 200, 0)
    assert well.version.startswith("7.21")
    assert well.alarms() == []
    both.router.faults.set({"ssh_refuse": True})
    half = await both.hotspot.health()
    assert half.way == "api"
    assert [alarm for alarm in half.alarms() if "way to the router is out, ssh: " in alarm]
    both.router.faults.set({"refuse": True})
    both.soon()
    other = await both.hotspot.health()
    assert other.way == "ssh"
    assert [alarm for alarm in other.alarms() if "way to the router is out, api: " in alarm]
    both.router.faults.set({})
    both.soon()
    assert (await both.hotspot.health()).alarms() == []
