"""What the pretend router says of itself, by version; and the rules of its hotspot."""

from contextlib import suppress

import pytest
from librouteros.api import AsyncApi
from librouteros.exceptions import LibRouterosError

from appliance.sandbox.routeros.server import PretendRouter
from tests.contract.clients import USERS, at_console, connect, raw, refused, say

older = pytest.mark.parametrize("version", ["6.49"])


# System


async def test_the_clock_can_be_set(router: PretendRouter, api: AsyncApi) -> None:
    await say(api, "/system/clock/set", "=time-zone-name=UTC", "=date=2030-01-02", "=time=03:04:05")
    (clock,) = await say(api, "/system/clock/print")
    assert (clock["date"], clock["time-zone-name"]) == ("2030-01-02", "UTC")
    assert at_console(router, ":put [/system clock get date]") == "2030-01-02"
    assert "invalid value for argument date" in await refused(
        api, "/system/clock/set", "=date=tomorrow"
    )


@older
async def test_version_6_has_its_own_dates_packages_and_time_servers(
    router: PretendRouter, api: AsyncApi
) -> None:
    await say(api, "/system/clock/set", "=date=jul/14/2030", "=time=03:04:05")
    (clock,) = await say(api, "/system/clock/print")
    assert clock["date"] == "jul/14/2030"
    packages = {row["name"] for row in await say(api, "/system/package/print")}
    assert {"system", "hotspot"} <= packages
    ntp = "/system/ntp/client/set"
    await say(api, ntp, "=enabled=yes", "=primary-ntp=10.5.50.2")
    assert await refused(api, ntp, "=servers=10.5.50.2") == "unknown parameter servers"
    assert await refused(api, "/system/device-mode/print") == "no such command prefix"
    (resource,) = await say(api, "/system/resource/print")
    assert resource["version"].startswith("6.49")
    assert "max-sessions" not in (await say(api, "/ip/service/print"))[0]
    assert "bad command name" in at_console(router, "/system device-mode print")


async def test_version_7_is_one_package_and_names_its_time_servers(api: AsyncApi) -> None:
    assert [row["name"] for row in await say(api, "/system/package/print")] == ["routeros"]
    await say(api, "/system/ntp/client/set", "=enabled=yes", "=servers=10.5.50.2")
    (client,) = await say(api, "/system/ntp/client/print")
    assert client["servers"] == "10.5.50.2"
    unknown = await refused(api, "/system/ntp/client/set", "=primary-ntp=10.5.50.2")
    assert unknown == "unknown parameter primary-ntp"


@pytest.mark.parametrize(
    ("version", "said"), [("6.49", b"\x05!done"), ("7.15", b"\x05!done"), ("7.21", b"\x06!empty")]
)
async def test_only_newer_versions_say_that_there_is_nothing(
    router: PretendRouter, said: bytes
) -> None:
    answer = await raw(router, [f"{USERS}/print", "?name=zzz"])
    assert answer.removeprefix(b"\x05!done\x00").startswith(said)


async def test_a_missing_package_takes_the_hotspots_menus_away(
    router: PretendRouter, api: AsyncApi
) -> None:
    router.faults.set({"no_hotspot_package": True})
    assert await refused(api, f"{USERS}/print") == "no such command prefix"
    assert at_console(router, "/ip hotspot user print").startswith("bad command name hotspot")
    probe = ':do { :parse "/ip hotspot profile find" } on-error={ :put absent }'
    assert at_console(router, probe) == "absent"


async def test_the_mode_of_a_new_device_forbids_a_hotspot_until_its_power_was_off(
    router: PretendRouter, api: AsyncApi
) -> None:
    router.faults.set({"device_mode": "home"})
    (mode,) = await say(api, "/system/device-mode/print")
    assert (mode["mode"], mode["hotspot"]) == ("home", False)
    server = ("/ip/hotspot/add", "=name=h2", "=interface=ether5")
    assert await refused(api, *server) == "failure: not allowed by device-mode"
    await say(api, "/system/device-mode/update", "=hotspot=yes")
    assert await refused(api, *server) == "failure: not allowed by device-mode"
    await router.reboot()
    again = await connect(router, name="admin")
    await say(again, *server)
    await again.close()


async def test_a_licence_counts_who_is_online(router: PretendRouter, api: AsyncApi) -> None:
    router.faults.set({"license_level": 3})
    (licence,) = await say(api, "/system/license/print")
    assert licence["nlevel"] == 3
    for number in (5, 6):
        router.hotspot.join(f"127.0.1.{number}")
        await say(api, f"{USERS}/add", f"=name=V{number}", f"=password=V{number}")
    login = "/ip/hotspot/active/login"
    await say(api, login, "=user=V5", "=password=V5", "=ip=127.0.1.5")
    full = await refused(api, login, "=user=V6", "=password=V6", "=ip=127.0.1.6")
    assert full.startswith("session limit reached")


