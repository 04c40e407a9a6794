"""The operator's side of the money: what was never told of, what a person decides, what agrees."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from appliance import app, settings
from appliance.domain.payments import State
from appliance.sandbox.daraja.accounts import MERCHANTS
from tests.journeys.commands import as_json, command
from tests.world import Customer, World

PAYBILL = MERCHANTS[0]


async def allow_pull(world: World) -> None:
    """Sign the paybill up for lists, at Safaricom and in our own settings of it."""
    async with world.daraja_as(PAYBILL) as http:
        answer = await http.post(
            "/pulltransactions/v1/register",
            json={
                "ShortCode": PAYBILL.short_code,
                "RequestType": "Pull",
                "NominatedNumber": "0722000000",
                "CallBackURL": "https://pay.example/pull",
            },
        )
    assert answer.json()["ResponseStatus"] == "1000"
    async with world.store() as store:
        paybill = await store.get("paybills", "paybillInfo.number", PAYBILL.short_code)
        assert paybill is not None
        await store.change("paybills", paybill["_id"], {"config.pull": True}, {})


async def test_what_nobody_told_of_is_found_at_the_next_start(
    world: World, customer: Customer
) -> None:
    await allow_pull(world)
    await world.faults(callback="never", query="never")
    bought = await customer.buy()
    await customer.phone_does("pay")
    by_hand = await world.near.daraja.pay_by_hand("254712345077", PAYBILL.short_code, 50, "WIFI")
    await world.stop()
    await world.start()
    await customer.until(bought["token"], "online")
    payment = await world.payment(bought["paymentId"])
    assert payment.receipt is not None
    receipts = {payment.receipt for payment in await world.payments_in("paid")}
    assert receipts == {payment.receipt, by_hand.receipt}
    assert world.logins(customer) == 1


async def money_for_a_person(world: World, *payments: tuple[int, str]) -> dict[int, str]:
    """Pay these amounts by hand and return the ids of what then waits, by amount."""
    await command(world, "c2b", "register")
    for amount, account in payments:
        await world.near.daraja.pay_by_hand("254712345077", PAYBILL.short_code, amount, account)
    await world.near.daraja.ledger.wait_for(
        lambda ledger: len(ledger.confirmations) == len(payments), timeout=10
    )
    await world.webhooks_from("mpesa_confirmation")
    waiting = await as_json(world, "payments", "list", "--state", "unmatched")
    return {payment["amount"]: payment["id"] for payment in waiting}


async def test_a_person_lets_an_underpaid_voucher_pass_and_its_customer_is_online(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await customer.phone_does("cancel")
    await customer.until(bought["token"], "cancelled")
    waiting = await money_for_a_person(world, (8, bought["voucherCode"]))
    words = ("payments", "resolve", waiting[8], "--voucher", bought["voucherCode"])
    given = await as_json(world, *words)
    assert (given["state"], given["voucherCode"]) == ("paid", bought["voucherCode"])
    await customer.until(bought["token"], "online")
    assert await world.payments_in("unmatched") == []
    assert world.logins(customer) == 1


async def test_a_person_gives_a_voucher_for_money_that_named_nothing(
    world: World, customer: Customer
) -> None:
    waiting = await money_for_a_person(world, (70, "SHOES"))
    given = await as_json(world, "payments", "resolve", waiting[70], "--plan", "day")
    answer = await customer.portal("POST", "/redeem", data={"code": given["voucherCode"]})
    await customer.until(answer.headers["location"].rpartition("/")[2], "online")


async def test_a_refund_is_written_down_once(world: World) -> None:
    waiting = await money_for_a_person(world, (7, "0722000111"))
    assert "0722000111" not in await command(world, "payments", "list")
    note = "sent back by hand, 24 November"
    back = await as_json(world, "payments", "resolve", waiting[7], "--refunded", note)
    assert back["state"] == "refunded"
    words = ("payments", "resolve", waiting[7])
    assert "nothing to decide" in await command(world, *words, "--plan", "day", code=1)
    shown = await command(world, "payments", "show", waiting[7])
    assert note in shown
    assert "254712345077" not in shown
    assert "0722000111" not in shown
    await command(world, *words, code=2)
    await command(world, "payments", "show", "nothing", code=1)


async def test_money_goes_back_through_mpesa_and_its_answer_is_heard(world: World) -> None:
    waiting = await money_for_a_person(world, (33, "NOBODY"))
    async with world.store() as store:
        paybill = await store.get("paybills", "paybillInfo.number", PAYBILL.short_code)
        assert paybill is not None
        right = {
            "credentials.initiatorName": PAYBILL.initiator,
            "credentials.securityCredential": base64.b64encode(b"c" * 256).decode(),
            "config.reversal": True,
        }
        await store.change("paybills", paybill["_id"], right, {})
    loaded = await asyncio.to_thread(settings.load, world.settings)
    there = loaded.mongodb.model_copy(update={"database": world.database})
    async with app.open_flows(loaded.model_copy(update={"mongodb": there})) as flows:
        await flows.reversal.order(waiting[33])
    await world.near.daraja.ledger.wait_for(lambda ledger: bool(ledger.results), timeout=10)
    (webhook,) = await world.webhooks_from("mpesa_reversal")
    assert (webhook.status, webhook.payment_id) == ("refunded", waiting[33])
    (back,) = world.near.daraja.ledger.reversals
    payment = await world.payment(waiting[33])
    assert (payment.state, payment.receipt) == (State.REFUNDED, back.original)


async def test_urls_are_registered_once_and_the_second_time_is_explained(world: World) -> None:
    said = await command(world, "c2b", "register")
    assert "registered 174379" in said
    assert "URL Management" in await command(world, "c2b", "register", code=1)
    till = await command(world, "c2b", "register", "--paybill", "5142076")
    assert "registered 5142076" in till


async def test_a_statement_and_a_list_are_held_against_the_books(
    world: World, customer: Customer, tmp_path: Path
) -> None:
    await allow_pull(world)
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    held = await as_json(world, "payments", "reconcile")
    receipt = (await world.payment(bought["paymentId"])).receipt
    assert held["matched"] == [receipt]
    stranger = await world.near.daraja.pay_by_hand("254712345077", PAYBILL.short_code, 3, "X")
    output = await command(world, "payments", "reconcile", code=1)
    assert output == ""  # what differs is on standard output; nothing went wrong
    now = datetime.now(UTC).astimezone(timezone(timedelta(hours=3)))
    rows = [
        "Receipt No.,Completion Time,Details,Transaction Status,Paid In,Withdrawn",
        f"{receipt},{now:%Y-%m-%d %H:%M:%S},x,Completed,10.00,",
        f"{receipt},{now:%Y-%m-%d %H:%M:%S},x,Completed,10.00,",
        f"{stranger.receipt},{now:%Y-%m-%d %H:%M:%S},x,Completed,3.00,",
    ]
    file = tmp_path / "statement.csv"
    file.write_text("\n".join(rows), encoding="utf-8")
    words = ("payments", "reconcile", "--csv", str(file), "--json")
    assert (await world.payment(bought["paymentId"])).state is State.PAID
    assert await command(world, *words, code=1) == ""
    rows.pop(2)
    rows.pop(2)
    file.write_text("\n".join(rows), encoding="utf-8")
    assert json.loads(await command(world, *words))["matched"] == [receipt]
    other = await command(world, *words[:-1], "--paybill", "5142076", "--json")
    assert json.loads(other)["missing_there"] == []
