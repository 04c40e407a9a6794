"""What a router is asked to do for a voucher's life, over the real API socket."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from appliance.domain.devices import HotspotUser
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router.api import RouterApi
from appliance.sandbox.routeros.hotspot import mac_of
from appliance.sandbox.routeros.server import PretendRouter
from tests.box import CUT
from tests.ways import CODE, USER, address, by_api, heard, names

FAMILY = HotspotUser(
    name=CODE,
    profile="appliance-3x-full.",
    limit_uptime=timedelta(hours=1),
    limit_bytes_total=5_000_000,
    shared_users=3,
)


@pytest.fixture
async def api(router: PretendRouter) -> AsyncIterator[RouterApi]:
    async with by_api(address(router)) as way:
        yield way


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
    first, second = heard(router, 5), heard(router, 6)
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


@pytest.mark.parametrize("command", CUT)
@pytest.mark.parametrize("when", ["cut_before_command", "cut_after_command"])
async def test_a_cut_that_is_broken_off_anywhere_is_finished_by_the_next(
    api: RouterApi, router: PretendRouter, command: str, when: str
) -> None:
    await api.ensure_user(USER)
    await api.login(CODE, heard(router, 5))
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
