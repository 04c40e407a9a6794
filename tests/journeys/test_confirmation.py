"""Money that Safaricom tells of by C2B: for a push of ours, or from somebody nobody prompted."""

import asyncio

import httpx
import pytest

from appliance.domain.payments import State
from appliance.domain.vouchers import State as VoucherState
from appliance.sandbox.daraja.accounts import MERCHANTS
from appliance.sandbox.daraja.byhand import NotPaid
from tests.world import PATIENCE, Customer, World

PAYBILL = MERCHANTS[0]


@pytest.fixture
async def told(world: World) -> World:
    """A world whose box is told of every payment to its paybill."""
    await world.register_c2b(PAYBILL)
    return world


async def confirmed(world: World, count: int) -> None:
    await world.near.daraja.ledger.wait_for(
        lambda ledger: len(ledger.confirmations) == count, timeout=PATIENCE
    )
    assert {sent.status for sent in world.near.daraja.ledger.confirmations} == {200}


@pytest.mark.parametrize("order", ["before", "after", "twice"])
async def test_callback_and_confirmation_of_one_payment_count_once(
    told: World, customer: Customer, order: str
) -> None:
    await told.faults(c2b=order)
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    await confirmed(told, 2 if order == "twice" else 1)
    webhooks = await told.webhooks_from("mpesa_confirmation")
    assert {webhook.status for webhook in webhooks} <= {"completed", "already_known"}
    assert {webhook.metadata.bill_ref_number for webhook in webhooks} == {bought["voucherCode"]}
    assert len(await told.payments_in("paid")) == told.paid(customer) == 1
    assert await told.payments_in("unmatched") == []
    assert told.logins(customer) == 1


async def test_the_callback_is_lost_but_the_confirmation_comes(
    told: World, customer: Customer
) -> None:
    await told.faults(callback="never", query="never")
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    payment = await told.payment(bought["paymentId"])
    assert payment.receipt == told.near.daraja.ledger.payments[0].receipt
    assert told.logins(customer) == 1


