"""The pretend router, held to clients that nobody here wrote: librouteros, routeros-api, curl."""

import asyncio
import hashlib
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import librouteros
import pytest
import routeros_api
from librouteros.api import AsyncApi
from librouteros.exceptions import LibRouterosError
from routeros_api.exceptions import RouterOsApiCommunicationError, RouterOsApiConnectionError

from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from provisioning.pages import render_pages
from tests.contract.clients import USERS, connect, curl, raw, refused, say

PORTAL = "http://127.0.0.1:9"


@pytest.fixture
def router_options() -> RouterOptions:
    return RouterOptions(api_port=0, web_port=0, pages=render_pages(PORTAL))


@pytest.fixture
def signs_in() -> str:
    return "appliance"


def add_user(router: PretendRouter, **more: str) -> None:
    router.hotspot.config.users.add({"name": "ABC3DEF4GH", "password": "ABC3DEF4GH"} | more)


# The wire, by librouteros


async def test_a_user_is_added_read_changed_and_removed(api: AsyncApi) -> None:
    (added,) = await say(
        api, f"{USERS}/add", "=name=ABC3", "=password=p", "=limit-uptime=7200s", "=comment=Café"
    )
    (row,) = await say(api, f"{USERS}/print", "?name=ABC3")
    assert row[".id"] == added["ret"]
    assert row["limit-uptime"] == "2h"
    assert row["comment"] == "Café"
    assert row["profile"] == "default"
    assert "limit-bytes-total" not in row
    await say(api, f"{USERS}/set", f"=.id={added['ret']}", "=limit-uptime=0s", "=disabled=yes")
    (row,) = await say(api, f"{USERS}/print", "?=name=ABC3")
    assert "limit-uptime" not in row
    assert row["disabled"] is True
    await say(api, f"{USERS}/remove", f"=.id={added['ret']}")
    assert await say(api, f"{USERS}/print", "?name=ABC3") == []
    assert await refused(api, f"{USERS}/remove", f"=.id={added['ret']}") == "no such item (4)"


async def test_only_what_the_proplist_names_comes_back(api: AsyncApi) -> None:
    rows = await say(api, f"{USERS}/print", "=.proplist=name,nothing")
    assert rows == [{"name": "admin"}]


async def test_librouteros_own_paths_and_queries_work(api: AsyncApi) -> None:
    users = api.path("ip", "hotspot", "user")
    new = await users.add(name="ABC3", profile="default")
    found = [row async for row in users.select(librouteros.query.Key("name"))]
    assert {row["name"] for row in found} == {"admin", "ABC3"}
    await users.remove(new)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("/ip/hotspott/user/print",), "no such command prefix"),
        ((f"{USERS}/dance",), "no such command"),
        ((f"{USERS}/add", "=name=A", "=colour=red"), "unknown parameter colour"),
        ((f"{USERS}/add",), "missing value(s) of argument(s) name"),
        (
            (f"{USERS}/add", "=name=A", "=limit-uptime="),
            "invalid time value for argument limit-uptime",
        ),
        (
            (f"{USERS}/add", "=name=A", "=profile=nope"),
            "input does not match any value of profile",
        ),
        (
            (f"{USERS}/add", "=name=admin"),
            "failure: already have user with this name for this server",
        ),
        ((f"{USERS}/set", "=disabled=yes"), "missing value(s) of argument(s) .id"),
        ((f"{USERS}/set", "=.id=*99", "=disabled=yes"), "no such item (4)"),
        (
            ("/ip/hotspot/active/login", "=user=admin", "=ip=10.0.0.9"),
            "unknown host IP 10.0.0.9",
        ),
        (("/ip/hotspot/active/login", "=ip=10.0.0.9"), "missing value(s) of argument(s) user"),
    ],
)
async def test_a_refusal_has_the_devices_words(
    api: AsyncApi, words: tuple[str, ...], message: str
) -> None:
    assert await refused(api, *words) == message


