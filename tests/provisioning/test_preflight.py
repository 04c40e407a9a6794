"""Before anything is set up: what is wrong is said in plain words, with what mends it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance.sandbox.routeros.server import PretendRouter
from appliance.sandbox.routeros.versions import Name as VersionName
from provisioning.accounts import lacking
from provisioning.door import WrongAccount
from provisioning.preflight import troubles
from provisioning.trouble import Level, Trouble
from provisioning.visit import Look, look, planned
from provisioning.wish import PROBES, Wish, WrongWish
from tests.provisioning.routers import a_router, a_wish, door_to, set_up

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
GOOD: Mapping[str, list[dict[str, str]]] = {
    "/system/resource": [{"version": "7.21.4 (stable)"}],
    "/system/clock": [{"date": "2026-11-24", "time": "12:00:30", "gmt-offset": "+03:00"}],
    "/system/license": [{"nlevel": "6"}],
    "/system/device-mode": [{"mode": "advanced", "hotspot": "true"}],
    "/ip/hotspot": [{"name": "hotspot1", "interface": "bridge", "profile": "hsprof1"}],
    "/ip/hotspot/profile": [{"name": "hsprof1", "login-by": "cookie,http-pap"}],
}


def found(wish: Wish | None = None, **tables: list[dict[str, str]]) -> list[Trouble]:
    given = {f"/{name.replace('__', '/').replace('_', '-')}": rows for name, rows in tables.items()}
    return troubles(wish or a_wish(), Look({**GOOD, **given}), "box", NOW)


def only(troubles_found: list[Trouble]) -> Trouble:
    (trouble,) = troubles_found
    return trouble


def test_a_router_that_is_well_has_no_trouble() -> None:
    assert found() == []


def test_a_device_mode_without_hotspots_says_which_button_to_press() -> None:
    trouble = only(found(system__device_mode=[{"mode": "home", "hotspot": "false"}]))
    assert trouble.level is Level.FAIL
    assert "device mode (home) forbids hotspots" in trouble.what
    assert "/system/device-mode/update hotspot=yes, then press" in trouble.fix
    assert "five minutes" in trouble.fix


@pytest.mark.parametrize(
    ("packages", "version"),
    [
        ([{"name": "system"}, {"name": "hotspot", "disabled": "true"}], "6.49.18"),
        ([{"name": "system"}], "6.49.18"),
    ],
)
def test_a_missing_hotspot_package_says_where_to_get_it(
    packages: list[dict[str, str]], version: str
) -> None:
    trouble = only(found(system__package=packages, system__resource=[{"version": version}]))
    assert (trouble.level, "hotspot package" in trouble.what) == (Level.FAIL, True)
    assert "hotspot-*.npk" in trouble.fix


def test_a_router_that_does_not_know_the_menu_lacks_the_package() -> None:
    tables = {name: rows for name, rows in GOOD.items() if not name.startswith("/ip/hotspot")}
    seen = Look(tables, {"/ip/hotspot": "no such command prefix"})
    assert "hotspot package" in only(troubles(a_wish(), seen, "box", NOW)).what


@pytest.mark.parametrize(
    ("level", "how_bad", "words"),
    [("1", Level.FAIL, "lets one user"), ("4", Level.WARN, "lets 200 users"), ("6", None, "")],
)
def test_a_licence_says_how_many_it_lets_on(level: str, how_bad: Level | None, words: str) -> None:
    said = found(system__license=[{"nlevel": level}])
    assert [trouble.level for trouble in said] == ([how_bad] if how_bad else [])
    assert all(words in trouble.what for trouble in said)


def test_a_free_virtual_router_is_slow() -> None:
    assert "1 Mbit/s" in only(found(system__license=[{"level": "free"}])).what


@pytest.mark.parametrize(
    ("version", "holes"),
    [
        ("7.21.4 (stable)", []),
        ("7.19.1 (stable)", ["CVE-2025-6563"]),
        ("7.9 (stable)", ["CVE-2023-32154", "CVE-2025-6563"]),
        ("6.49.18 (long-term)", []),
        ("6.49.7 (stable)", ["CVE-2023-32154"]),
        ("6.49.6 (stable)", ["CVE-2023-30799", "CVE-2023-32154"]),
    ],
)
def test_a_version_with_known_holes_says_which_and_to_what_to_upgrade(
    version: str, holes: list[str]
) -> None:
    said = found(system__resource=[{"version": version}], system__package=[{"name": "hotspot"}])
    assert [hole for hole in holes if not any(hole in t.what for t in said)] == []
    assert len(said) == len(holes)
    assert all("upgrade to" in trouble.fix for trouble in said)


def test_a_version_from_before_is_refused() -> None:
    said = found(system__resource=[{"version": "6.48.6"}], system__package=[{"name": "hotspot"}])
    assert (said[0].level, said[0].what) == (Level.FAIL, "RouterOS 6.48.6 is too old")


@pytest.mark.parametrize(
    ("clock", "wrong"),
    [
        ({"date": "2026-11-24", "time": "12:04:00", "gmt-offset": "+03:00"}, False),
        ({"date": "nov/24/2026", "time": "09:00:00", "gmt-offset": "+00:00"}, False),
        ({"date": "1970-01-02", "time": "00:00:07", "gmt-offset": "+00:00"}, True),
        ({"date": "nov/24/2026", "time": "12:00:00", "gmt-offset": "+00:00"}, True),
    ],
)
def test_a_clock_that_is_wrong_is_told(clock: dict[str, str], wrong: bool) -> None:  # noqa: FBT001
    assert bool(found(system__clock=[clock])) is wrong


def test_somebody_elses_pages_a_free_trial_and_a_radius_server_are_told() -> None:
    profile = {
        "name": "hsprof1",
        "html-directory-override": "flash/shop",
        "login-by": "trial,http-pap",
        "use-radius": "true",
    }
    said = found(ip__hotspot__profile=[profile])
    assert [trouble.level for trouble in said] == [Level.WARN] * 3
    assert "somebody else's pages, from flash/shop" in said[0].what


def test_our_own_pages_are_no_trouble() -> None:
    row = {"name": "hsprof1", "html-directory-override": "flash/hotspot-appliance"}
    assert found(ip__hotspot__profile=[row]) == []


def test_a_walled_garden_that_hides_the_sign_in_page_is_told() -> None:
    rows = [{"dst-host": PROBES[0]}, {"dst-host": PROBES[1], "disabled": "true"}]
    assert PROBES[0] in only(found(None, **{"ip__hotspot__walled-garden": rows})).what


def test_with_several_hotspots_one_must_be_chosen() -> None:
    servers = [{"name": "one", "profile": "hsprof1"}, {"name": "two", "profile": "hsprof1"}]
    trouble = only(found(ip__hotspot=servers))
    assert (trouble.level, "one, two" in trouble.fix) == (Level.FAIL, True)
    assert found(a_wish(server="two"), ip__hotspot=servers) == []
    assert (
        "there is no hotspot 'three'"
        in only(found(a_wish(server="three"), ip__hotspot=servers)).fix
    )


def test_an_interface_needs_an_address_and_something_that_gives_addresses() -> None:
    wish = a_wish(interface="ether5")
    said = found(wish, ip__hotspot=[])
    assert ["no address" in said[0].what, "nothing gives addresses" in said[1].what] == [True, True]
    well = {
        "ip__address": [{"interface": "ether5", "address": "10.9.0.1/24"}],
        "ip__dhcp-server": [{"interface": "ether5"}],
    }
    assert found(wish, ip__hotspot=[], **well) == []


def test_a_box_among_the_guests_must_be_let_through() -> None:
    addresses = [{"interface": "bridge", "address": "10.5.50.1/24"}]
    guest = a_wish(box="10.5.50.2")
    assert "hotspot.box_mac" in only(found(guest, ip__address=addresses)).fix
    arp = [{"address": "10.5.50.2", "mac-address": "02:00:00:00:00:01"}]
    assert found(guest, ip__address=addresses, ip__arp=arp) == []
    assert found(a_wish(box="10.5.51.2"), ip__address=addresses) == []


@pytest.mark.parametrize("host", [PROBES[0], "*.gstatic.com", "not a host", "x;/system reboot"])
def test_a_host_that_must_not_be_free_is_refused(host: str) -> None:
    with pytest.raises(WrongWish, match="free_hosts"):
        a_wish(hosts=(host,))


@pytest.mark.parametrize(
    "told",
    [
        {"box": "box.lan"},
        {"box_mac": "02:00"},
        {"ntp": "a b"},
        {"interface": "a\nb"},
        {"server": ""},
        {"password": ""},
    ],
)
def test_what_cannot_be_meant_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(WrongWish):
        a_wish(**told)


async def trouble_of(router: PretendRouter, name: str = "admin") -> list[str]:
    async with door_to(router, name) as door:
        seen = await look(door)
        said = troubles(a_wish(), seen, name, datetime.now(UTC))
        if not any(trouble.level is Level.FAIL for trouble in said):
            said += lacking(planned(a_wish(), seen), seen, name)
        return [trouble.what for trouble in said]


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ({"no_hotspot_package": True}, "hotspot package"),
        ({"device_mode": "home"}, "device mode (home)"),
        ({"license_level": 1}, "lets one user"),
    ],
)
async def test_a_routers_own_tables_tell_its_troubles(
    faults: dict[str, object], words: str
) -> None:
    async with a_router() as router:
        assert await trouble_of(router) == []
        router.faults.set(faults)
        said = await trouble_of(router)
        assert [words in trouble for trouble in said] == [True]


async def test_a_clock_that_fell_back_to_1970_is_told() -> None:
    async with a_router() as router:
        await router.reboot()
        (said,) = await trouble_of(router)
        assert "clock says 1970-01-0" in said
        router.clock.pass_by(timedelta(minutes=1))
        assert await trouble_of(router) == []


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("appliance", "7.21", ["may not make accounts"]),
        ("reader", "7.21", ["may look and not change", "may not make accounts"]),
        ("appliance", "6.49", ["may not make accounts", "(policy test)"]),
        ("admin", "6.49", []),
    ],
)
async def test_an_account_that_may_not_do_it_is_told_before_anything_is_done(
    name: str, version: VersionName, words: list[str]
) -> None:
    async with a_router(version) as router:
        said = await trouble_of(router, name)
        assert [w for w, trouble in zip(words, said, strict=True) if w not in trouble] == []


async def test_a_wrong_password_says_what_to_look_at() -> None:
    async with a_router() as router, door_to(router, "admin", "guess") as door:
        with pytest.raises(WrongAccount, match=r"router\.password.*--admin NAME"):
            await door.signed_in()


async def option_114(router: PretendRouter, **more: Any) -> Wish:
    row = router.hotspot.config.server_profiles.named_row("hsprof1")
    row |= {"dns-name": "wifi.example.com", "ssl-certificate": "wifi"}
    return a_wish(option_114=True, portal_url="https://portal.example.com", **more)


async def test_phones_are_told_of_the_api_by_dhcp_where_there_is_a_certificate() -> None:
    async with a_router() as router, door_to(router) as door:
        await set_up(door, await option_114(router))
        (option,) = router.device.network.options.rows.values()
        assert option["code"] == "114"
        assert option["value"] == "'https://wifi.example.com/api'"
        (network,) = router.device.network.dhcp_networks.rows.values()
        assert network["dhcp-option"] == "hotspot-appliance-api"
        await set_up(door, a_wish(portal_url="https://portal.example.com"))
        assert router.device.network.options.rows == {}
        (network,) = router.device.network.dhcp_networks.rows.values()
        assert "dhcp-option" not in network


async def test_without_a_certificate_phones_are_not_told_and_the_reason_is() -> None:
    async with a_router() as router, door_to(router) as door:
        with pytest.raises(WrongWish, match=r"option_114: phones ask by HTTPS only.*dns-name"):
            await set_up(door, a_wish(option_114=True))
        said = troubles(a_wish(option_114=True), await look(door), "admin", datetime.now(UTC))
        assert any("https:// portal only" in t.what and t.level is Level.FAIL for t in said)