async def test_who_cancelled_the_prompt_pays_by_hand_with_the_code(
    told: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await customer.phone_does("cancel")
    await customer.until(bought["token"], "cancelled")
    typed = f" {bought['voucherCode'][:5].lower()} {bought['voucherCode'][5:].lower()}"
    await told.near.daraja.pay_by_hand(customer.phone, PAYBILL.short_code, 10, typed)
    await customer.until(bought["token"], "online")
    assert told.logins(customer) == told.paid(customer) == 1


async def test_who_never_opened_the_portal_buys_by_word_and_price(
    told: World, customer: Customer
) -> None:
    paid = await told.near.daraja.pay_by_hand(customer.phone, PAYBILL.short_code, 50, "wifi")
    await confirmed(told, 1)
    (webhook,) = await told.webhooks_from("mpesa_confirmation")
    assert webhook.status == "completed"
    form = {"receipt": paid.receipt, "phone": customer.phone}
    wrong = await customer.portal("POST", "/recover", data=form | {"phone": "0712345999"})
    assert wrong.status_code == 200
    assert "Checking with M-Pesa" in wrong.text
    answer = await customer.portal("POST", "/recover", data=form)
    assert answer.status_code == 303, answer.text
    status = await customer.until(answer.headers["location"].rpartition("/")[2], "online")
    assert 86390 <= status["secondsRemaining"] <= 86400
    assert told.logins(customer) == 1


@pytest.mark.parametrize(
    ("amount", "account", "reason"),
    [
        (3, "CODE", "underpaid"),
        (30, "CODE", "overpaid"),
        (10, "SHOES", "unknown_account"),
        (7, "WIFI", "no_plan_at_this_price"),
        (900, "WIFI", "overpaid"),
    ],
)
async def test_money_that_fits_nothing_waits_for_a_person(
    told: World, customer: Customer, amount: int, account: str, reason: str
) -> None:
    bought = await customer.buy()
    await customer.phone_does("cancel")
    await customer.until(bought["token"], "cancelled")
    typed = bought["voucherCode"] if account == "CODE" else account
    paid = await told.near.daraja.pay_by_hand(customer.phone, PAYBILL.short_code, amount, typed)
    await confirmed(told, 1)
    (webhook,) = await told.webhooks_from("mpesa_confirmation")
    assert webhook.status == "unmatched"
    (waiting,) = await told.payments_in("unmatched")
    assert (waiting.reason, waiting.receipt, waiting.amount) == (reason, paid.receipt, amount)
    assert told.logins(customer) == 0


async def test_a_second_payment_with_the_same_code_waits_for_a_person(
    told: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    await told.near.daraja.pay_by_hand(
        customer.phone, PAYBILL.short_code, 10, bought["voucherCode"]
    )
    await confirmed(told, 2)
    await told.webhooks_from("mpesa_confirmation")
    (waiting,) = await told.payments_in("unmatched")
    assert waiting.reason == "paid_already"
    assert told.logins(customer) == 1


async def test_paying_by_hand_and_then_the_prompt_too_loses_neither(
    told: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await told.near.daraja.pay_by_hand(
        customer.phone, PAYBILL.short_code, 10, bought["voucherCode"]
    )
    await customer.until(bought["token"], "online")
    await customer.phone_does("pay")
    await confirmed(told, 2)
    await told.webhooks_from("mpesa_stk_callback")
    await told.webhooks_from("mpesa_confirmation")
    (second,) = await told.payments_in("unmatched")
    (first,) = await told.payments_in("paid")
    receipts = {paid.receipt for paid in told.near.daraja.ledger.payments}
    assert {first.receipt, second.receipt} == receipts
    assert told.logins(customer) == 1


async def test_at_a_till_the_confirmation_brings_the_receipt_that_the_query_had_not(
    still_world: World, customer: Customer
) -> None:
    till = await still_world.use_till()
    await still_world.start()
    await still_world.register_c2b(till)
    await still_world.faults(callback="never", c2b="late", c2b_delay=3.0)
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    await confirmed(still_world, 1)
    (webhook,) = await still_world.webhooks_from("mpesa_confirmation")
    assert webhook.status == "completed"
    payment = await still_world.payment(bought["paymentId"])
    assert payment.receipt == still_world.near.daraja.ledger.payments[0].receipt
    assert still_world.logins(customer) == 1


async def test_validation_turns_away_what_nobody_could_use(told: World, customer: Customer) -> None:
    await told.faults(validation="on")
    for amount, account in ((10, "SHOES"), (7, "WIFI")):
        with pytest.raises(NotPaid):
            await told.near.daraja.pay_by_hand(customer.phone, "174379", amount, account)
    assert told.paid(customer) == 0
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    webhooks = await told.webhooks_from("mpesa_validation")
    assert sorted(webhook.status for webhook in webhooks) == [
        "accepted",
        "rejected_account",
        "rejected_amount",
    ]


async def test_a_confirmation_without_the_secret_is_not_found(told: World) -> None:
    body = {"TransID": "UKN7K2M9QX", "TransAmount": "10.00", "BusinessShortCode": "174379"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{told.ports.webhooks}") as http:
        for path in ("/hooks/0/c2b/confirmation", "/hooks/0/c2b/validation", "/c2b/confirmation"):
            assert (await http.post(path, json=body)).status_code == 404
        for path in ("/api/webhooks/mpesa/callback", "/api/webhooks/mpesa"):
            assert (await http.post(path, json=body)).status_code == 404
    assert await told.webhooks_from("mpesa_confirmation") == []


async def test_the_earlier_programs_addresses_are_hints_that_open_nothing_by_themselves(
    still_world: World, customer: Customer
) -> None:
    world = still_world
    await world.start(APPLIANCE_WEBHOOKS__SEED_PATHS="true")
    await world.faults(callback="never", query="never")
    bought = await customer.buy()
    callback = {
        "Body": {
            "stkCallback": {
                "CheckoutRequestID": bought["checkoutRequestId"],
                "ResultCode": 0,
                "CallbackMetadata": {"Item": [{"Name": "MpesaReceiptNumber", "Value": "FORGED1"}]},
            }
        }
    }
    money = {
        "TransID": "FORGED2",
        "TransAmount": "10.00",
        "BusinessShortCode": "174379",
        "BillRefNumber": bought["voucherCode"],
    }
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{world.ports.webhooks}") as http:
        sent = await http.post("/api/webhooks/mpesa/callback", json=callback)
        assert sent.status_code == 200
        assert (await http.post("/api/webhooks/mpesa", json=money)).status_code == 200
    await asyncio.sleep(1)
    assert (await customer.status(bought["token"]))["state"] == "pending"
    assert world.logins(customer) == 0
    await world.faults(callback="never")
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    payment = await world.payment(bought["paymentId"])
    assert payment.state is State.PAID
    (voucher,) = await world.vouchers_of(customer)
    assert voucher.state is VoucherState.ACTIVE
