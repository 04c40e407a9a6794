"""What the appliance may rely on, whichever way it reaches the router and whatever its version."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.domain.devices import Device, HotspotUser
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.sandbox.routeros.hotspot import mac_of
from tests.openssh import SSHD
from tests.ways import CODE, KINDS, USER, Beside, beside, heard, names

FAMILY = HotspotUser(
    name=CODE,
    profile="appliance-3x-2M_5M.",
    limit_uptime=timedelta(days=9),
    limit_bytes_total=5_000_000,
    rate_limit="2M/5M",
    shared_users=3,
)
HOSTILE = (
    '"; /system reboot; :put "',
    "$[/ip hotspot user remove [find]]",
    "a$(:error x)b",
    "\\",
    "ends with a backslash\\",
    "}\r\n/system reboot\r\n{",
    "what?",
    "Café ☕ 中 \udcff",
    "=.id=*1",
    "?#|",
    "x;y=z",
    "$name",
    " spaces ",
    "yes",
    "007",
    "#comment",
    "*1",
)


def params() -> Sequence[object]:
    """Every way to the newest version, and one of each kind to the others."""
    made = [pytest.param((kind, "7.21"), id=f"{kind}-7.21", marks=needs(kind)) for kind in KINDS]
    return made + [
        pytest.param((kind, version), id=f"{kind}-{version}", marks=needs(kind))
        for version in ("6.49", "7.15")
        for kind in ("api", "ssh")
    ]


def needs(kind: str) -> list[pytest.MarkDecorator]:
    lacking = kind == "openssh" and SSHD is None
    return [pytest.mark.skipif(lacking, reason="needs sshd")]


@pytest.fixture(params=params())
async def at(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Beside]:
    kind, version = request.param
    async with beside(kind, version, tmp_path) as made:
        yield made


async def test_a_paid_device_is_let_in_and_is_found_online(at: Beside) -> None:
    one = heard(at.router)
    await at.hotspot.ensure_user(FAMILY)
    assert await at.hotspot.sessions(mac=one.mac) == []
    await at.hotspot.login(CODE, one)
    at.router.clock.pass_by(timedelta(days=8, minutes=10))
    at.router.hotspot.carry(one.ip, upload=1_000, download=2_000)
    (session,) = await at.hotspot.sessions(mac=one.mac)
    assert (session.user, session.mac, session.ip) == (CODE, one.mac, one.ip)
    assert timedelta(days=8, minutes=10) <= session.uptime < timedelta(days=8, minutes=11)
    assert session.moved == 3_000
    for everybody in (await at.hotspot.sessions(user=CODE), await at.hotspot.sessions()):
        assert [session.mac for session in everybody] == [one.mac]
    (user,) = await at.hotspot.users(name=CODE)
    assert user.limit_uptime == timedelta(days=9)
    assert user.limit_bytes_total == 5_000_000
    assert not user.disabled


async def test_a_profile_carries_the_speed_and_the_number_of_devices(at: Beside) -> None:
    await at.hotspot.ensure_user(FAMILY)
    found = at.router.hotspot.config.user_profiles.named(FAMILY.profile)
    assert found is not None
    assert (found[1]["rate-limit"], found[1]["shared-users"]) == ("2M/5M", "3")


async def test_a_profile_whose_name_only_begins_alike_is_not_taken(at: Beside) -> None:
    profiles = at.router.hotspot.config.user_profiles
    profiles.add({"name": f"{USER.profile}longer", "rate-limit": "100M/100M"})
    await at.hotspot.ensure_user(USER)
    row = at.router.hotspot.config.users.named(CODE)
    assert row is not None
    assert row[1]["profile"] == USER.profile


async def test_the_same_user_twice_is_one_user_with_its_first_limits(at: Beside) -> None:
    await at.hotspot.ensure_user(USER)
    await at.hotspot.ensure_user(FAMILY)
    (user,) = await at.hotspot.users()
    assert user.limit_uptime == timedelta(hours=1)


async def test_a_device_is_found_by_either_of_its_addresses(at: Beside) -> None:
    one = heard(at.router)
    heard(at.router, 6)
    assert await at.hotspot.host(ip=one.ip) == await at.hotspot.host(mac=one.mac) == one
    assert await at.hotspot.host(mac=one.mac.lower()) in {one, None}
    assert await at.hotspot.host(ip="127.0.1.77") is None
    assert await at.hotspot.host(mac="02:00:00:00:00:77") is None


async def test_a_translated_device_is_found_by_the_address_that_others_see(at: Beside) -> None:
    hotspot = at.router.hotspot
    translated, taken, plain = "127.0.1.5", "127.0.1.6", "127.0.1.7"
    for address, to_address in ((translated, taken), (taken, "127.0.1.8"), (plain, plain)):
        hotspot.join(address, to_address)
    for seen, own in ((taken, translated), ("127.0.1.8", taken), (plain, plain)):
        assert await at.hotspot.host(ip=seen) == Device(mac_of(own), own)
    assert await at.hotspot.host(ip=translated) is None
    one = await at.hotspot.host(ip=taken)
    assert one is not None
    assert await at.hotspot.host(mac=one.mac) == one
    await at.hotspot.ensure_user(USER)
    await at.hotspot.login(CODE, one)
    assert hotspot.is_online(translated)
    assert not hotspot.is_online(taken)
    assert await at.hotspot.host(ip=taken) == one


async def test_a_device_the_router_does_not_hear_is_refused_in_its_words(at: Beside) -> None:
    await at.hotspot.ensure_user(USER)
    with pytest.raises(RouterRefused, match=r"unknown host IP 127\.0\.1\.9"):
        await at.hotspot.login(CODE, Device(mac_of("127.0.1.9"), "127.0.1.9"))
    with pytest.raises(RouterRefused, match="invalid username or password"):
        await at.hotspot.login("NOBODY", heard(at.router))


async def test_a_user_whose_time_is_used_up_is_told_from_others(at: Beside) -> None:
    await at.hotspot.ensure_user(USER)
    one = heard(at.router)
    await at.hotspot.login(CODE, one)
    at.router.clock.pass_by(timedelta(hours=2))
    assert await at.hotspot.sessions(user=CODE) == []
    with pytest.raises(RouterRefused) as refused:
        await at.hotspot.login(CODE, one)
    assert refused.value.used_up


async def test_limits_are_set_on_our_user_and_let_it_in_again(at: Beside) -> None:
    await at.hotspot.ensure_user(USER)
    at.router.hotspot.config.users.add({"name": "friend", "limit-uptime": "1h"})
    row = at.router.hotspot.config.users.named(CODE)
    assert row is not None
    row[1]["disabled"] = "true"
    assert (await at.hotspot.users())[0].disabled
    await at.hotspot.set_limits(FAMILY)
    (user,) = await at.hotspot.users()
    assert user.limit_uptime == timedelta(days=9)
    assert not user.disabled
    stranger = HotspotUser(name="friend", profile="default", limit_uptime=timedelta(hours=9))
    await at.hotspot.set_limits(stranger)
    await at.hotspot.set_limits(HotspotUser(name="nobody", profile="x", limit_uptime=timedelta(1)))
    assert await at.hotspot.users(name="friend") == []
    assert "1h" in {user.limit_uptime for user in at.router.hotspot.users}


async def test_a_cut_leaves_no_user_no_session_and_no_cookie(at: Beside) -> None:
    await at.hotspot.ensure_user(FAMILY)
    inside = [heard(at.router, number) for number in (5, 6)]
    for one in inside:
        await at.hotspot.login(CODE, one)
        at.router.hotspot.cookies.issue("cookie", CODE, one.mac)
    await at.hotspot.cut(CODE)
    assert names(at.router) == {"admin"}
    assert at.router.hotspot.sessions == []
    assert at.router.hotspot.cookies.all() == []
    await at.hotspot.cut(CODE)


async def test_a_cut_spares_other_peoples_users_and_names_that_begin_alike(at: Beside) -> None:
    at.router.hotspot.config.users.add({"name": CODE, "password": CODE})
    longer = HotspotUser(name=f"{CODE}X", profile=USER.profile, limit_uptime=USER.limit_uptime)
    await at.hotspot.ensure_user(longer)
    await at.hotspot.login(CODE, heard(at.router, 5))
    await at.hotspot.login(longer.name, heard(at.router, 6))
    await at.hotspot.cut(CODE)
    assert len(at.router.hotspot.sessions) == 2
    assert {CODE, longer.name} <= names(at.router)


async def test_one_device_leaves_and_the_others_stay(at: Beside) -> None:
    await at.hotspot.ensure_user(FAMILY)
    stays, goes = heard(at.router, 5), heard(at.router, 6)
    for one in (stays, goes):
        await at.hotspot.login(CODE, one)
        at.router.hotspot.cookies.issue("cookie", CODE, one.mac)
    await at.hotspot.leave(CODE, goes.mac)
    assert at.router.hotspot.is_online(stays.ip)
    assert not at.router.hotspot.is_online(goes.ip)
    assert [cookie.mac for cookie in at.router.hotspot.cookies.all()] == [stays.mac]
    await at.hotspot.leave(CODE, goes.mac)


async def test_a_hundred_users_are_all_read(at: Beside) -> None:
    for number in range(100):
        row = {"name": f"CODE{number}", "comment": "hotspot-appliance", "limit-uptime": "1h"}
        at.router.hotspot.config.users.add(row)
    assert len(await at.hotspot.users()) == 100


async def test_many_at_once_each_get_their_own_answer(at: Beside) -> None:
    users = [
        HotspotUser(name=f"CODE{n}", profile=USER.profile, limit_uptime=timedelta(hours=n + 1))
        for n in range(8)
    ]
    await at.hotspot.ensure_user(users[0])
    await asyncio.gather(*(at.hotspot.ensure_user(user) for user in users))
    found = await asyncio.gather(*(at.hotspot.users(name=user.name) for user in users))
    assert [entry.limit_uptime for (entry,) in found] == [user.limit_uptime for user in users]


async def test_a_hostile_value_is_a_name_and_nothing_else(at: Beside) -> None:
    # Each command through OpenSSH is a process: there, all of it at once.
    texts = ("".join(HOSTILE),) if at.kind == "openssh" else HOSTILE
    one = heard(at.router)
    for text in texts:
        profile = f"p{text}"
        user = HotspotUser(name=text, profile=profile, limit_uptime=timedelta(days=1))
        await at.hotspot.ensure_user(user)
        assert [entry.name for entry in await at.hotspot.users(name=text)] == [text]
        assert names(at.router) == {"admin", text}
        assert at.router.hotspot.config.user_profiles.named(profile) is not None
        await at.hotspot.login(text, one)
        assert [session.user for session in await at.hotspot.sessions(user=text)] == [text]
        assert await at.hotspot.host(ip=text) is None
        await at.hotspot.leave(text, text)
        assert at.router.hotspot.is_online(one.ip)
        await at.hotspot.cut(text)
        assert not at.router.hotspot.is_online(one.ip)
        assert names(at.router) == {"admin"}
    assert not at.router.is_away()


async def test_what_somebody_else_wrote_on_the_router_stays_theirs(at: Beside) -> None:
    for text in HOSTILE:
        at.router.hotspot.config.users.add({"name": text, "comment": f"{text} ends"})
    await at.hotspot.ensure_user(USER)
    assert [entry.name for entry in await at.hotspot.users()] == [CODE]
    assert len(names(at.router)) == len(HOSTILE) + 2


async def test_without_the_policy_it_is_a_refusal(at: Beside) -> None:
    if at.kind == "openssh":
        pytest.skip("the server names the user")
    groups = at.router.device.accounts.groups
    groups.set([groups.id_of("appliance")], {"policy": "!write"})
    with pytest.raises(RouterRefused, match="not enough permissions"):
        await at.hotspot.ensure_user(USER)


async def test_a_router_without_a_hotspot_refuses_and_is_not_taken_for_an_empty_one(
    at: Beside,
) -> None:
    at.router.faults.set({"no_hotspot_package": True})
    with pytest.raises(RouterRefused, match=r"(?i)no such command|bad command name|syntax error"):
        await at.hotspot.users()
    with pytest.raises(RouterRefused):
        await at.hotspot.ensure_user(USER)


async def test_a_row_that_makes_no_sense_is_no_answer(at: Beside) -> None:
    await at.hotspot.ensure_user(USER)
    row = at.router.hotspot.config.users.named(CODE)
    assert row is not None
    row[1]["uptime"] = "soon"
    with pytest.raises((RouterRefused, RouterUnreachable)):
        await at.hotspot.users()
