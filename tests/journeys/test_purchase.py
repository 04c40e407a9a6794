"""Whole purchases over real sockets, on every store: the gate opens exactly once or not at all."""

import asyncio
import re

import httpx
import pytest

from appliance.domain.payments import State
from appliance.domain.vouchers import State as VoucherState
from tests.world import Customer, World


async def test_a_customer_pays_and_is_online(world: World, customer: Customer) -> None:
    bought = await customer.buy()
    assert not await customer.is_online()
    await customer.phone_does("pay")
    status = await customer.until(bought["token"], "online")
    assert status["voucherCode"] == bought["voucherCode"]
    assert 3590 <= status["secondsRemaining"] <= 3600
    assert await customer.is_online()
    assert world.logins(customer) == world.paid(customer) == 1
    payment = await world.payment(bought["paymentId"])
    assert payment.state is State.PAID
    assert payment.receipt == world.near.daraja.ledger.payments[0].receipt


async def test_a_till_is_paid_like_a_paybill(still_world: World, customer: Customer) -> None:
    till = await still_world.use_till()
    await still_world.start()
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    (push,) = still_world.near.daraja.ledger.pushes
    assert push.fields["TransactionType"] == "CustomerBuyGoodsOnline"
    assert push.fields["PartyB"] == till.till


async def test_a_cancelled_prompt_opens_nothing_and_a_retry_works(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await customer.phone_does("cancel")
    assert (await customer.until(bought["token"], "cancelled"))["state"] == "cancelled"
    assert not await customer.is_online()
    again = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(again["token"], "online")
    assert world.logins(customer) == world.paid(customer) == 1


@pytest.mark.parametrize(
    ("result", "word"), [("1", "balance"), ("2001", "PIN"), ("8006", "locked")]
)
async def test_what_m_pesa_refuses_is_said_kindly(
    world: World, customer: Customer, result: str, word: str
) -> None:
    await world.faults(result=result)
    bought = await customer.buy()
    await customer.phone_does("pay")
    status = await customer.until(bought["token"], "failed")
    assert word in status["message"]
    assert world.logins(customer) == 0


async def test_no_answer_fails_and_opens_nothing(world: World, customer: Customer) -> None:
    bought = await customer.buy()
    await customer.phone_does("ignore")
    await customer.until(bought["token"], "failed")
    assert world.logins(customer) == world.paid(customer) == 0


async def test_a_wrong_pin_fails_and_opens_nothing(world: World, customer: Customer) -> None:
    bought = await customer.buy()
    await customer.phone_does("pay", pin="0000")
    await customer.until(bought["token"], "failed")
    assert world.logins(customer) == world.paid(customer) == 0


async def test_the_pushs_answer_is_lost_but_the_callback_comes(
    world: World, customer: Customer
) -> None:
    await world.faults(push="lost_answer")
    bought = await customer.buy()
    assert bought["checkoutRequestId"] is None
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    assert len(world.near.daraja.ledger.pushes) == 1
    assert world.logins(customer) == world.paid(customer) == 1


async def test_the_callback_is_lost_but_the_query_answers(world: World, customer: Customer) -> None:
    await world.faults(callback="never")
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    payment = await world.payment(bought["paymentId"])
    assert (payment.state, payment.receipt) == (State.PAID, None)
    assert world.logins(customer) == world.paid(customer) == 1


async def test_a_flaky_query_is_asked_again(world: World, customer: Customer) -> None:
    await world.faults(callback="never", query="flaky")
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    assert world.logins(customer) == 1


@pytest.mark.parametrize("items", ["four", "five", "reordered"])
async def test_the_callback_comes_twice(world: World, customer: Customer, items: str) -> None:
    await world.faults(callback="twice", callback_items=items)
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    await world.near.daraja.ledger.wait_for(lambda ledger: len(ledger.callbacks) == 2, timeout=10)
    assert {call.status for call in world.near.daraja.ledger.callbacks} == {200}
    assert world.logins(customer) == 1


async def test_the_callback_comes_before_the_pushs_own_answer(
    world: World, customer: Customer
) -> None:
    await world.faults(callback="before_answer")
    bought = await customer.buy()
    await customer.until(bought["token"], "online")
    assert world.logins(customer) == world.paid(customer) == 1


async def test_a_success_after_the_failure_revives_the_purchase(
    world: World, customer: Customer
) -> None:
    await world.faults(late_success=1.5)
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "failed")
    await customer.until(bought["token"], "online")
    assert world.logins(customer) == world.paid(customer) == 1


