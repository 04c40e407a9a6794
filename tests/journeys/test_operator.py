"""The operator's commands and the outer cron, on a real box."""

import json

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.journeys.commands import as_json, command, secrets_of
from tests.world import Customer, World

SECRET = "0123456789abcdef-cron"
PATH = "/api/cron/refresh-tokens"


async def test_tokens_are_refreshed_and_looked_at_by_hand(still_world: World) -> None:
    world = still_world
    before = await as_json(world, "tokens", "status")
    assert [p["valid"] for p in before["paybills"]] == [False, False]
    first = await as_json(world, "tokens", "refresh")
    assert first["success"]
    assert [p["outcome"] for p in first["paybills"]] == ["refreshed", "refreshed"]
    second = await as_json(world, "tokens", "refresh")
    assert [p["outcome"] for p in second["paybills"]] == ["valid", "valid"]
    forced = await as_json(world, "tokens", "refresh", "--force")
    assert [p["outcome"] for p in forced["paybills"]] == ["refreshed", "refreshed"]
    after = (await as_json(world, "tokens", "status"))["paybills"]
    assert [(p["number"], p["type"], p["environment"], p["valid"]) for p in after] == [
        ("174379", "paybill", "sandbox", True),
        ("5142076", "till", "sandbox", True),
    ]
    assert all(p["tokenExpiresAt"] and p["lastTokenRefresh"] for p in after)


async def cron(world: World, method: str, shown: str | None) -> httpx.Response:
    headers = {} if shown is None else {b"Authorization": shown.encode()}
    async with httpx.AsyncClient() as http:
        url = f"http://127.0.0.1:{world.ports.admin}{PATH}"
        return await http.request(method, url, headers=headers)


async def test_an_outer_cron_refreshes_tokens_with_its_secret_only(still_world: World) -> None:
    world = still_world
    await world.start(APPLIANCE_ADMIN__CRON_SECRET=SECRET)
    for wrong in (None, "", "Bearer", f"Bearer {SECRET}x", f"Basic {SECRET}", SECRET, "Bearer é"):
        assert (await cron(world, "POST", wrong)).status_code == 401
    assert (await as_json(world, "tokens", "status"))["paybills"][0]["valid"] is False
    answer = await cron(world, "POST", f"Bearer {SECRET}")
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert [p["outcome"] for p in answer.json()["paybills"]] == ["refreshed", "refreshed"]
    again = (await cron(world, "GET", f"Bearer {SECRET}")).json()
    assert [p["outcome"] for p in again["paybills"]] == ["valid", "valid"]
    assert not [s for s in await secrets_of(world) if s in answer.text]


async def test_without_a_secret_no_cron_is_let_in(world: World) -> None:
    for shown in (None, "Bearer", "Bearer None"):
        answer = await cron(world, "POST", shown)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "cron_secret_unset"


async def test_lists_show_the_newest_first_and_nobodys_number(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    (push,) = await as_json(world, "initiations", "list", "--status", "completed")
    assert push["AccountReference"] == bought["voucherCode"]
    assert push["PhoneNumber"] == f"254{customer.phone[3:6]}•••{customer.phone[-3:]}"
    (webhook,) = await as_json(world, "webhooks", "list", "--source", "mpesa_stk_callback")
    assert "rawBody" not in webhook
    assert webhook["metadata"]["CheckoutRequestID"].endswith("•••")
    plain = await command(world, "webhooks", "list") + await command(world, "initiations", "list")
    for said in (json.dumps(push), json.dumps(webhook), plain):
        assert customer.phone[3:] not in said
    (full,) = await as_json(world, "initiations", "list", "--limit", "1", "--full")
    assert full["PhoneNumber"] == customer.phone
    assert full["CheckoutRequestID"] == bought["checkoutRequestId"]
    assert await as_json(world, "initiations", "list", "--status", "failed") == []


async def test_a_box_sells_with_sealed_secrets_and_closes_without_the_key(
    still_world: World, customer: Customer
) -> None:
    world, key = still_world, Fernet.generate_key().decode()
    dry = await command(
        world, "db", "migrate", "--dry-run", APPLIANCE_APPLIANCE__ENCRYPTION_KEYS=key
    )
    assert "credentials.passKey is replaced (not shown)" in dry
    status = await as_json(world, "db", "status", APPLIANCE_APPLIANCE__ENCRYPTION_KEYS=key)
    assert status["migrations"]["pending"] == {"3-sealed-secrets": 2}
    await command(world, "db", "migrate", APPLIANCE_APPLIANCE__ENCRYPTION_KEYS=key)
    status = await as_json(world, "db", "status", APPLIANCE_APPLIANCE__ENCRYPTION_KEYS=key)
    assert (status["indexesOk"], status["migrations"]["pending"]) == (True, {})
    assert status["collections"]["paybills"]["count"] == 2
    await world.start(APPLIANCE_APPLIANCE__ENCRYPTION_KEYS=key)
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    assert all(secret.startswith("fernet:") for secret in await secrets_of(world))
    await world.stop()
    other = Fernet.generate_key().decode()
    for environment in ({}, {"APPLIANCE_APPLIANCE__ENCRYPTION_KEYS": other}):
        await world.start(**environment)
        answer = await customer.ask()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "sales_closed")
        await world.stop()
    said = await command(world, "db", "migrate", code=1, APPLIANCE_APPLIANCE__ENCRYPTION_KEYS=other)
    assert "no key of appliance.encryption_keys opens" in said


@pytest.mark.parametrize("keys", ["short", "a,b", "é" * 44])
async def test_a_key_that_is_none_refuses_to_start(still_world: World, keys: str) -> None:
    said = await command(
        still_world, "tokens", "status", code=1, APPLIANCE_APPLIANCE__ENCRYPTION_KEYS=keys
    )
    assert "appliance.encryption_keys: must be keys of 32 bytes" in said
    assert keys not in said
