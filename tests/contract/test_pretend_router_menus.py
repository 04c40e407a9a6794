"""The pretend router's other menus, over the API and at the console: files, network, system."""

import pytest
from librouteros.api import AsyncApi

from appliance.sandbox.routeros.server import PretendRouter, RouterOptions
from appliance.sandbox.routeros.versions import Name as VersionName
from tests.contract.clients import at_console, connect, curl, refused, say

STOCK = {"login.html": "stock", "rlogin.html": "stock"}


@pytest.fixture
def router_options(version: VersionName) -> RouterOptions:
    return RouterOptions(api_port=0, web_port=0, pages=STOCK, version=version)


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


async def test_rules_of_the_firewall_are_checked_and_kept_in_order(
    router: PretendRouter, api: AsyncApi
) -> None:
    rules = "/ip/firewall/filter"
    await say(api, f"{rules}/add", "=chain=input", "=action=drop", "=in-interface=ether1")
    add = "add chain=input action=accept protocol=tcp dst-port=8728 src-address=10.5.50.2"
    assert at_console(router, f"{rules} {add} place-before=[find action=drop]") == ""
    assert [row["action"] for row in await say(api, f"{rules}/print")] == ["accept", "drop"]
    wrong = await refused(api, f"{rules}/add", "=chain=input", "=action=allow")
    assert wrong == "input does not match any value of action"
    assert at_console(router, "/ip firewall export").splitlines()[3:] == [
        "/ip firewall filter",
        "add chain=input dst-port=8728 protocol=tcp src-address=10.5.50.2",
        "add action=drop chain=input in-interface=ether1",
    ]


async def test_a_setting_that_is_emptied_is_gone(router: PretendRouter, api: AsyncApi) -> None:
    client = "/system/ntp/client"
    await say(api, f"{client}/set", "=enabled=yes", "=servers=pool.ntp.org")
    assert "servers=pool.ntp.org" in at_console(router, "/system ntp export")
    await say(api, f"{client}/set", "=enabled=no", "=servers=")
    assert "servers" not in at_console(router, "/system ntp export")


async def test_a_file_is_fetched_by_who_may(router: PretendRouter) -> None:
    url = f"=url=http://127.0.0.1:{router.web_port}/faults"
    daily, admin = await connect(router), await connect(router, "admin")
    assert await refused(daily, "/tool/fetch", url) == "not enough permissions (9)"
    router.faults.set({"device_mode": "home"})
    assert "device-mode" in await refused(admin, "/tool/fetch", url)
    router.faults.set({})
    assert await say(admin, "/tool/fetch", url, "=dst-path=got/it.txt") == [{"status": "finished"}]
    while not await say(admin, "/file/print", "?name=got/it.txt"):
        continue
    assert "late_answer" in (router.device.files.text("got/it.txt") or "")
    await say(admin, "/tool/fetch", "=url=http://127.0.0.1:9/nobody")
    await daily.close()
    await admin.close()
