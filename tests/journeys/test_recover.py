"""“I already paid”, when neither callback nor confirmation ever came: Safaricom is asked."""

import asyncio
import base64
import re
import tomllib
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import httpx
import pytest

from appliance.domain import ids
from appliance.sandbox.daraja.accounts import MERCHANTS
from tests.journeys.test_books import allow_pull
from tests.world import PATIENCE, Customer, World

PAYBILL, TILL = MERCHANTS
STRANGER = "254712345088"
CREDENTIAL = base64.b64encode(b"c" * 256).decode()
SOURCE = "mpesa_transaction_status"


async def allow_status(world: World) -> None:
    """Give the paybill its API operator, by the owner's own file."""
    text = world.seed.read_text(encoding="utf-8")
    key = f'passKey = "{PAYBILL.passkey}"'
    operator = f'initiatorName = "{PAYBILL.initiator}"\nsecurityCredential = "{CREDENTIAL}"'
    changed = text.replace(key, f"{key}\n{operator}", 1)
    await asyncio.to_thread(world.seed.write_text, changed, encoding="utf-8")
    await world.fill()


async def bought_unheard(world: World, customer: Customer, **faults: Any) -> dict[str, Any]:
    """Pay for an hour, with nobody telling and every query answered with nothing."""
    await world.faults(callback="never", query="in_flight_forever", **faults)
    bought = await customer.buy()
    await customer.phone_does("pay")
    return bought


def receipt_of(world: World) -> str:
    return world.near.daraja.ledger.payments[-1].receipt


async def types(customer: Customer, receipt: str, **more: str) -> httpx.Response:
    form = {"receipt": receipt, "phone": customer.phone, "lang": "en", **more}
    return await customer.portal("POST", "/recover", data=form)


async def types_and_waits(customer: Customer, receipt: str) -> httpx.Response:
    """Type a receipt and let the page ask again as it does; return what it ends with."""
    answer = await types(customer, receipt)
    async with asyncio.timeout(PATIENCE):
        while answer.status_code == 200:
            assert "Checking with M-Pesa" in answer.text
            since = re.search(r'name="since" value="(\d+)"', answer.text)
            assert since is not None
            await asyncio.sleep(0.1)
            answer = await types(customer, receipt, since=since[1])
    return answer


async def goes_online(world: World, customer: Customer, answer: httpx.Response) -> None:
    assert answer.status_code == 303, answer.text
    await customer.until(answer.headers["location"].rpartition("/")[2], "online")
    assert world.logins(customer) == world.paid(customer) == 1


async def is_turned_away(customer: Customer, receipt: str) -> None:
    """Type a receipt on a page that has waited long enough."""
    a_while_ago = datetime.now(UTC) - timedelta(minutes=2)
    answer = await types(customer, receipt, since=str(int(a_while_ago.timestamp())))
    assert answer.status_code == 404
    assert "We have no payment with this receipt and number" in answer.text
    assert not await customer.is_online()


async def test_where_the_paybill_may_list_its_payments_the_list_is_read_at_once(
    world: World, customer: Customer
) -> None:
    await allow_pull(world)
    bought = await bought_unheard(world, customer)
    await goes_online(world, customer, await types_and_waits(customer, receipt_of(world)))
    payment = await world.payment(bought["paymentId"])
    assert payment.receipt == receipt_of(world)
    assert await world.webhooks_from(SOURCE) == []


async def test_elsewhere_an_answer_that_names_us_as_payee_completes_the_purchase(
    world: World, customer: Customer
) -> None:
    await allow_status(world)
    bought = await bought_unheard(world, customer, initiator_items="credited")
    await goes_online(world, customer, await types_and_waits(customer, receipt_of(world)))
    payment = await world.payment(bought["paymentId"])
    assert payment.receipt == receipt_of(world)
    (webhook,) = await world.webhooks_from(SOURCE)
    assert (webhook.status, webhook.payment_id) == ("completed", payment.id)
    assert webhook.metadata.trans_id == payment.receipt


@pytest.mark.parametrize("items", ["list", "repeated"])
async def test_an_answer_without_a_payee_waits_for_the_query_to_agree(
    world: World, customer: Customer, items: str
) -> None:
    await allow_status(world)
    bought = await bought_unheard(world, customer, initiator_items=items)
    receipt = receipt_of(world)
    assert (await types(customer, receipt)).status_code == 200
    await world.near.daraja.ledger.wait_for(lambda ledger: bool(ledger.results), timeout=PATIENCE)
    await world.webhooks_from(SOURCE)
    assert (await customer.status(bought["token"]))["state"] in {"pending", "unknown"}
    assert not await customer.is_online()
    await world.faults(callback="never")
    await goes_online(world, customer, await types_and_waits(customer, receipt))
    await customer.until(bought["token"], "online")


