"""What a router is asked to do for a voucher's life, over the real API socket."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from appliance.domain.devices import Device, HotspotUser
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router.api import RouterApi
from appliance.router.pool import Address, Pool
from appliance.sandbox.routeros.hotspot import mac_of
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from tests.box import CUT

CODE = "ABC3DEF4GH"
USER = HotspotUser(name=CODE, profile="appliance-1x-full.", limit_uptime=timedelta(hours=1))
FAMILY = HotspotUser(
    name=CODE,
    profile="appliance-3x-full.",
    limit_uptime=timedelta(hours=1),
    limit_bytes_total=5_000_000,
    shared_users=3,
)


@pytest.fixture
async def router() -> AsyncIterator[PretendRouter]:
    async with pretend_router(RouterOptions(api_port=0, web_port=0)) as running:
        yield running


@pytest.fixture
async def api(router: PretendRouter) -> AsyncIterator[RouterApi]:
    pool = Pool(
        Address(
            host="127.0.0.1",
            port=router.api_port,
            username="appliance",
            password="sandbox",
            timeout=2,
        )
    )
    yield RouterApi(pool)
    await pool.close()


def device(router: PretendRouter, number: int) -> Device:
    """Return a device that the router has heard."""
    address = f"127.0.1.{number}"
    router.hotspot.join(address)
    return Device(mac_of(address), address)


def names(router: PretendRouter) -> set[str]:
    return {user.name for user in router.hotspot.users}


async def test_only_users_with_our_mark_are_ours(api: RouterApi, router: PretendRouter) -> None:
    await api.ensure_user(FAMILY)
    router.hotspot.config.users.add({"name": "friend", "comment": "hotspot"})
    (entry,) = await api.users()
    assert entry.name == CODE
    assert entry.limit_uptime == timedelta(hours=1)
    assert entry.limit_bytes_total == 5_000_000
    assert not entry.disabled
    assert await api.users(name=CODE) == [entry]
    assert await api.users(name="friend") == await api.users(name="nobody") == []


async def test_what_was_used_is_the_users_counter_and_the_sessions(
    api: RouterApi, router: PretendRouter
) -> None:
    await api.ensure_user(FAMILY)
    first, second = device(router, 5), device(router, 6)
    await api.login(CODE, first)
    router.clock.pass_by(timedelta(minutes=10))
    router.hotspot.carry(first.ip, upload=1_000, download=2_000)
    router.hotspot.leave(first.ip)
    await api.login(CODE, second)
    router.clock.pass_by(timedelta(minutes=5))
    router.hotspot.carry(second.ip, download=500)
    (entry,) = await api.users()
    (session,) = await api.sessions()
    assert timedelta(minutes=10) <= entry.uptime < timedelta(minutes=11)
    assert entry.moved == 3_000
    assert session.mac == second.mac
    assert timedelta(minutes=5) <= session.uptime < timedelta(minutes=6)
    assert session.moved == 500


async def test_a_cut_leaves_no_user_no_session_and_no_cookie(
    api: RouterApi, router: PretendRouter
) -> None:
    await api.ensure_user(FAMILY)
    inside = [device(router, number) for number in (5, 6)]
    for one in inside:
        await api.login(CODE, one)
        router.hotspot.cookies.issue("cookie", CODE, one.mac)
    were_in = await api.cut(CODE)
    assert {session.mac for session in were_in} == {one.mac for one in inside}
    assert names(router) == {"admin"}
    assert router.hotspot.sessions == []
    assert router.hotspot.cookies.all() == []
    assert await api.cut(CODE) == []


async def test_a_cut_touches_nobody_elses_user(api: RouterApi, router: PretendRouter) -> None:
    router.hotspot.config.users.add({"name": CODE, "password": CODE})
    other = device(router, 5)
    await api.login(CODE, other)
    assert await api.cut(CODE) == []
    assert router.hotspot.is_online(other.ip)
    assert CODE in names(router)


async def test_a_cut_of_one_name_spares_those_that_begin_alike(
    api: RouterApi, router: PretendRouter
) -> None:
    await api.ensure_user(USER)
    longer = HotspotUser(name=f"{CODE}X", profile=USER.profile, limit_uptime=USER.limit_uptime)
    await api.ensure_user(longer)
    await api.login(longer.name, device(router, 5))
    await api.cut(CODE)
    assert longer.name in names(router)
    assert router.hotspot.is_online("127.0.1.5")


@pytest.mark.parametrize("command", CUT)
@pytest.mark.parametrize("when", ["cut_before_command", "cut_after_command"])
async def test_a_cut_that_is_broken_off_anywhere_is_finished_by_the_next(
    api: RouterApi, router: PretendRouter, command: str, when: str
) -> None:
    await api.ensure_user(USER)
    await api.login(CODE, device(router, 5))
    router.hotspot.cookies.issue("cookie", CODE, mac_of("127.0.1.5"))
    router.faults.set({when: command})
    with pytest.raises(RouterUnreachable):
        await api.cut(CODE)
    await api.cut(CODE)
    assert names(router) == {"admin"}
    assert not router.hotspot.is_online("127.0.1.5")
    assert router.hotspot.cookies.all() == []


async def test_a_cut_that_the_router_refuses_is_no_cut(
    api: RouterApi, router: PretendRouter
) -> None:
    await api.ensure_user(USER)
    router.faults.set({"trap": {"/ip/hotspot/user/remove": "failure: busy"}})
    with pytest.raises(RouterRefused):
        await api.cut(CODE)
    (entry,) = await api.users()
    assert entry.disabled


async def test_one_device_leaves_and_the_others_stay(api: RouterApi, router: PretendRouter) -> None:
    await api.ensure_user(FAMILY)
    stays, goes = device(router, 5), device(router, 6)
    for one in (stays, goes):
        await api.login(CODE, one)
        router.hotspot.cookies.issue("cookie", CODE, one.mac)
    await api.leave(CODE, goes.mac)
    assert router.hotspot.is_online(stays.ip)
    assert not router.hotspot.is_online(goes.ip)
    assert [cookie.mac for cookie in router.hotspot.cookies.all()] == [stays.mac]
    await api.leave(CODE, goes.mac)


async def test_limits_are_set_on_our_user_alone_and_let_it_in_again(
    api: RouterApi, router: PretendRouter
) -> None:
    await api.ensure_user(USER)
    router.hotspot.config.users.add({"name": "friend", "limit-uptime": "1h"})
    row = router.hotspot.config.users.named(CODE)
    assert row is not None
    row[1]["disabled"] = "true"
    longer = HotspotUser(
        name=CODE,
        profile=USER.profile,
        limit_uptime=timedelta(hours=3),
        limit_bytes_total=7_000_000,
    )
    await api.set_limits(longer)
    (entry,) = await api.users()
    assert entry.limit_uptime == timedelta(hours=3)
    assert entry.limit_bytes_total == 7_000_000
    assert not entry.disabled
    stranger = HotspotUser(name="friend", profile="default", limit_uptime=timedelta(hours=9))
    await api.set_limits(stranger)
    assert {user.limit_uptime for user in router.hotspot.users} == {None, "1h", "3h"}


async def test_a_row_that_makes_no_sense_is_no_answer(
    api: RouterApi, router: PretendRouter
) -> None:
    await api.ensure_user(USER)
    row = router.hotspot.config.users.named(CODE)
    assert row is not None
    row[1]["uptime"] = "soon"
    with pytest.raises(RouterRefused, match="without a usable"):
        await api.users()


async def test_two_thousand_users_are_read_with_one_command(
    api: RouterApi, router: PretendRouter
) -> None:
    for number in range(2_000):
        router.hotspot.config.users.add(
            {"name": f"CODE{number}", "comment": "hotspot-appliance", "limit-uptime": "1h"}
        )
    assert len(await api.users()) == 2_000