async def test_a_profile_may_be_named_by_its_beginning(api: AsyncApi) -> None:
    profiles = "/ip/hotspot/user/profile"
    for name in ("100Megas", "100Megas-2x"):
        await say(api, f"{profiles}/add", f"=name={name}", "=rate-limit=2M/5M")
    assert "ambiguous value of profile" in await refused(
        api, f"{USERS}/add", "=name=A", "=profile=100"
    )
    await say(api, f"{USERS}/add", "=name=A", "=profile=100Megas-")
    (row,) = await say(api, f"{USERS}/print", "?name=A")
    assert row["profile"] == "100Megas-2x"


async def test_a_wrong_sign_in_is_refused_and_a_reader_may_not_write(router: PretendRouter) -> None:
    with pytest.raises(LibRouterosError, match=r"invalid user name or password \(6\)"):
        await connect(router, password="wrong")
    reader = await connect(router, name="reader")
    assert await say(reader, f"{USERS}/print")
    assert await refused(reader, f"{USERS}/add", "=name=A") == "not enough permissions (9)"
    await reader.close()


async def test_passwords_are_hidden_from_who_may_not_see_them(api: AsyncApi) -> None:
    (row,) = await say(api, f"{USERS}/print", "?name=admin")
    assert row["password"] == "*****"


async def test_the_device_says_what_it_is(api: AsyncApi, router: PretendRouter) -> None:
    (resource,) = await say(api, "/system/resource/print")
    assert resource["version"] == "7.21.4 (stable)"
    (clock,) = await say(api, "/system/clock/print")
    assert clock["date"].startswith("20")
    (identity,) = await say(api, "/system/identity/print")
    assert identity == {"name": "MikroTik"}
    await router.reboot()
    again = await connect(router)
    (clock,) = await say(again, "/system/clock/print")
    assert clock["date"] == "1970-01-02"
    await again.close()


async def test_other_menus_take_what_provisioning_will_give_them(api: AsyncApi) -> None:
    for path, words in {
        "/ip/hotspot/walled-garden": ("=dst-host=*.example", "=action=allow"),
        "/ip/hotspot/walled-garden/ip": ("=dst-address=10.5.50.2", "=action=accept"),
        "/ip/hotspot/ip-binding": ("=mac-address=02:00:7f:00:01:05", "=type=bypassed"),
    }.items():
        await say(api, f"{path}/add", *words)
        (row,) = await say(api, f"{path}/print")
        assert row["disabled"] is False
    assert "input does not match any value of action" in await refused(
        api, "/ip/hotspot/walled-garden/add", "=action=accept"
    )


# The raw wire


async def test_nothing_found_is_said_before_done_and_a_tag_comes_back(
    router: PretendRouter,
) -> None:
    said = await raw(router, [f"{USERS}/print", ".tag=7", "?name=zzz"])
    empty = b"\x06!empty\x06.tag=7\x00\x05!done\x06.tag=7\x00"
    fatal = b"\x06!fatal\x1dsession terminated on request\x00"
    assert said == b"\x05!done\x00" + empty + fatal


async def test_a_trap_carries_its_category_before_its_message(router: PretendRouter) -> None:
    said = await raw(router, [f"{USERS}/add", "=name=A", "=profile=nope"])
    assert b"\x05!trap\x0b=category=1\x32=message=input does not match any value of pro" in said


async def test_who_has_not_signed_in_is_sent_away(router: PretendRouter) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", router.api_port)
    writer.write(b"\x16/system/identity/print\x00")
    assert await reader.read() == b"\x06!fatal\x0dnot logged in\x00"
    writer.close()
    await writer.wait_closed()


# routeros-api, another client


