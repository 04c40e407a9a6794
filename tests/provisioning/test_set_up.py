"""The router is set up and taken back: over its API, on every version, however often it is cut."""

from datetime import timedelta

import pytest

from appliance.domain.devices import HotspotUser
from appliance.domain.errors import RouterRefused
from appliance.router.api import RouterApi
from appliance.router.pool import Pool
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.server import PretendRouter
from appliance.sandbox.routeros.versions import NAMES
from appliance.sandbox.routeros.versions import Name as VersionName
from provisioning.door import ApiDoor, Door
from provisioning.visit import Stopped, apply, look, planned
from provisioning.wish import Wish
from tests.provisioning.routers import (
    PLANS,
    DeviceDoor,
    Killed,
    MortalDoor,
    a_router,
    a_wish,
    door_to,
    exported,
    file_names,
    left_to_do,
    set_up,
    taken_back,
)

PROFILE = "/ip/hotspot/profile"
every_version = pytest.mark.parametrize("version", NAMES)
every_kind = pytest.mark.parametrize(
    "asked", [{}, {"interface": "ether5", "hosts": ("bank.example.com",)}, {"ssh": True}]
)


def on_ether5(router: PretendRouter) -> None:
    router.device.network.addresses.add({"address": "10.9.0.1/24", "interface": "ether5"})


def profile_of(router: PretendRouter, name: str) -> dict[str, str]:
    return router.hotspot.config.server_profiles.named_row(name)


@every_version
@every_kind
async def test_what_is_set_up_stays_so_and_can_be_taken_back_without_a_trace(
    version: VersionName, asked: dict[str, object]
) -> None:
    async with a_router(version) as router, door_to(router) as door:
        on_ether5(router)
        wish = a_wish(**asked)
        before, files = exported(router.device), file_names(router.device)
        assert await set_up(door, wish) > 10
        made = exported(router.device)
        assert await left_to_do(door, wish) == []
        assert await set_up(door, wish) == 0
        assert exported(router.device) == made
        assert made != before
        await taken_back(door)
        assert exported(router.device) == before
        assert file_names(router.device) == files
        assert await taken_back(door) == 0


async def test_a_set_up_killed_at_any_step_ends_where_an_unbroken_one_does() -> None:
    device = Device(Faults())
    device.network.addresses.add({"address": "10.9.0.1/24", "interface": "ether5"})
    await killed_at_every_step(DeviceDoor(device), device, a_wish(interface="ether5"))


async def test_so_does_one_on_a_router_that_has_to_fetch_its_pages() -> None:
    async with a_router("6.49") as router, door_to(router) as door:
        await killed_at_every_step(door, router.device, a_wish())


async def killed_at_every_step(door: Door, device: Device, wish: Wish) -> None:
    before = exported(device)
    counting = MortalDoor(door, dies_at=0, after=True)
    await set_up(counting, wish)
    unbroken, files = exported(device), file_names(device)
    for step in range(1, counting.writes + 1):
        for after in (False, True):
            await taken_back(door)
            with pytest.raises(Killed):
                await set_up(MortalDoor(door, step, after), wish)
            await set_up(door, wish)
            left = sorted(exported(device).split("\n"))
            assert (step, left) == (step, sorted(unbroken.split("\n")))
            assert file_names(device) == files
    await taken_back(door)
    assert exported(device) == before


@pytest.mark.parametrize("after", [False, True])
async def test_a_removal_killed_at_any_step_is_finished_by_the_next(
    after: bool,  # noqa: FBT001 # a parameter of the test
) -> None:
    device = Device(Faults())
    door, wish, before = DeviceDoor(device), a_wish(), exported(device)
    step, cut = 0, True
    while cut:
        step, cut = step + 1, False
        await set_up(door, wish)
        try:
            await taken_back(MortalDoor(door, step, after))
        except Killed:
            cut = True
            await taken_back(door)
        assert (step, exported(device)) == (step, before)
    assert step > 15


async def test_a_set_up_goes_on_after_the_router_went_away_in_the_middle() -> None:
    async with a_router() as router, door_to(router) as door:
        router.faults.set({"cut_after_command": f"{PROFILE}/set"})
        with pytest.raises(Stopped, match=r"after \d+ of \d+ steps, at change /ip/hotspot/pro"):
            await set_up(door, a_wish())
        async with door_to(router) as again:
            await set_up(again, a_wish())
            assert await left_to_do(again, a_wish()) == []