async def test_an_answer_finds_its_question_again_after_a_power_cut(
    world: World, customer: Customer
) -> None:
    await allow_status(world)
    bought = await bought_unheard(world, customer, initiator_sent="never")
    receipt = receipt_of(world)
    await types(customer, receipt)
    await world.kill()
    await world.start()
    hooks = tomllib.loads(world.settings.read_text(encoding="utf-8"))["webhooks"]
    token = ids.signed(hooks["path_secret"], f"{PAYBILL.short_code} {receipt}")
    address = f"{hooks['public_url']}/hooks/{hooks['path_secret']}/status/{token}/result"
    now = datetime.now(UTC) + timedelta(hours=3)
    said = {
        "DebitPartyName": f"{customer.phone} - Jane",
        "CreditPartyName": f"{PAYBILL.short_code} - Shop",
        "TransactionStatus": "Completed",
        "FinalisedTime": f"{now:%Y%m%d%H%M%S}",
        "Amount": "10",
        "ReceiptNo": receipt,
    }
    listed = [{"Key": name, "Value": value} for name, value in said.items()]
    result = {"ResultCode": 0, "ResultParameters": {"ResultParameter": listed}}
    async with httpx.AsyncClient() as http:
        answer = await http.post(address, json={"Result": result})
        assert (answer.status_code, answer.json()["ResultCode"]) == (200, 0)
    await customer.until(bought["token"], "online")


async def test_a_strangers_receipt_opens_nothing(world: World, customer: Customer) -> None:
    await allow_status(world)
    await customer.buy()
    paid = await world.near.daraja.pay_by_hand(STRANGER, TILL.pays_to, 10)
    assert (await types(customer, paid.receipt)).status_code == 200
    await world.near.daraja.ledger.wait_for(lambda ledger: bool(ledger.results), timeout=PATIENCE)
    (webhook,) = await world.webhooks_from(SOURCE)
    assert webhook.status == "not_found"
    await is_turned_away(customer, paid.receipt)
    assert await world.payments_in("paid") == await world.payments_in("unmatched") == []
    assert world.logins(customer) == 0


async def test_a_question_that_timed_out_at_safaricom_is_written_down(
    world: World, customer: Customer
) -> None:
    await allow_status(world)
    await bought_unheard(world, customer, initiator_sent="timeout")
    await types(customer, receipt_of(world))
    await world.near.daraja.ledger.wait_for(lambda ledger: bool(ledger.results), timeout=PATIENCE)
    (webhook,) = await world.webhooks_from(SOURCE)
    assert webhook.status == "timed_out"
    assert not await customer.is_online()


async def test_an_answer_at_a_forged_address_is_not_found(world: World) -> None:
    hooks = tomllib.loads(world.settings.read_text(encoding="utf-8"))["webhooks"]
    right = ids.signed(hooks["path_secret"], "174379 UKN7K2M9QX")
    forged = ids.signed("0" * 32, "174379 UKN7K2M9QX")
    async with httpx.AsyncClient(base_url=hooks["public_url"]) as http:
        for secret, token in (("0" * 32, right), (hooks["path_secret"], forged)):
            for kind, end in product(("status", "reversal"), ("result", "timeout")):
                sent = await http.post(f"/hooks/{secret}/{kind}/{token}/{end}", json={})
                assert sent.status_code == 404
    assert await world.webhooks_from(SOURCE) == []


async def test_nobody_learns_from_the_page_whether_a_receipt_or_a_phone_is_known(
    world: World, customer: Customer
) -> None:
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    other = world.customer(6)
    await other.arrive()
    known = await types(other, receipt_of(world))
    unknown = await types(other, "UKN7K2M9QX")
    payer = await types(other, "UKN7K2M9QX", phone=customer.phone)
    assert known.status_code == unknown.status_code == payer.status_code == 200
    pages = [without_what_was_typed(answer.text) for answer in (known, unknown, payer)]
    assert pages[0] == pages[1] == pages[2]
    await is_turned_away(other, receipt_of(world))
    await is_turned_away(other, "UKN7K2M9QX")


def without_what_was_typed(html: str) -> str:
    return re.sub(
        r'nonce="\w+"|value="\w+"|<p>\w{10} · [\d •]+</p>',
        "",
        html.replace("\N{NO-BREAK SPACE}", " "),
    )


async def test_what_cannot_be_a_receipt_is_said_at_once(world: World, customer: Customer) -> None:
    for typed in ("", "123", "1234567890", "QKH94M1Z11QKH94M1Z11"):
        answer = await types(customer, typed)
        assert answer.status_code == 404
        assert "We have no payment with this receipt and number" in answer.text
    wrong = await types(customer, "UKN7K2M9QX", phone="12")
    assert wrong.status_code == 400