async def test_a_forged_callback_opens_nothing(world: World, customer: Customer) -> None:
    bought = await customer.buy()
    (push,) = world.near.daraja.ledger.pushes
    real = push.fields["CallBackURL"]
    forged = {
        "Body": {
            "stkCallback": {
                "CheckoutRequestID": "ws_CO_0",
                "ResultCode": 0,
                "CallbackMetadata": {
                    "Item": [
                        {"Name": "Amount", "Value": 10},
                        {"Name": "MpesaReceiptNumber", "Value": "UKN0000000"},
                    ]
                },
            }
        }
    }
    async with httpx.AsyncClient() as http:
        guessed = real[:-32] + "0" * 32
        assert (await http.post(guessed, json=forged)).status_code == 404
        elsewhere = real.replace("/hooks/", "/hooks/0")
        assert (await http.post(elsewhere, json=forged)).status_code == 404
        assert (await http.post(real, json=forged)).status_code == 200
    await asyncio.sleep(0.3)
    assert (await customer.status(bought["token"]))["state"] == "pending"
    assert world.logins(customer) == 0
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    assert world.logins(customer) == world.paid(customer) == 1


async def test_a_wrong_amount_waits_for_a_person(world: World, customer: Customer) -> None:
    await world.faults(callback="wrong_amount")
    bought = await customer.buy()
    await customer.phone_does("pay")
    async with asyncio.timeout(10):
        while (await world.payment(bought["paymentId"])).state is not State.DISPUTED:
            await asyncio.sleep(0.05)
    status = await customer.status(bought["token"])
    assert status["state"] == "unknown"
    assert world.logins(customer) == 0
    assert (await world.payment(bought["paymentId"])).receipt is not None


async def test_the_same_order_twice_is_one_push(world: World, customer: Customer) -> None:
    first, second = await asyncio.gather(customer.buy(), customer.buy())
    assert first["token"] == second["token"]
    assert len(world.near.daraja.ledger.pushes) == 1


async def test_another_order_for_the_same_phone_waits(world: World, customer: Customer) -> None:
    await customer.buy()
    other = world.customer(6)
    await other.arrive()
    other.phone = customer.phone
    answer = await other.ask()
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "first_payment_checking"
    assert len(world.near.daraja.ledger.pushes) == 1


@pytest.mark.parametrize(
    ("push", "state"), [("busy", 503), ("spike_arrest", 503), ("html_403", 503)]
)
async def test_a_push_that_never_started_can_be_tried_again(
    world: World, customer: Customer, push: str, state: int
) -> None:
    await world.faults(push=push)
    assert (await customer.ask()).status_code == state
    await world.faults()
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    assert world.paid(customer) == 1


async def test_a_token_that_died_early_is_replaced_once(world: World, customer: Customer) -> None:
    await world.faults(push="invalid_token_once")
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    assert world.paid(customer) == 1


async def test_while_the_router_is_away_the_clock_stands_still(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    world.near.router.faults.set({"refuse": True, "ssh_refuse": True})
    await customer.phone_does("pay")
    await customer.until(bought["token"], "paid")
    (voucher,) = await world.vouchers_of(customer)
    assert voucher.activated_at is None
    world.near.router.faults.set({})
    status = await customer.until(bought["token"], "online")
    assert status["secondsRemaining"] >= 3590
    assert world.logins(customer) == world.paid(customer) == 1


async def test_while_the_api_is_away_ssh_lets_the_customer_in_and_the_api_comes_back(
    world: World, customer: Customer
) -> None:
    world.near.router.faults.set({"refuse": True})
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    (voucher,) = await world.vouchers_of(customer)
    assert voucher.granted_by == "ssh"
    assert world.logins(customer) == world.paid(customer) == 1
    world.near.router.faults.set({"ssh_refuse": True})
    other = world.customer(6)
    await other.arrive()
    later = await other.buy()
    await other.phone_does("pay")
    await other.until(later["token"], "online")
    (voucher,) = await world.vouchers_of(other)
    assert voucher.granted_by == "api"


async def test_an_answer_lost_after_the_user_was_added_adds_nothing_twice(
    world: World, customer: Customer
) -> None:
    world.near.router.faults.set({"cut_after_command": "/ip/hotspot/user/add"})
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    users = [u for u in world.near.router.hotspot.users if u.name == bought["voucherCode"]]
    assert len(users) == 1
    assert world.logins(customer) == 1


async def test_a_lost_login_answer_logs_in_once(world: World, customer: Customer) -> None:
    world.near.router.faults.set({"cut_after_command": "/ip/hotspot/active/login"})
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    assert world.logins(customer) == 1


async def test_after_the_router_rebooted_a_returning_device_needs_no_tap(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    await world.near.router.reboot()
    await customer.arrive()
    await asyncio.sleep(2.1)  # the portal trusts the router's table for two seconds
    answer = await customer.portal("GET", "/", follow_redirects=True)
    assert bought["voucherCode"] in re.sub(r"<[^>]*>|\s", "", answer.text)
    assert await customer.is_online()
    (voucher,) = await world.vouchers_of(customer)
    assert voucher.state is VoucherState.ACTIVE


async def test_a_device_that_left_while_paying_is_online_when_it_is_back(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await world.near.router.reboot()
    await customer.phone_does("pay")
    status = await customer.until(bought["token"], "paid")
    assert status["secondsRemaining"] == 3600
    await customer.arrive()
    await customer.until(bought["token"], "online")
    assert world.logins(customer) == 1