async def test_planning_changes_nothing() -> None:
    async with a_router() as router, door_to(router) as door:
        before, files = exported(router.device), file_names(router.device)
        assert await left_to_do(door, a_wish())
        assert (exported(router.device), file_names(router.device)) == (before, files)


async def test_the_services_are_limited_last_and_the_accounts_made_first() -> None:
    async with a_router() as router, door_to(router) as door:
        steps = await left_to_do(door, a_wish())
        assert [step.split()[1] for step in steps[:2]] == ["/user/group", "/user"]
        assert [step.split()[1] for step in steps[-2:]] == ["/ip/service", "/ip/service"]


async def test_a_limit_that_would_lock_us_out_is_put_back() -> None:
    async with a_router() as router, door_to(router) as door:
        with pytest.raises(Stopped, match="would not let this box in again, so it was put back"):
            await set_up(door, a_wish(box="10.5.50.77"))
        assert "address" not in router.device.services.table.named_row("api")
        async with door_to(router) as again:
            await again.signed_in()


async def test_whom_a_service_lets_in_already_it_goes_on_letting_in() -> None:
    async with a_router() as router, door_to(router) as door:
        api = router.device.services.table.named_row("api")
        api["address"] = "10.1.0.0/16,127.0.0.0/8"
        await set_up(door, a_wish())
        assert api["address"] == "10.1.0.0/16,127.0.0.0/8"
        api["address"] = "127.0.0.0/8"
        changes = planned(a_wish(box="192.168.88.5"), await look(door))
        (limit,) = [c for c in changes if c.name == "api"]
        assert limit.after == {"address": "127.0.0.0/8,192.168.88.5/32"}


async def test_what_somebody_else_made_is_left_alone() -> None:
    async with a_router() as router, door_to(router) as door:
        config = router.hotspot.config
        config.walled_garden_ip.add({"dst-host": "mine.example.com", "comment": "hotspot"})
        config.bindings.add({"address": "10.5.50.9", "type": "bypassed", "comment": "printer"})
        config.user_profiles.add({"name": "appliance"})
        router.device.accounts.users.add({"name": "box", "group": "read", "password": "theirs"})
        router.device.files.put("hotspot/login.html", "theirs")
        before, files = exported(router.device), dict(router.device.files.kept)
        await set_up(door, a_wish())
        assert router.device.accounts.users.named_row("box")["group"] == "read"
        assert router.device.files.text("hotspot/login.html") == "theirs"
        await taken_back(door)
        assert exported(router.device) == before
        assert router.device.files.kept.keys() == files.keys()


async def test_a_profile_that_was_there_keeps_its_ways_of_logging_in_and_gets_one_more() -> None:
    async with a_router() as router, door_to(router) as door:
        row = profile_of(router, "hsprof1")
        row["login-by"] = "cookie,http-chap,mac-cookie"
        row["html-directory-override"] = "shop"
        await set_up(door, a_wish())
        row = profile_of(router, "hsprof1")
        assert set(row["login-by"].split(",")) == {"cookie", "http-chap", "mac-cookie", "http-pap"}
        assert row["html-directory-override"] == "hotspot-appliance"
        await taken_back(door)
        row = profile_of(router, "hsprof1")
        assert row["login-by"] == "cookie,http-chap,mac-cookie"
        assert row["html-directory-override"] == "shop"


async def test_what_the_owner_changed_since_is_theirs_and_is_not_put_back() -> None:
    async with a_router() as router, door_to(router) as door:
        await set_up(door, a_wish())
        profile_of(router, "hsprof1")["html-directory-override"] = "new-shop"
        assert await left_to_do(door, a_wish()) == [
            "~ /ip/hotspot/profile hsprof1   (was there before us: remembered)"
        ]
        await taken_back(door)
        assert profile_of(router, "hsprof1")["html-directory-override"] == "new-shop"


async def test_drift_is_seen_and_mended_by_the_least_change() -> None:
    async with a_router() as router, door_to(router) as door:
        await set_up(door, a_wish())
        router.device.files.put("hotspot-appliance/login.html", "defaced")
        (garden,) = router.hotspot.config.walled_garden_ip.rows.values()
        garden["disabled"] = "true"
        router.device.accounts.groups.set(
            [router.device.accounts.groups.named("hotspot-appliance")[0]],  # type: ignore[index]
            {"policy": "policy,sensitive"},
        )
        assert await left_to_do(door, a_wish()) == [
            "~ /user/group hotspot-appliance",
            "~ /file hotspot-appliance/login.html",
            "~ /ip/hotspot/walled-garden/ip hotspot-appliance portal",
        ]
        await set_up(door, a_wish())
        assert await left_to_do(door, a_wish()) == []
        held = router.device.accounts.groups.named_row("hotspot-appliance")["policy"].split(",")
        assert {word for word in held if word[0] != "!"} == {"read", "write", "api"}