async def test_routeros_api_reads_and_writes(router: PretendRouter) -> None:
    def client() -> list[dict[str, str]]:
        pool = routeros_api.RouterOsApiPool(
            "127.0.0.1",
            username="appliance",
            password="sandbox",
            port=router.api_port,
            plaintext_login=True,
        )
        users = pool.get_api().get_resource(USERS)
        users.add(name="ABC3", limit_uptime="3600s")
        found: list[dict[str, str]] = users.get(name="ABC3")
        assert users.get(name="nobody") == []
        with pytest.raises(RouterOsApiCommunicationError, match="already have user"):
            users.add(name="ABC3")
        users.remove(id=found[0]["id"])
        assert users.get(name="ABC3") == []
        pool.disconnect()
        with pytest.raises(RouterOsApiConnectionError):
            routeros_api.RouterOsApiPool(
                "127.0.0.1", username="appliance", password="sandbox", port=router.web_port
            ).get_api()
        return found

    (row,) = await asyncio.to_thread(client)
    assert row["limit-uptime"] == "1h"


# The hotspot, by curl


async def test_a_captive_device_is_led_to_the_portal(router: PretendRouter) -> None:
    status, location = await curl(router, "/generate_204")
    assert status == 302
    assert urlsplit(location).path == "/login"
    status, location = await curl(router, f"/login?{urlsplit(location).query}")
    assert status == 302
    assert location.startswith(f"{PORTAL}/?")
    query = {name: value[0] for name, value in parse_qs(urlsplit(location).query).items()}
    assert query == {
        "mac": "02:00:7F:00:01:05",
        "ip": "127.0.1.5",
        "server": "hotspot1",
        "link_login": f"http://127.0.0.1:{router.web_port}/login",
        "dst": f"http://127.0.0.1:{router.web_port}/generate_204",
    }


async def test_a_login_over_the_api_opens_the_gate(router: PretendRouter, api: AsyncApi) -> None:
    await curl(router, "/")
    add_user(router, **{"limit-uptime": "1h"})
    (host,) = await say(api, "/ip/hotspot/host/print", "?address=127.0.1.5")
    assert host["authorized"] is False
    login = ("/ip/hotspot/active/login", "=user=ABC3DEF4GH", "=ip=127.0.1.5")
    assert "invalid username or password" in await refused(api, *login, "=password=x")
    right = (*login, "=password=ABC3DEF4GH")
    assert "wrong MAC provided" in await refused(api, *right, "=mac-address=02:00:00:00:00:99")
    await say(api, *right, f"=mac-address={host['mac-address']}")
    assert (await curl(router, "/generate_204"))[0] == 204
    (active,) = await say(api, "/ip/hotspot/active/print", "?user=ABC3DEF4GH")
    assert active["mac-address"] == host["mac-address"]
    assert active["session-time-left"] in {"1h", "59m59s"}
    assert "already authorizing" in await refused(api, *right)
    router.faults.set({"login_when_active": "ignored"})
    await say(api, *right)
    assert len(router.hotspot.logins) == 1
    await say(api, "/ip/hotspot/active/remove", f"=.id={active['.id']}")
    assert (await curl(router, "/generate_204"))[0] == 302


async def test_one_user_is_one_device_unless_the_profile_says_more(
    router: PretendRouter, api: AsyncApi
) -> None:
    add_user(router)
    for device in (5, 6):
        await curl(router, "/", device=device)
    login = ("/ip/hotspot/active/login", "=user=ABC3DEF4GH", "=password=ABC3DEF4GH")
    await say(api, *login, "=ip=127.0.1.5")
    assert "no more sessions are allowed for user ABC3DEF4GH" in await refused(
        api, *login, "=ip=127.0.1.6"
    )
    (profile,) = await say(api, "/ip/hotspot/user/profile/print", "?name=default")
    await say(
        api, "/ip/hotspot/user/profile/set", f"=.id={profile['.id']}", "=shared-users=unlimited"
    )
    await say(api, *login, "=ip=127.0.1.6")


async def test_time_ends_by_itself_and_is_counted_at_the_logout_only(
    router: PretendRouter,
) -> None:
    add_user(router, **{"limit-uptime": "1h"})
    router.hotspot.join("127.0.1.5")
    login = ("ABC3DEF4GH", "ABC3DEF4GH", "127.0.1.5", None, "admin")
    router.hotspot.login(*login)
    router.clock.pass_by(timedelta(minutes=50))
    assert router.hotspot.users[-1].uptime == "0s"
    router.hotspot.leave("127.0.1.5")
    assert router.hotspot.users[-1].uptime == "50m"
    router.hotspot.join("127.0.1.5")
    router.hotspot.login(*login)
    router.clock.pass_by(timedelta(minutes=10))
    assert not router.hotspot.is_online("127.0.1.5")
    with pytest.raises(Exception, match="user ABC3DEF4GH has reached uptime limit"):
        router.hotspot.login(*login)