async def test_a_restart_can_be_asked_for(router: PretendRouter, api: AsyncApi) -> None:
    box = await connect(router)
    assert await refused(box, "/system/reboot") == "not enough permissions (9)"
    await box.close()
    router.hotspot.join("127.0.1.5")
    with suppress(OSError, LibRouterosError):
        await say(api, "/system/reboot")
    again = await connect(router, name="admin")
    assert not router.hotspot.hosts
    await again.close()


async def test_certificates_are_named_at_the_console_too(router: PretendRouter) -> None:
    assert at_console(router, "/certificate add name=ca common-name=box key-size=1024") == ""
    assert at_console(router, "/certificate sign ca") == ""
    shown = at_console(router, ":put [/certificate get ca fingerprint]")
    made = router.device.certificates.signed("ca")
    assert made is not None
    assert shown == made.fingerprint
    assert "already signed" in at_console(router, "/certificate sign ca")


# The hotspot's own


async def test_rules_are_placed_and_moved(router: PretendRouter, api: AsyncApi) -> None:
    garden = "/ip/hotspot/walled-garden/ip"
    ids = [(await say(api, f"{garden}/add", f"=comment={name}"))[0]["ret"] for name in ("b", "c")]
    await say(api, f"{garden}/add", "=comment=a", f"=place-before={ids[0]}")

    async def order() -> str:
        return "".join(row["comment"] for row in await say(api, f"{garden}/print"))

    assert await order() == "abc"
    await say(api, f"{garden}/move", f"=numbers={ids[1]}", f"=destination={ids[0]}")
    assert await order() == "acb"
    at_console(router, f"{garden} move [find comment=a]")
    assert await order() == "cba"
    assert await refused(api, f"{USERS}/move", "=numbers=*1") == "no such command"


async def test_a_property_is_unset_where_there_is_a_command_for_it(
    router: PretendRouter, api: AsyncApi
) -> None:
    profiles = f"{USERS}/profile"
    (new,) = await say(api, f"{profiles}/add", "=name=A", "=rate-limit=2M/2M", "=shared-users=3")
    await say(api, f"{profiles}/unset", f"=numbers={new['ret']}", "=value-name=rate-limit")
    assert at_console(router, f"{profiles} unset A shared-users") == ""
    (row,) = await say(api, f"{profiles}/print", "?name=A")
    assert "rate-limit" not in row
    assert row["shared-users"] == 1
    unset = ("/unset", "=numbers=*1", "=value-name=comment")
    assert await refused(api, f"{USERS}{unset[0]}", *unset[1:]) == "no such command"


async def test_a_row_is_copied(router: PretendRouter, api: AsyncApi) -> None:
    await say(api, f"{USERS}/add", "=name=A", "=limit-uptime=1h", "=comment=x")
    assert at_console(router, f"{USERS} add copy-from=A name=B comment=y") == ""
    (row,) = await say(api, f"{USERS}/print", "?name=B")
    assert (row["limit-uptime"], row["comment"]) == ("1h", "y")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("=dst-address=10.5.50.300",), "invalid value for argument dst-address"),
        (("=protocol=tpc",), "input does not match any value of protocol"),
        (("=dst-port=http",), "invalid value for argument dst-port"),
        (("=action=allow",), "input does not match any value of action"),
    ],
)
async def test_a_rule_about_packets_is_checked(
    api: AsyncApi, words: tuple[str, ...], message: str
) -> None:
    garden = "/ip/hotspot/walled-garden/ip/add"
    assert await refused(api, garden, *words) == message
    await say(api, garden, "=dst-address=!10.0.0.1-10.0.0.9", "=protocol=tcp", "=dst-port=80,443")


async def test_a_new_server_is_off_unless_it_is_told(router: PretendRouter, api: AsyncApi) -> None:
    await say(api, "/ip/hotspot/add", "=name=h2", "=interface=ether2")
    router.faults.set({"hotspot_add_disabled": False})
    await say(api, "/ip/hotspot/add", "=name=h3", "=interface=ether3")
    await say(api, "/ip/hotspot/add", "=name=h4", "=interface=ether4", "=disabled=yes")
    rows = {row["name"]: row["disabled"] for row in await say(api, "/ip/hotspot/print")}
    assert rows == {"hotspot1": False, "h2": True, "h3": False, "h4": True}


async def test_properties_come_and_go_with_the_version(api: AsyncApi) -> None:
    profile = "/ip/hotspot/profile/set"
    gone = await refused(api, profile, "=.id=*1", "=https-redirect=no")
    assert gone == "unknown parameter https-redirect"
    await say(api, profile, "=.id=*1", "=trial-uptime-limit=30m")
    assert await refused(api, "/ip/hotspot/profile/reset-html-directory") == "no such command"
    wrong = await refused(api, f"{USERS}/add", "=name=A", "=email=nobody")
    assert wrong == "invalid value for argument email"


@older
async def test_version_6_has_older_ones(api: AsyncApi) -> None:
    await say(api, "/ip/hotspot/profile/set", "=.id=*1", "=https-redirect=no")
    unknown = await refused(api, f"{USERS}/add", "=name=A", "=otp-secret=x")
    assert unknown == "unknown parameter otp-secret"
    await say(api, "/ip/hotspot/profile/reset-html-directory", "=numbers=*1")
