"""What is beside the box: the router, Safaricom and its own doors, broken one by one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from pydantic import SecretStr

from appliance.app.provision import Asked, surveyed, wish_of
from appliance.cli.doctor import doors
from appliance.cli.doctor.checks import Finding, Status
from appliance.store.records import books
from appliance.web import health
from appliance.web.listening import listening
from tests.doctor.conftest import Clinic
from tests.provisioning.routers import door_to, set_up


async def failed(clinic: Clinic, name: str) -> Finding:
    found = await clinic.one(name)
    assert found.status is Status.FAIL, found
    return found


async def test_a_router_that_is_away_is_said_once(town: Clinic) -> None:
    town.router_faults(refuse=True)
    found = await failed(town, "router")
    assert f"127.0.0.1:{town.world.ports.router_api}" in found.what
    assert "/ip service print" in found.fix
    for name in ("router state", "router set-up", "router load"):
        assert (await town.one(name)).status is Status.SKIP
    assert (await town.one("router ssh")).status is Status.PASS


async def test_a_wrong_password_at_the_router_is_said(town: Clinic) -> None:
    town.set("router", password=SecretStr("not this one"))
    found = await failed(town, "router")
    assert "does not let appliance in" in found.what
    assert "router.password" in found.fix
    assert "not this one" not in str(found)


async def test_a_second_way_that_is_out_is_said(town: Clinic) -> None:
    town.router_faults(ssh_refuse=True)
    found = await failed(town, "router ssh")
    assert "ssh-keyscan" in found.fix
    assert (await town.one("router")).status is not Status.FAIL


async def test_another_host_key_is_a_stranger(town: Clinic) -> None:
    town.set("router", ssh_fingerprint="SHA256:" + "A" * 43)
    assert "router.ssh_fingerprint" in (await failed(town, "router ssh")).fix


async def test_a_device_mode_that_forbids_hotspots_is_said_with_its_button(town: Clinic) -> None:
    town.router_faults(device_mode="home")
    (mode, *_) = await town.says("router state")
    assert mode.status is Status.FAIL
    assert "device mode (home)" in mode.what
    assert "button" in mode.fix


async def test_a_licence_that_lets_one_user_in_fails(town: Clinic) -> None:
    town.router_faults(license_level=1)
    (found,) = await town.says("router state")
    assert found.status is Status.FAIL
    assert "one user" in found.what


async def test_an_account_that_somebody_made_too_weak_is_said_with_what_mends_it(
    town: Clinic,
) -> None:
    town.set("router", username="reader")
    said = await town.says("router state")
    assert "the account reader lacks the policy write" in [finding.what for finding in said]
    groups = town.world.near.router.device.accounts.groups
    groups.set([groups.id_of("appliance")], {"policy": "!ssh"})
    town.set("router", username="appliance")
    found = await town.one("router state")
    assert (found.status, "lacks the policy ssh" in found.what) == (Status.FAIL, True)
    assert "/user group add name=hotspot-box policy=read,write,api,ssh" in found.fix


async def test_a_router_that_drifts_from_its_set_up_is_said(town: Clinic) -> None:
    assert "not set up by" in (await town.one("router set-up")).what
    async with town.store() as store:
        plans = tuple(await books(store).plans.page("active", value=True, limit=10))
    asked = Asked()
    wish = await asyncio.to_thread(wish_of, town.loaded, asked, plans)
    router = town.world.near.router
    async with door_to(router) as door:
        await set_up(door, wish)
        assert not (await surveyed(town.loaded, asked, wish)).changes
        assert (await town.one("router set-up")).status is Status.PASS
        (hole,) = [
            row
            for row in await door.print("/ip/hotspot/walled-garden/ip")
            if row.get("comment", "").startswith("hotspot-appliance")
        ]
        await door.remove("/ip/hotspot/walled-garden/ip", hole[".id"])
        await door.upload("hotspot-appliance/login.html", "somebody else's")
    said = await town.says("router set-up")
    assert [finding.status for finding in said] == [Status.FAIL, Status.FAIL]
    assert "login.html" in said[0].what
    assert "walled garden" in said[1].what
    assert all("provision apply" in finding.fix for finding in said)


async def test_keys_that_safaricom_refuses_are_said(town: Clinic) -> None:
    assert (await town.one("tokens")).status is Status.PASS
    await town.change(
        "paybills",
        lambda values: values.update(
            {"credentials.consumerSecret": "wrong", "credentials.accessToken": None}
        ),
    )
    for found in await town.says("tokens"):
        assert found.status is Status.FAIL
        assert "consumerSecret" in found.fix


async def test_accounts_that_make_no_sense_are_told(clinic: Clinic) -> None:
    assert (await clinic.one("paybills")).status is Status.PASS
    await clinic.change(
        "paybills",
        lambda values: values.update(
            {"paybillInfo.storeNumber": None, "credentials.passKey": "short"}
        ),
    )
    said = await clinic.says("paybills")
    fails = [finding for finding in said if finding.status is Status.FAIL]
    assert ["no store number" in finding.what for finding in fails] == [True]
    assert sum("64 hex digits" in finding.what for finding in said) == 2
    await clinic.change("paybills", lambda values: values.update({"status": "inactive"}))
    assert "nothing can be sold" in (await failed(clinic, "paybills")).what


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://box.example", "not https"),
        ("https://abc.ngrok-free.app", "does not call"),
        ("https://10.0.0.2", "from the internet"),
        ("https://box.lan", "from the internet"),
    ],
)
async def test_an_address_that_safaricom_would_not_call_is_told(
    clinic: Clinic, url: str, says: str
) -> None:
    clinic.set("webhooks", public_url=url)
    assert (await clinic.one("callbacks")).status is Status.WARN
    clinic.set("daraja", environment="production")
    assert says in (await failed(clinic, "callbacks")).what
    clinic.set("webhooks", public_url="https://pay.box.example")
    assert (await clinic.one("callbacks")).status is Status.PASS


async def test_a_list_that_is_not_granted_is_told_with_what_stands_in_for_it(
    clinic: Clinic,
) -> None:
    found = await clinic.one("pull")
    assert found.status is Status.SKIP
    assert "appliance payments reconcile --csv" in found.what
    await clinic.change("paybills", lambda values: values.update({"config.pull": True}))
    assert (await clinic.one("pull")).status is Status.PASS


async def test_an_address_that_was_registered_elsewhere_is_told(clinic: Clinic) -> None:
    assert (await clinic.one("c2b")).status is Status.SKIP
    await clinic.change(
        "paybills",
        lambda values: values.update({"config.confirmationUrl": "https://old.example/c2b"}),
    )
    found = await clinic.one("c2b")
    assert (found.status, "c2b register" in found.fix) == (Status.WARN, True)


async def test_somebody_else_at_our_doors_is_noticed(clinic: Clinic) -> None:
    async with _stranger_at(clinic, "portal"):
        assert "something else" in (await failed(clinic, "portal")).what
    async with _stranger_at(clinic, "webhooks"):
        assert "without the secret" in (await failed(clinic, "webhooks")).what
    async with _stranger_at(clinic, "admin"):
        assert "something else" in (await failed(clinic, "daemon")).what


@asynccontextmanager
async def _stranger_at(clinic: Clinic, door: str) -> AsyncIterator[None]:
    async def welcome(_: web.Request) -> web.Response:
        return web.Response(text="It works!")

    stranger = web.Application()
    stranger.router.add_route("*", "/{any:.*}", welcome)
    async with listening(stranger, getattr(clinic.loaded, door).listen):
        yield


async def test_jobs_that_stand_still_are_told(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clinic.patient().clock.now().timestamp()
    counted = {
        "edge_job_last_success_timestamp": {"drift": now, "usage": now - 3600},
        "edge_job_failures_total": {"usage": 7.0},
    }

    async def metrics(_: object) -> dict[str, dict[str, float]]:
        return counted

    monkeypatch.setattr("appliance.cli.doctor.patient.Patient.metrics", metrics)
    assert "too long: usage" in (await failed(clinic, "jobs")).what
    counted["edge_job_last_success_timestamp"]["usage"] = now
    found = await clinic.one("jobs")
    assert (found.status, "usage (7)" in found.what) == (Status.WARN, True)


async def test_a_job_that_never_ended_well_is_late_once_it_must_have_run(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    up = 0.0

    async def metrics(_: object) -> dict[str, dict[str, float]]:
        return {}

    async def up_seconds(_: object) -> float:
        return up

    monkeypatch.setattr("appliance.cli.doctor.patient.Patient.metrics", metrics)
    monkeypatch.setattr("appliance.cli.doctor.patient.Patient.up_seconds", up_seconds)
    assert (await clinic.one("jobs")).what == "none was due yet"
    up = 1800.0
    found = await failed(clinic, "jobs")
    assert "drift" in found.what
    assert "refresh_tokens" not in found.what, "its second turn is still to come"
    assert "prune" not in found.what


async def test_the_daemon_says_for_how_long_it_has_run(
    alive: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "monotonic", lambda: time.monotonic() + 90)
    assert 90 <= await alive.patient().up_seconds() < 120


@pytest.mark.parametrize(
    ("host", "leads_to", "status"),
    [
        ("127.0.0.1", "127.0.0.1", Status.FAIL),
        ("localhost", "127.0.1.1", Status.FAIL),
        ("box.lan", "127.0.1.1", Status.WARN),  # phones may ask a router that knows better
        ("localhost", "192.168.88.2", Status.PASS),
    ],
)
async def test_an_address_that_leads_only_the_box_to_itself_is_told(
    alive: Clinic, monkeypatch: pytest.MonkeyPatch, host: str, leads_to: str, status: Status
) -> None:
    names = {host: leads_to, "192.168.88.1": "192.168.88.1"}

    async def addresses(name: str) -> list[str]:
        return [names[name]]

    monkeypatch.setattr(doors, "_addresses", addresses)
    monkeypatch.setattr(doors, "address_towards", {"192.168.88.1": "192.168.88.2"}.get)
    alive.set("router", host="192.168.88.1")
    port = alive.world.ports.portal
    alive.set("portal", public_url=f"http://{host}:{port}")
    found = await alive.one("portal")
    assert found.status is status, found
    if status is not Status.PASS:
        assert "http://192.168.88.2:8080" in found.fix


async def test_a_name_is_judged_by_what_it_leads_to_here() -> None:
    assert "127.0.0.1" in await doors._addresses("localhost")
    assert await doors._addresses("nobody.invalid") == []