async def test_the_account_that_was_made_lets_the_box_in_and_no_further() -> None:
    async with a_router() as router, door_to(router) as door:
        await set_up(door, a_wish())
        async with door_to(router, "box", "not-shown-anywhere") as daily:
            await daily.signed_in()
            assert await left_to_do(daily, a_wish()) == []
            with pytest.raises(RouterRefused, match="not enough permissions"):
                await daily.add("/user", {"name": "thief", "group": "full"})


async def test_the_account_that_was_made_is_enough_to_sell_time() -> None:
    async with a_router() as router, door_to(router) as door:
        await set_up(door, a_wish())
        user = HotspotUser(
            name="ABC3DEF4GH",
            profile=PLANS[0].profile,
            rate_limit=PLANS[0].rate_limit,
            shared_users=1,
            limit_uptime=timedelta(hours=1),
        )
        router.hotspot.join("127.0.1.5")
        async with door_to(router, "box", "not-shown-anywhere") as daily:
            assert isinstance(daily.api, Pool)
            seller = RouterApi(daily.api)
            await seller.ensure_user(user)
            device = await seller.host(ip="127.0.1.5")
            assert device is not None
            await seller.login(user.name, device)
        assert router.hotspot.is_online("127.0.1.5")


async def test_a_limit_that_the_router_shows_by_a_newer_name_is_known_again() -> None:
    class Newer:
        async def command(self, *words: str) -> list[dict[str, str]]:
            assert words == ("/ip/service/print",)
            return [{".id": "*7", "name": "api", "available-from": "127.0.0.1/32"}]

    async with a_router() as router, door_to(router) as door:
        newer = ApiDoor(Newer(), door.knock, door.lender, door.folder)
        (row,) = await newer.print("/ip/service")
        assert row["address"] == "127.0.0.1/32"


async def test_pages_that_are_no_longer_wanted_go_and_profiles_of_sold_vouchers_stay() -> None:
    async with a_router() as router, door_to(router) as door:
        await set_up(door, a_wish(hosts=("bank.example.com",)))
        router.device.files.put("hotspot-appliance/old.html", "old")
        router.hotspot.config.users.add({"name": "ABC3", "profile": PLANS[0].profile})
        assert await left_to_do(door, a_wish(plans=())) == [
            "- /file hotspot-appliance/old.html",
            "- /ip/hotspot/walled-garden/ip hotspot-appliance host bank.example.com",
        ]
        await taken_back(door)
        names = router.hotspot.config.user_profiles.names()
        assert names == ["default", PLANS[0].profile]


async def test_pages_are_kept_on_the_flash_where_there_is_one() -> None:
    async with a_router() as router, door_to(router) as door:
        router.faults.set({"has_flash": True})
        await set_up(door, a_wish())
        router.device.power_cut()
        assert "flash/hotspot-appliance/login.html" in file_names(router.device)
        row = profile_of(router, "hsprof1")
        assert row["html-directory-override"] == "flash/hotspot-appliance"


async def test_a_box_that_is_a_guest_of_the_hotspot_is_let_through_by_its_mac() -> None:
    async with a_router() as router, door_to(router) as door:
        router.device.network.leases.add(
            {"address": "10.5.50.2", "mac-address": "02:00:00:00:00:01"}
        )
        wish = a_wish(box="10.5.50.2", limit_services=False)
        await set_up(door, wish)
        (binding,) = router.hotspot.config.bindings.rows.values()
        assert binding["mac-address"] == "02:00:00:00:00:01"
        assert (binding["type"], binding["address"]) == ("bypassed", "10.5.50.2")
        await apply(door, planned(a_wish(box="10.9.9.9", limit_services=False), await look(door)))
        assert router.hotspot.config.bindings.rows == {}


async def test_a_box_that_is_let_through_stays_so_when_nobody_names_its_mac_again() -> None:
    async with a_router() as router, door_to(router) as door:
        named = a_wish(box="10.5.50.2", box_mac="02:00:00:00:00:01", limit_services=False)
        await set_up(door, named)
        assert await set_up(door, a_wish(box="10.5.50.2", limit_services=False)) == 0
        (binding,) = router.hotspot.config.bindings.rows.values()
        assert binding["mac-address"] == "02:00:00:00:00:01"
