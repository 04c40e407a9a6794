"""The pretend router's other menus, over the API and at the console: files, network, system."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from librouteros.api import AsyncApi
from librouteros.exceptions import LibRouterosError

from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from appliance.sandbox.routeros.versions import Name as VersionName
from tests.contract.test_pretend_router import USERS, connect, curl, raw, refused, say

STOCK = {"login.html": "stock", "rlogin.html": "stock"}


@pytest.fixture
def version() -> VersionName:
    return "7.21"


@pytest.fixture
async def router(version: VersionName) -> AsyncIterator[PretendRouter]:
    options = RouterOptions(api_port=0, web_port=0, pages=STOCK, version=version)
    async with pretend_router(options) as running:
        yield running


@pytest.fixture
async def api(router: PretendRouter) -> AsyncIterator[AsyncApi]:
    connected = await connect(router, name="admin")
    yield connected
    with suppress(OSError, LibRouterosError):  # the test may have cut it
        await connected.close()


def at_console(router: PretendRouter, line: str) -> str:
    account = router.device.accounts.named("admin")
    assert account is not None
    return Session(router.device, account.policies).run(line).strip()


older = pytest.mark.parametrize("version", ["6.49"])


# Files


async def test_a_file_is_made_read_changed_and_removed(
    router: PretendRouter, api: AsyncApi
) -> None:
    new = ("/file/add", "=name=hotspot/login.html", "=contents=<html>")
    (made,) = await say(api, *new)
    assert await refused(api, *new) == "failure: already have file with such name"
    (file,) = await say(api, "/file/print", "?name=hotspot/login.html")
    assert (file[".id"], file["size"], file["contents"]) == (made["ret"], 6, "<html>")
    assert file["type"] == ".html file"
    (folder,) = await say(api, "/file/print", "?name=hotspot")
    assert folder["type"] == "directory"
    await say(api, "/file/set", f"=.id={made['ret']}", "=contents=new")
    (read,) = await say(api, "/file/read", "=file=hotspot/login.html", "=chunk-size=2")
    assert read["data"] == "ne"
    name = '[/file find name="hotspot/login.html"]'
    assert at_console(router, f":put [/file get {name} contents]") == "new"
    assert at_console(router, f"/file remove {name}") == ""
    assert await say(api, "/file/print", "?name=hotspot/login.html") == []


async def test_contents_have_a_limit_and_what_is_longer_is_not_shown(
    router: PretendRouter, api: AsyncApi
) -> None:
    await say(api, "/file/add", "=name=a.txt", f"=contents={'x' * 61250}")
    too_long = await refused(api, "/file/add", "=name=b.txt", f"=contents={'x' * 61500}")
    assert too_long == "failure: contents too long"
    router.device.files.put("b.txt", "x" * 61500)
    (file,) = await say(api, "/file/print", "?name=b.txt")
    assert file["size"] == 61500
    assert "contents" not in file


@older
async def test_version_6_makes_no_files_and_holds_less_in_one(
    router: PretendRouter, api: AsyncApi
) -> None:
    assert await refused(api, "/file/add", "=name=a.txt") == "no such command"
    router.device.files.put("a.txt", "")
    (file,) = await say(api, "/file/print", "?name=a.txt")
    assert "creation-time" in file
    set_it = ("/file/set", f"=.id={file['.id']}")
    await say(api, *set_it, f"=contents={'x' * 4000}")
    assert "too long" in await refused(api, *set_it, f"=contents={'x' * 5000}")


async def test_uploaded_pages_are_shown_and_an_empty_override_does_not_count(
    router: PretendRouter, api: AsyncApi
) -> None:
    assert (await curl(router, "/login"))[1] == "stock"
    await say(api, "/file/add", "=name=portal/login.html", "=contents=uploaded $(mac)")
    (profile,) = await say(api, "/ip/hotspot/profile/print", "?name=hsprof1")
    override = ("/ip/hotspot/profile/set", f"=.id={profile['.id']}")
    await say(api, *override, "=html-directory-override=nothing")
    assert (await curl(router, "/login"))[1] == "stock"
    await say(api, *override, "=html-directory-override=portal")
    assert (await curl(router, "/login"))[1] == "uploaded 02:00:7F:00:01:05"
    assert (await curl(router, "/generate_204"))[0] == 404


async def test_with_a_flash_folder_the_rest_is_lost_with_the_power(
    router: PretendRouter, api: AsyncApi
) -> None:
    router.faults.set({"has_flash": True})
    for name in ("flash/a.txt", "b.txt"):
        await say(api, "/file/add", f"=name={name}", "=contents=x")
    await router.reboot()
    again = await connect(router, name="admin")
    assert {row["name"] for row in await say(again, "/file/print")} == {"flash", "flash/a.txt"}
    await again.close()


# Scripts over the API


async def test_the_api_imports_and_exports_files(router: PretendRouter, api: AsyncApi) -> None:
    script = '/system identity\nset name="Kiosk"\n/ip hotspt\n'
    await say(api, "/file/add", "=name=s.rsc", f"=contents={script}")
    assert "bad command name hotspt" in await refused(api, "/import", "=file-name=s.rsc")
    assert router.device.identity["name"] == "Kiosk"
    await say(api, "/export", "=file=now")
    (file,) = await say(api, "/file/print", "?name=now.rsc")
    assert "set name=Kiosk" in file["contents"]


# Network


async def test_addresses_know_their_network(router: PretendRouter, api: AsyncApi) -> None:
    await say(api, "/ip/address/add", "=address=10.5.60.1/24", "=interface=ether5")
    (row,) = await say(api, "/ip/address/print", "?interface=ether5")
    assert (row["network"], row["actual-interface"]) == ("10.5.60.0", "ether5")
    again = ("/ip/address/add", "=address=10.5.60.1/24", "=interface=ether5")
    assert await refused(api, *again) == "failure: already have such address"
    nowhere = ("/ip/address/add", "=address=10.5.60.2/24", "=interface=nowhere")
    assert await refused(api, *nowhere) == "input does not match any value of interface"
    assert "invalid value" in await refused(
        api, "/ip/address/add", "=address=10.5.60.300/24", "=interface=ether5"
    )
    (shown,) = [
        line for line in at_console(router, "/ip address print").splitlines() if "ether5" in line
    ]
    assert shown.split() == ["1", "10.5.60.1/24", "10.5.60.0", "ether5"]


async def test_dhcp_options_are_named_where_they_are_used(api: AsyncApi) -> None:
    option = ("/ip/dhcp-server/option/add", "=name=cp", "=code=114", "=force=yes")
    await say(api, *option, "=value='http://10.5.50.2/api'")
    await say(api, "/ip/dhcp-server/option/sets/add", "=name=set1", "=options=cp")
    (network,) = await say(api, "/ip/dhcp-server/network/print")
    change = ("/ip/dhcp-server/network/set", f"=.id={network['.id']}")
    await say(api, *change, "=dhcp-option=cp", "=dhcp-option-set=set1")
    wrong = await refused(api, *change, "=dhcp-option=other")
    assert wrong == "input does not match any value of dhcp-option"
    assert "out of range" in await refused(
        api, "/ip/dhcp-server/option/add", "=name=x", "=code=300"
    )


@older
async def test_version_6_cannot_force_an_option(api: AsyncApi) -> None:
    option = ("/ip/dhcp-server/option/add", "=name=cp", "=code=114", "=force=yes")
    assert await refused(api, *option) == "unknown parameter force"


async def test_a_lease_and_a_name_are_given_once(api: AsyncApi) -> None:
    lease = ("/ip/dhcp-server/lease/add", "=address=10.5.50.2", "=server=dhcp1")
    await say(api, *lease, "=mac-address=02:00:00:00:00:01")
    again = await refused(api, *lease, "=mac-address=02:00:00:00:00:01")
    assert again == "failure: already have static lease for this client"
    name = ("/ip/dns/static/add", "=name=portal.lan", "=address=10.5.50.2")
    await say(api, *name)
    assert await refused(api, *name) == "failure: entry already exists"
    pool = ("/ip/pool/add", "=name=p", "=ranges=10.5.60.10-10.5.60.2")
    assert await refused(api, *pool) == "invalid value for argument ranges"


async def test_a_hotspot_server_needs_an_interface_and_a_pool_that_exist(api: AsyncApi) -> None:
    server = ("/ip/hotspot/add", "=name=h2", "=interface=ether5")
    pool = await refused(api, *server, "=address-pool=nope")
    assert pool == "input does not match any value of address-pool"
    await say(api, *server, "=address-pool=hs-pool-1")
    (row,) = await say(api, "/ip/hotspot/print", "?name=h2")
    assert row["disabled"] is True


async def test_services_cannot_be_added_or_removed(router: PretendRouter, api: AsyncApi) -> None:
    assert await refused(api, "/ip/service/add", "=name=x") == "no such command"
    assert await refused(api, "/ip/service/remove", "=.id=*1") == "no such command"
    at_console(router, "/ip service set telnet,ftp disabled=yes")
    rows = {row["name"]: row for row in await say(api, "/ip/service/print")}
    assert rows["telnet"]["disabled"] is rows["ftp"]["disabled"] is True
    assert rows["api"]["max-sessions"] == 20


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


async def test_a_property_is_unset(router: PretendRouter, api: AsyncApi) -> None:
    (new,) = await say(api, f"{USERS}/add", "=name=A", "=limit-uptime=1h", "=comment=x")
    await say(api, f"{USERS}/unset", f"=numbers={new['ret']}", "=value-name=limit-uptime")
    assert at_console(router, f"{USERS} unset A comment") == ""
    (row,) = await say(api, f"{USERS}/print", "?name=A")
    assert not {"limit-uptime", "comment"} & row.keys()


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
