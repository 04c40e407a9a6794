"""The checklist of the owner's own document, box by box, through the commands an operator types."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from appliance.sandbox.daraja.accounts import MERCHANTS
from appliance.store.records import books
from tests.journeys.commands import as_json, command
from tests.world import PATIENCE, Customer, World

NUMBER = MERCHANTS[0].short_code


@pytest.fixture
def empty(tmp_path: Path, mongodb_uri: str | None, database: str) -> World:
    """A box that was configured and nothing more."""
    return World(tmp_path / "empty", mongodb_uri, f"{database}e")


@pytest.fixture
async def told(world: World) -> World:
    """A world whose box hears of every payment to its paybill."""
    await world.register_c2b(MERCHANTS[0])
    return world


async def stored(world: World, collection: str) -> list[dict[str, Any]]:
    """Return the documents as they lie in the database."""
    async with world.store() as store:
        return [document async for document in store.every(collection)]


async def paid(world: World, customer: Customer) -> dict[str, Any]:
    """Return a purchase that is paid for and online, and of which the confirmation came too."""
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    await world.near.daraja.ledger.wait_for(
        lambda ledger: bool(ledger.confirmations), timeout=PATIENCE
    )
    return bought


async def test_db_init_creates_the_new_collections(empty: World) -> None:
    said = await command(empty, "db", "init")
    status = await as_json(empty, "db", "status")
    for name in ("webhook_logs", "stk_initiations", "paybills"):
        assert name in said
        assert status["collections"][name] == {"count": 0, "missingIndexes": []}
    assert status["indexesOk"]
    assert await command(empty, "db", "init") == said


async def test_db_seed_seeds_the_paybill_with_the_new_structure(empty: World) -> None:
    await command(empty, "db", "init")
    counts = await as_json(empty, "db", "seed", str(empty.seed))
    assert counts["paybills"] == 2
    (paybill,) = [
        p for p in await stored(empty, "paybills") if p["paybillInfo"]["number"] == NUMBER
    ]
    assert paybill["status"] == "active"
    assert paybill["paybillInfo"].keys() >= {"number", "name", "type", "provider"}
    assert paybill["credentials"].keys() == {"consumerKey", "consumerSecret", "passKey"}
    assert paybill["config"]["environment"] == "sandbox"
    assert await as_json(empty, "db", "seed", str(empty.seed)) == counts
    assert len(await stored(empty, "paybills")) == 2


async def test_every_paybill_has_its_type(still_world: World) -> None:
    found = await stored(still_world, "paybills")
    assert {p["paybillInfo"]["number"]: p["paybillInfo"]["type"] for p in found} == {
        "174379": "paybill",
        "5142076": "till",
    }


async def test_tokens_refresh_generates_a_token(still_world: World) -> None:
    said = await as_json(still_world, "tokens", "refresh")
    assert said["success"]
    for paybill in await stored(still_world, "paybills"):
        credentials = paybill["credentials"]
        assert credentials["accessToken"]
        assert credentials["lastTokenRefresh"] < credentials["tokenExpiresAt"]


async def test_an_stk_push_from_the_captive_portal_rings_the_phone(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    (push,) = world.near.daraja.ledger.pushes
    assert push.fields["AccountReference"] == bought["voucherCode"]
    assert push.fields["TransactionType"] == "CustomerPayBillOnline"
    assert (push.fields["PhoneNumber"], push.fields["Amount"]) == (customer.phone, "10")
    assert len(world.prompts_of(customer)) == 1


async def test_stk_initiations_is_populated_with_every_field(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    (initiation,) = await stored(world, "stk_initiations")
    (voucher,) = await world.vouchers_of(customer)
    assert initiation["CheckoutRequestID"] == bought["checkoutRequestId"]
    assert initiation["MerchantRequestID"]
    assert initiation["AccountReference"] == bought["voucherCode"] == voucher.code
    assert re.fullmatch(r"254\d{9}", initiation["PhoneNumber"])
    assert (initiation["Amount"], initiation["paybillNumber"]) == (10, NUMBER)
    assert initiation["routerId"] == "sandbox-router"
    assert initiation["voucherId"] == voucher.id
    assert initiation["paymentId"] == bought["paymentId"]
    assert initiation["status"] == "initiated"
    assert datetime.now(UTC) - initiation["createdAt"] < timedelta(seconds=PATIENCE)


@pytest.mark.parametrize(
    ("answer", "state", "status"),
    [("pay", "online", "completed"), ("cancel", "cancelled", "cancelled")],
)
async def test_the_callback_webhook_updates_the_stk_status(
    world: World, customer: Customer, answer: str, state: str, status: str
) -> None:
    bought = await customer.buy()
    await customer.phone_does(answer)
    await customer.until(bought["token"], state)
    await world.webhooks_from("mpesa_stk_callback")
    await world.stop()  # the bookkeeping that is under way is finished first
    (initiation,) = await stored(world, "stk_initiations")
    assert initiation["status"] == status


async def test_the_confirmation_webhook_finds_the_stk_initiation(
    told: World, customer: Customer
) -> None:
    await told.faults(callback="never", query="never")
    bought = await paid(told, customer)
    (webhook,) = await told.webhooks_from("mpesa_confirmation")
    (initiation,) = await stored(told, "stk_initiations")
    assert webhook.metadata.bill_ref_number == initiation["AccountReference"]
    assert (webhook.status, webhook.payment_id) == ("completed", bought["paymentId"])
    payment = await told.payment(bought["paymentId"])
    assert payment.phone == initiation["PhoneNumber"] == customer.phone


async def test_webhook_logs_is_populated_in_the_owners_structure(
    told: World, customer: Customer
) -> None:
    bought = await paid(told, customer)
    for source, kind in (("stk_callback", "stk_callback"), ("confirmation", "c2b_confirmation")):
        (webhook,) = await told.webhooks_from(f"mpesa_{source}")
        (log,) = [one for one in await stored(told, "webhook_logs") if one["_id"] == webhook.id]
        assert (log["source"], log["type"]) == (f"mpesa_{source}", kind)
        assert log["status"] in {"completed", "already_known"}
        assert isinstance(log["payload"], dict)
        assert isinstance(log["processingTime"], int)
        assert isinstance(log["timestamp"], datetime)
        if kind == "stk_callback":
            assert log["metadata"]["CheckoutRequestID"] == bought["checkoutRequestId"]
            assert log["metadata"]["ResultCode"] == 0
            assert log["metadata"].keys() >= {"MerchantRequestID", "ResultDesc"}
        else:
            assert log["metadata"]["BillRefNumber"] == bought["voucherCode"]
            assert log["metadata"]["TransID"] == told.near.daraja.ledger.payments[0].receipt


async def give_token_left(world: World, left: timedelta) -> str:
    """Make the token there is look as if so much time had passed; return it."""
    async with world.store() as store:
        paybills = books(store).paybills
        paybill = await paybills.find("paybillInfo.number", NUMBER)
        assert paybill is not None
        until = datetime.now(UTC).replace(microsecond=0) + left
        aged = replace(paybill.credentials, token_expires_at=until)
        await paybills.change(paybill, replace(paybill, credentials=aged))
    assert paybill.credentials.access_token
    return paybill.credentials.access_token


async def token(world: World) -> str:
    (found,) = [p for p in await stored(world, "paybills") if p["paybillInfo"]["number"] == NUMBER]
    shown: str = found["credentials"]["accessToken"]
    return shown


async def test_a_token_near_its_end_is_renewed_by_itself(
    still_world: World, customer: Customer
) -> None:
    world = still_world
    await command(world, "tokens", "refresh")
    old = await give_token_left(world, timedelta(minutes=11))
    await command(world, "tokens", "refresh")
    assert await token(world) == old
    await give_token_left(world, timedelta(minutes=9))
    await command(world, "tokens", "refresh")
    renewed = await token(world)
    assert renewed != old
    await give_token_left(world, timedelta(minutes=4))
    await world.start()
    await customer.buy()
    assert await token(world) != renewed
