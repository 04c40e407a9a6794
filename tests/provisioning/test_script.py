"""The rendered script: imported on every version, checked, and safe whatever anybody is called."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appliance.domain.plans import Plan
from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.versions import NAMES
from appliance.sandbox.routeros.versions import Name as VersionName
from provisioning.rows import NOTES, Note, notes
from provisioning.rsc import rendered
from provisioning.values import quoted
from provisioning.wish import WrongWish
from tests.provisioning.routers import (
    FULL,
    PLANS,
    a_router,
    a_wish,
    door_to,
    exported,
    file_names,
    left_to_do,
    taken_back,
)
from tests.provisioning.samples import SAMPLES
from tests.provisioning.scripts import a_device, findings, imported, near_the_portal, without_pages

every_version = pytest.mark.parametrize("version", NAMES)
every_sample = pytest.mark.parametrize("asked", SAMPLES)
REBOOT = 'x"; /system reboot; :put "'
NASTY = st.text(
    st.one_of(st.sampled_from('"\\$[](){};:/?#= \n\r\t.%*~^-\x00é€😀'), st.characters()),
    max_size=40,
) | st.sampled_from([REBOOT, "$[/system reboot]", "\\", '\\"', "$(1)", "a\r\n/system reboot", "]"])


@every_version
@every_sample
def test_the_script_sets_a_router_up_and_running_it_again_changes_nothing(
    version: VersionName, asked: dict[str, object]
) -> None:
    device = a_device(version)
    script = rendered(a_wish(**asked))
    assert imported(device, script) == ""
    made = exported(device)
    assert "hotspot-appliance/login.html" in file_names(device)
    assert imported(device, script) == ""
    assert exported(device) == made


@every_version
@every_sample
async def test_what_the_script_made_is_what_apply_would_have_made_and_remove_takes_it_back(
    version: VersionName, asked: dict[str, object]
) -> None:
    async with a_router(version) as router, door_to(router) as door:
        router.device.network.addresses.add({"address": "10.9.0.1/24", "interface": "ether5"})
        near_the_portal(router.device)
        before, files = exported(router.device), file_names(router.device)
        wish = a_wish(**asked)
        assert imported(router.device, rendered(wish)) == ""
        assert await left_to_do(door, wish) == []
        await taken_back(door)
        assert (exported(router.device), file_names(router.device)) == (before, files)


def profile(device: Device) -> dict[str, str]:
    return device.hotspot.config.server_profiles.named_row("hsprof1")


@every_version
async def test_a_login_that_the_profile_had_is_kept_and_comes_back(version: VersionName) -> None:
    async with a_router(version) as router, door_to(router) as door:
        near_the_portal(router.device)
        profile(router.device)["login-by"] = "mac,https"
        before, script = exported(router.device), rendered(a_wish())
        assert imported(router.device, script) == ""
        assert set(profile(router.device)["login-by"].split(",")) == {"mac", "https", "http-pap"}
        made = exported(router.device)
        assert imported(router.device, script) == ""
        assert exported(router.device) == made
        assert await left_to_do(door, a_wish()) == []
        await taken_back(door)
        assert exported(router.device) == before


async def test_what_somebody_made_of_the_login_after_the_script_is_what_comes_back() -> None:
    async with a_router() as router, door_to(router) as door:
        near_the_portal(router.device)
        profile(router.device)["login-by"] = "mac"
        assert imported(router.device, rendered(a_wish())) == ""
        profile(router.device)["login-by"] = "cookie,trial"
        assert imported(router.device, rendered(a_wish())) == ""
        assert set(profile(router.device)["login-by"].split(",")) == {"cookie", "trial", "http-pap"}
        await taken_back(door)
        assert profile(router.device)["login-by"] == "cookie,trial"


def noted(device: Device) -> dict[str, Note]:
    """What the router remembers of values that we changed, by attribute."""
    rows = [dict(row) for row in device.hotspot.config.walled_garden.rows.values()]
    return {attribute: note for (_, _, attribute), note in notes({NOTES: rows}).items()}


def test_a_login_that_has_what_is_needed_is_left_as_it_is() -> None:
    device = a_device()
    profile(device)["login-by"] = "http-pap,cookie"
    assert imported(device, rendered(a_wish())) == ""
    assert profile(device)["login-by"] == "http-pap,cookie"
    assert "login-by" not in noted(device)


def test_a_router_that_returns_the_login_as_a_list_is_understood_too() -> None:
    device = a_device()
    profile(device)["login-by"] = "mac,https"
    get = '[/ip hotspot profile get [/ip hotspot profile find where name="hsprof1"] login-by]'
    script = rendered(a_wish()).replace(get, '{"mac";"https"}')
    assert get not in script
    assert imported(device, script) == ""
    assert set(profile(device)["login-by"].split(",")) == {"mac", "https", "http-pap"}
    note = noted(device)["login-by"]
    assert (note.before, note.is_ours(profile(device)["login-by"])) == ("mac,https", True)


@every_sample
def test_the_script_passes_a_checker_that_nobody_here_wrote(
    asked: dict[str, object], tmp_path: Path
) -> None:
    assert findings(rendered(a_wish(**asked)), tmp_path) == []


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("/ip hotspot profile", "/ip hotspott profile"),
        ("rate-limit=", "rate-limitt="),
        ("do={ ", "do=( "),
        ('"done"', '"done'),
    ],
)
def test_a_broken_script_fails_the_checker_and_the_import(
    good: str, bad: str, tmp_path: Path
) -> None:
    script = rendered(a_wish())
    assert good in script
    broken = script.replace(good, bad)
    assert findings(broken, tmp_path)
    assert imported(a_device(), broken)


def test_a_dry_run_finds_nothing_either() -> None:
    device = a_device()
    device.files.put("hotspot.rsc", rendered(a_wish()))
    before = exported(device)
    said = Session(device, FULL).run("/import file-name=hotspot.rsc verbose=yes dry-run")
    assert "Error" not in said
    assert exported(device) == before


def test_each_line_can_be_pasted_on_its_own() -> None:
    device = a_device()
    session = Session(device, FULL)
    for line in rendered(a_wish(interface="ether5")).splitlines():
        session.run(line)
        assert not session.refused, line
    pasted = exported(device)
    other = a_device()
    assert imported(other, rendered(a_wish(interface="ether5"))) == ""
    assert pasted == exported(other)


def test_a_router_without_a_hotspot_is_told_so_before_anything_is_changed() -> None:
    device = a_device()
    device.faults.set({"no_hotspot_package": True})
    before = exported(device)
    assert "this router has no hotspot" in imported(device, rendered(a_wish()))
    assert exported(device) == before


def test_a_router_that_cannot_fetch_its_pages_goes_on_showing_its_own() -> None:
    device = Device(Faults(), version="6.49")
    assert "is the box running" in imported(device, rendered(a_wish()))
    profile = device.hotspot.config.server_profiles.named_row("hsprof1")
    assert "html-directory-override" not in profile


def test_a_second_hotspot_is_not_put_on_an_interface_that_has_one() -> None:
    device = a_device()
    before = exported(device)
    assert "there is a hotspot on this interface" in imported(
        device, rendered(a_wish(interface="bridge"))
    )
    assert exported(device) == before


def test_a_limit_that_somebody_set_stays_as_it_is() -> None:
    device = a_device()
    device.services.table.named_row("api")["address"] = "10.0.0.0/8"
    assert imported(device, rendered(a_wish())) == ""
    assert device.services.table.named_row("api")["address"] == "10.0.0.0/8"


def test_an_account_that_somebody_made_is_left_alone() -> None:
    device = a_device()
    device.accounts.users.add({"name": "box", "group": "read", "password": "theirs"})
    assert imported(device, rendered(a_wish())) == ""
    assert device.accounts.users.named_row("box")["group"] == "read"


@given(NASTY)
def test_any_text_comes_out_of_a_literal_as_it_went_in(text: str) -> None:
    said = Session(a_device(), FULL).run(f":put {quoted(text)}")
    assert said == text.encode("utf-8", "replace").decode() + "\r\n"


def counts(device: Device) -> dict[str, int]:
    tables = ((path, menu.table) for path, menu in device.menus.items())
    return {path: len(table.rows) for path, table in tables if table is not None}


@pytest.fixture(scope="module")
def tame() -> dict[str, int]:
    """How many rows there are where nobody is called anything odd."""
    device = a_device()
    assert imported(device, without_pages(rendered(a_wish(plans=PLANS[:1])))) == ""
    return counts(device)


@given(hostile=NASTY, password=NASTY)
def test_no_name_of_anything_becomes_a_command(
    tame: dict[str, int], hostile: str, password: str
) -> None:
    rebooted: list[str] = []
    device = a_device()
    device.on_reboot = lambda: rebooted.append("reboot")
    more = {"password": password, "plans": (replace(PLANS[0], name=hostile),)}
    assume(password != "")
    try:
        wish = a_wish(username=hostile, **more)
    except WrongWish:
        wish = a_wish(**more)
    assume(wish.username not in {"admin", "appliance", "reader"})
    assert imported(device, without_pages(rendered(wish))) == ""
    assert rebooted == []
    account = device.accounts.users.named_row(wish.username)
    assert account.get("password", "") == password.encode("utf-8", "replace").decode()
    assert counts(device) == tame


@given(NASTY)
def test_a_rate_limit_that_is_none_is_refused_by_the_router_and_not_obeyed(hostile: str) -> None:
    rebooted: list[str] = []
    device = a_device()
    device.on_reboot = lambda: rebooted.append("reboot")
    plan = Plan(id="p", name="p", price=1, duration=timedelta(hours=1), rate_limit=hostile)
    imported(device, without_pages(rendered(a_wish(plans=(plan,)))))
    assert rebooted == []
    known = {"default", plan.profile}
    assert set(device.hotspot.config.user_profiles.names()) <= known


async def test_over_the_api_hostile_names_are_values_too() -> None:
    async with a_router() as router, door_to(router) as door:
        rebooted: list[str] = []
        router.device.on_reboot = lambda: rebooted.append("reboot")
        await door.add("/ip/hotspot/walled-garden/ip", {"comment": REBOOT, "dst-host": REBOOT})
        (row,) = router.hotspot.config.walled_garden_ip.rows.values()
        assert (row["comment"], row["dst-host"], rebooted) == (REBOOT, REBOOT, [])