async def test_data_ends_by_itself(router: PretendRouter) -> None:
    add_user(router, **{"limit-bytes-total": "1000"})
    router.hotspot.join("127.0.1.5")
    login = ("ABC3DEF4GH", "ABC3DEF4GH", "127.0.1.5", None, "admin")
    router.hotspot.login(*login)
    router.hotspot.carry("127.0.1.5", upload=400, download=600)
    assert not router.hotspot.is_online("127.0.1.5")
    with pytest.raises(Exception, match="user ABC3DEF4GH has reached traffic limit"):
        router.hotspot.login(*login)


async def test_a_power_cut_loses_sessions_and_their_counters(
    router: PretendRouter, api: AsyncApi
) -> None:
    add_user(router, **{"limit-uptime": "1h"})
    await curl(router, "/")
    router.hotspot.login("ABC3DEF4GH", "ABC3DEF4GH", "127.0.1.5", None, "admin")
    ids = {row[".id"] for row in await say(api, f"{USERS}/print")}
    router.clock.pass_by(timedelta(minutes=50))
    await router.reboot()
    assert not router.hotspot.hosts
    assert not router.hotspot.sessions
    assert router.hotspot.users[-1].uptime == "0s"
    again = await connect(router)
    assert ids.isdisjoint({row[".id"] for row in await say(again, f"{USERS}/print")})
    await again.close()


async def test_the_routers_own_page_takes_a_voucher(router: PretendRouter) -> None:
    add_user(router)
    status, page = await curl(router, "/login?var=voucher")
    assert status == 200
    assert 'name="username"' in page
    assert "@PORTAL@" not in page
    assert "$(" not in page
    form = ("--data", "username=ABC3DEF4GH", "--data", "var=voucher")
    status, page = await curl(router, "/login", *form, "--data", "password=wrong")
    assert (status, "not accepted" in page) == (200, True)
    status, page = await curl(router, "/login", *form, "--data", "password=ABC3DEF4GH")
    assert (status, "You are online" in page) == (200, True)
    assert (await curl(router, "/generate_204"))[0] == 204
    status, page = await curl(router, "/logout")
    assert "logged out" in page
    assert (await curl(router, "/generate_204"))[0] == 302


async def test_a_failed_login_is_handed_to_the_portal_and_cannot_loop(
    router: PretendRouter,
) -> None:
    status, location = await curl(router, "/login?username=nobody&password=x")
    assert status == 302
    assert "error=invalid%20username%20or%20password" in location


async def test_chap_is_taken_as_the_stock_page_computes_it() -> None:
    pages = {"login.html": "$(chap-id)|$(chap-challenge)", "alogin.html": "in"}
    options = RouterOptions(api_port=0, web_port=0, pages=pages)
    async with pretend_router(options) as router:
        router.hotspot.config.server_profiles.set(["*2"], {"login-by": "http-chap"})
        add_user(router)
        _, shown = await curl(router, "/login")
        chap_id, challenge = (
            bytes(int(digits, 8) for digits in re.findall(r"\\(\d{3})", part))
            for part in shown.split("|")
        )
        said = hashlib.md5(chap_id + b"ABC3DEF4GH" + challenge, usedforsecurity=False)
        query = f"/login?username=ABC3DEF4GH&password={said.hexdigest()}"
        assert (await curl(router, query))[1] == "in"
        assert (await curl(router, query, device=6))[1] != "in"


async def test_a_browsers_cookie_and_a_mac_cookie_let_a_device_in_again(
    router: PretendRouter,
) -> None:
    add_user(router)
    query = "/login?username=ABC3DEF4GH&password=ABC3DEF4GH"
    _, page = await curl(router, query, "--include")
    found = re.search(r"MT_hotspot=([0-9a-f]+)", page)
    assert found is not None
    router.hotspot.leave("127.0.1.5")
    jar = ("--cookie", f"MT_hotspot={found[1]}")
    assert "You are online" in (await curl(router, "/login", *jar))[1]
    assert (await curl(router, "/login", *jar, device=6))[0] == 302
    router.hotspot.leave("127.0.1.5")
    router.hotspot.cookies.clear()
    router.hotspot.config.server_profiles.set(["*2"], {"login-by": "http-pap,mac-cookie"})
    await curl(router, query)
    router.hotspot.leave("127.0.1.5")
    assert (await curl(router, "/generate_204"))[0] == 204


async def test_bindings_open_and_shut(router: PretendRouter) -> None:
    bindings = router.hotspot.config.bindings
    binding = bindings.add({"mac-address": "02:00:7f:00:01:05", "type": "bypassed"})
    assert (await curl(router, "/generate_204"))[0] == 204
    bindings.set([binding], {"type": "blocked"})
    assert (await curl(router, "/generate_204"))[0] == 403


async def test_the_captive_portal_api_says_how_long(router: PretendRouter) -> None:
    add_user(router, **{"limit-uptime": "1h"})
    _, before = await curl(router, "/api")
    assert '"captive": true' in before
    router.hotspot.login("ABC3DEF4GH", "ABC3DEF4GH", "127.0.1.5", None, "admin")
    _, after = await curl(router, "/api")
    assert '"captive": false' in after
    assert '"seconds-remaining": 3600' in after


# What goes wrong


@pytest.mark.parametrize(
    "fault",
    [
        {"refuse": True},
        {"cut_before_command": f"{USERS}/print"},
        {"cut_after_command": f"{USERS}/print"},
        {"half_close": True},
        {"rubbish": True},
        {"reboot": 0.0},
    ],
)
async def test_a_fault_is_felt_by_the_client_and_then_over(
    router: PretendRouter, api: AsyncApi, fault: dict[str, Any]
) -> None:
    router.faults.set(fault)
    await asyncio.sleep(0)
    with pytest.raises((LibRouterosError, OSError, ValueError)):
        await say(api, f"{USERS}/print")
    router.faults.set({})
    again = await connect(router)
    assert await say(again, f"{USERS}/print")
    await again.close()


async def test_a_hanging_router_never_answers(router: PretendRouter, api: AsyncApi) -> None:
    router.faults.set({"hang": True})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await say(api, f"{USERS}/print")


async def test_a_told_refusal_is_repeated(router: PretendRouter, api: AsyncApi) -> None:
    router.faults.set({"trap": {f"{USERS}/add": "failure: out of order"}})
    assert await refused(api, f"{USERS}/add", "=name=A") == "failure: out of order"
    add_user(router)
    router.hotspot.join("127.0.1.5")
    router.faults.set({"login_trap_prefix": "failure: "})
    login = ("/ip/hotspot/active/login", "=user=ABC3DEF4GH", "=ip=127.0.1.5")
    assert (await refused(api, *login)) == "failure: invalid username or password"


async def test_the_fault_menu_names_what_it_does_not_know(router: PretendRouter) -> None:
    put = ("--request", "PUT", "--data")
    status, said = await curl(router, "/faults", *put, '{"explode": true}')
    assert status == 400
    assert "explode" in said
    assert "cut_after_command" in said
    assert (await curl(router, "/faults", *put, "[1"))[0] == 400
    assert (await curl(router, "/faults", *put, '{"refuse": true}'))[0] == 200
    assert '"refuse": true' in (await curl(router, "/faults"))[1]


@pytest.mark.parametrize("way", ["reset", "closed"])
async def test_too_many_sessions_are_refused(router: PretendRouter, way: str) -> None:
    router.faults.set({"too_many_sessions": way})
    crowd = [await connect(router) for _ in range(20)]
    with pytest.raises((LibRouterosError, OSError)):
        await connect(router)
    for one in crowd:
        await one.close()
