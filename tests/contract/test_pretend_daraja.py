"""The pretend Safaricom over real sockets: strict, and shaped like what was recorded."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from aiohttp import web

from appliance.sandbox.daraja.accounts import MERCHANTS, Merchant
from appliance.sandbox.daraja.phone import Prompt
from appliance.sandbox.daraja.server import DarajaOptions, PretendDaraja, pretend_daraja
from tests.servers import free_port

RECORDED = Path(__file__).parents[1] / "recorded" / "daraja"
SAMPLES = {file.stem: json.loads(file.read_text("utf-8")) for file in RECORDED.glob("*.json")}
PAYBILL, TILL = MERCHANTS
PHONE, OTHER_PHONE = "254712345678", "254112345678"
PUSH, QUERY = "/mpesa/stkpush/v1/processrequest", "/mpesa/stkpushquery/v1/query"


def shape(value: Any) -> Any:
    """Return keys and types of a message, without what it says."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def like(sample: str) -> Any:
    return shape(SAMPLES[sample])


def timestamp(away: timedelta = timedelta()) -> str:
    nairobi = datetime.now(UTC) + timedelta(hours=3) + away
    return nairobi.strftime("%Y%m%d%H%M%S")


def password(merchant: Merchant, stamp: str) -> str:
    return base64.b64encode(f"{merchant.short_code}{merchant.passkey}{stamp}".encode()).decode()


class Shop:
    """A merchant's program: it keeps one token and hears callbacks."""

    def __init__(self, daraja: PretendDaraja, merchant: Merchant, http: httpx.AsyncClient) -> None:
        self.daraja = daraja
        self.merchant = merchant
        self.http = http
        self.token = ""
        self.heard: list[tuple[str, dict[str, str], str]] = []
        self.answers = 200
        self.callback_url = ""

    async def hear(self, request: web.Request) -> web.Response:
        headers = dict(request.headers)
        self.heard.append((request.raw_path, headers, await request.text()))
        moved = {"Location": "/moved"} if self.answers == 302 else None
        return web.json_response({"ResultCode": 0}, status=self.answers, headers=moved)

    async def sign_in(self) -> None:
        keys = self.merchant.consumer_key, self.merchant.consumer_secret
        answer = await self.http.get(
            "/oauth/v1/generate", params={"grant_type": "client_credentials"}, auth=keys
        )
        assert answer.status_code == 200
        self.token = answer.json()["access_token"]

    def signed(self) -> dict[str, Any]:
        stamp = timestamp()
        return {
            "BusinessShortCode": self.merchant.short_code,
            "Password": password(self.merchant, stamp),
            "Timestamp": stamp,
        }

    def fields(self, **changes: Any) -> dict[str, Any]:
        """Return a right push; a change to `...` leaves the field out."""
        till = self.merchant.type == "till"
        right = self.signed() | {
            "TransactionType": "CustomerBuyGoodsOnline" if till else "CustomerPayBillOnline",
            "Amount": "10",
            "PartyA": PHONE,
            "PartyB": self.merchant.pays_to,
            "PhoneNumber": changes.get("PartyA", PHONE),
            "CallBackURL": self.callback_url,
            "AccountReference": "ABC123DEF4",
            "TransactionDesc": "Internet time",
        }
        return {name: value for name, value in (right | changes).items() if value is not ...}

    async def post(self, path: str, body: Any, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return await self.http.post(path, json=body, headers=headers, **more)

    async def push(self, **changes: Any) -> httpx.Response:
        return await self.post(PUSH, self.fields(**changes))

    async def rings(self, **changes: Any) -> tuple[dict[str, Any], Prompt]:
        """Push, and return the answer and the prompt that it made ring."""
        answer = await self.push(**changes)
        assert answer.status_code == 200, answer.text
        phone = changes.get("PartyA", PHONE)
        (prompt,) = [one for one in self.daraja.prompts() if one.phone == phone]
        accepted: dict[str, Any] = answer.json()
        return accepted, prompt

    async def query(self, checkout: str, **changes: Any) -> httpx.Response:
        return await self.post(QUERY, self.signed() | {"CheckoutRequestID": checkout} | changes)

    async def faults(self, **faults: Any) -> None:
        answer = await self.http.put("/faults", json={"default": faults})
        assert answer.status_code == 200, answer.text

    async def called(self, times: int = 1) -> list[dict[str, Any]]:
        """Return the callbacks sent so far, once there are so many."""
        ledger = self.daraja.ledger
        await ledger.wait_for(lambda now: len(now.callbacks) >= times, timeout=5)
        return [callback.body for callback in ledger.callbacks]

    async def pays(self, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Push and pay; return the push's answer and the last callback's inner part."""
        accepted, prompt = await self.rings(**changes)
        before = len(self.daraja.ledger.callbacks)
        await self.daraja.answer(prompt.id, "pay", pin="1234")
        called = await self.called(before + 1)
        return accepted, called[-1]["Body"]["stkCallback"]


SomeShop = TypeVar("SomeShop", bound=Shop)


@pytest.fixture
async def daraja() -> AsyncIterator[PretendDaraja]:
    async with pretend_daraja(DarajaOptions(port=0)) as running:
        yield running


OpenShop = Callable[[Merchant], Awaitable[Shop]]


@asynccontextmanager
async def street(
    daraja: PretendDaraja, kind: type[SomeShop]
) -> AsyncIterator[Callable[[Merchant], Awaitable[SomeShop]]]:
    """Give a way to open shops, each with a token and a server of its own."""
    runners: list[web.AppRunner] = []
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{daraja.port}") as http:

        async def opened(merchant: Merchant) -> SomeShop:
            shop = kind(daraja, merchant, http)
            app = web.Application()
            app.router.add_post("/{tail:.*}", shop.hear)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            runners.append(runner)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            shop.callback_url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks/0f0f/stk/a1"
            await shop.sign_in()
            return shop

        yield opened
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def open_shop(daraja: PretendDaraja) -> AsyncIterator[OpenShop]:
    async with street(daraja, Shop) as opened:
        yield opened


@pytest.fixture
async def shop(open_shop: OpenShop) -> Shop:
    return await open_shop(PAYBILL)


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    body = answer.json()
    assert shape(body) == like("push_refused")
    return answer.status_code, body["errorCode"], body["errorMessage"]


# Tokens


async def test_a_token_is_28_characters_and_its_lifetime_is_text(shop: Shop) -> None:
    keys = PAYBILL.consumer_key, PAYBILL.consumer_secret
    answer = await shop.http.get("/oauth/v1/generate?grant_type=client_credentials", auth=keys)
    body = answer.json()
    assert shape(body) == like("token")
    assert re.fullmatch("[0-9A-Za-z]{28}", body["access_token"])
    assert body["expires_in"] == "3599"


async def test_wrong_keys_get_an_empty_400(shop: Shop) -> None:
    url = "/oauth/v1/generate?grant_type=client_credentials"
    answer = await shop.http.get(url, auth=("who", "knows"))
    assert (answer.status_code, answer.content) == (400, b"")
    assert answer.headers["Content-Type"].startswith("text/plain")
    garbled = await shop.http.get(url, headers={"Authorization": "Basic %%%"})
    assert (garbled.status_code, garbled.content) == (400, b"")


async def test_a_token_request_is_basic_and_names_its_grant(shop: Shop) -> None:
    url = "/oauth/v1/generate"
    granted = {"grant_type": "client_credentials"}
    keys = PAYBILL.consumer_key, PAYBILL.consumer_secret
    answer = await shop.http.get(url, params=granted)
    assert refused(answer) == (400, "400.008.01", "Invalid Authentication passed")
    answer = await shop.http.get(url, params={"grant_type": "password"}, auth=keys)
    assert refused(answer)[:2] == (400, "400.008.02")
    answer = await shop.http.post(url, params=granted, auth=keys)
    assert refused(answer)[:2] == (404, "404.001.04")


async def test_a_new_token_kills_the_one_before(shop: Shop) -> None:
    old = shop.token
    await shop.sign_in()
    answer = await shop.post(PUSH, shop.fields(), headers={"Authorization": f"Bearer {old}"})
    assert refused(answer) == (404, "404.001.03", "Invalid Access Token")
    assert shape(answer.json()) == like("invalid_access_token")
    assert (await shop.push()).status_code == 200


async def test_tokens_may_also_live_side_by_side(shop: Shop) -> None:
    await shop.faults(token="concurrent")
    old = shop.token
    await shop.sign_in()
    answer = await shop.post(PUSH, shop.fields(), headers={"Authorization": f"Bearer {old}"})
    assert answer.status_code == 200


async def test_one_apps_token_leaves_the_others_alone(shop: Shop, open_shop: OpenShop) -> None:
    await open_shop(TILL)
    assert (await shop.push()).status_code == 200


async def test_a_token_of_another_app_opens_nothing(shop: Shop, open_shop: OpenShop) -> None:
    other = await open_shop(TILL)
    other.merchant = PAYBILL
    assert refused(await other.push()) == (404, "404.001.03", "Invalid Access Token")
    assert shop.daraja.prompts() == []


@pytest.mark.parametrize(
    ("header", "code"), [("", "404.001.04"), ("Basic x", "404.001.04"), ("Bearer x", "404.001.03")]
)
@pytest.mark.parametrize("path", [PUSH, QUERY])
async def test_a_request_carries_its_token(shop: Shop, path: str, header: str, code: str) -> None:
    answer = await shop.post(path, shop.fields(), headers={"Authorization": header})
    assert refused(answer)[:2] == (404, code)


# What a push must look like


@pytest.mark.parametrize(
    ("changes", "called"),
    [
        ({"BusinessShortCode": "1743"}, "BusinessShortCode"),
        ({"BusinessShortCode": ...}, "BusinessShortCode"),
        ({"Password": ...}, "Password"),
        ({"Password": "no base 64"}, "Password"),
        ({"Timestamp": "2026-11-23"}, "Timestamp"),
        ({"Timestamp": "20261399000000"}, "Timestamp"),
        ({"TransactionType": "CustomerGiveMoney"}, "TransactionType"),
        ({"Amount": "0"}, "Amount"),
        ({"Amount": "-1"}, "Amount"),
        ({"Amount": "10.50"}, "Amount"),
        ({"Amount": 10.0}, "Amount"),
        ({"Amount": True}, "Amount"),
        ({"Amount": "250001"}, "Amount"),
        ({"Amount": ...}, "Amount"),
        ({"PartyA": "0712345678"}, "PartyA"),
        ({"PartyA": "254212345678"}, "PartyA"),
        ({"PartyB": "abc"}, "PartyB"),
        ({"PhoneNumber": "+254712345678"}, "PhoneNumber"),
        ({"CallBackURL": ...}, "CallBackURL"),
        ({"CallBackURL": "http://pay.example.com/a"}, "CallBackURL"),
        ({"CallBackURL": "https://pay.example.com/a b"}, "CallBackURL"),
        ({"CallBackURL": "https://<your-domain>/a"}, "CallBackURL"),
        ({"CallBackURL": "https://Pay.example.com/a"}, "CallBackURL"),
        ({"CallBackURL": "https://pay.example.com:port/a"}, "CallBackURL"),
        ({"CallBackURL": "pay.example.com/a"}, "CallBackURL"),
        ({"AccountReference": "ABC123DEF4567"}, "AccountReference"),
        ({"AccountReference": ""}, "AccountReference"),
        ({"AccountReference": None}, "Remarks"),
        ({"AccountReference": ...}, "Remarks"),
        ({"TransactionDesc": ...}, "Remarks"),
        ({"TransactionDesc": ""}, "Remarks"),
        ({"TransactionDesc": "Fourteen chars"}, "Remarks"),
    ],
)
async def test_a_field_that_is_wrong_is_named(
    shop: Shop, changes: dict[str, Any], called: str
) -> None:
    refusal = refused(await shop.push(**changes))
    assert refusal == (400, "400.002.02", f"Bad Request - Invalid {called}")
    assert shop.daraja.prompts() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"BusinessShortCode": 174379, "Amount": 250_000, "PartyB": 174379},
        {"PartyA": int(PHONE), "PhoneNumber": int(PHONE)},
        {"CallBackURL": "https://example.invalid/hooks/A1", "AccountReference": "ABC123DEF456"},
        {"Passkey": "a field that nobody asked for", "TransactionDesc": "x"},
    ],
)
async def test_a_push_may_be_written_in_more_than_one_way(
    shop: Shop, changes: dict[str, Any]
) -> None:
    assert (await shop.push(**changes)).status_code == 200


@pytest.mark.parametrize(
    ("away", "status"),
    [
        (timedelta(minutes=-8), 200),
        (timedelta(minutes=8), 200),
        (timedelta(minutes=-12), 400),
        (timedelta(minutes=12), 400),
        (timedelta(hours=-3), 400),
    ],
)
async def test_a_timestamp_is_of_now_in_nairobi(shop: Shop, away: timedelta, status: int) -> None:
    stamp = timestamp(away)
    answer = await shop.push(Timestamp=stamp, Password=password(PAYBILL, stamp))
    assert answer.status_code == status
    if status == 400:
        assert refused(answer)[2] == "Bad Request - Invalid Timestamp"


async def test_a_form_has_no_short_code(shop: Shop) -> None:
    headers = {"Authorization": f"Bearer {shop.token}"}
    answer = await shop.http.post(PUSH, data=shop.fields(), headers=headers)
    said = "Bad Request - Invalid BusinessShortCode"
    assert refused(answer) == (400, "400.002.02", said)
    assert answer.json().keys() == SAMPLES["push_refused"].keys()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"text"', b"[" * 9000])
async def test_what_is_not_a_json_object_is_no_request(shop: Shop, body: bytes) -> None:
    headers = {"Authorization": f"Bearer {shop.token}", "Content-Type": "application/json"}
    answer = await shop.http.post(PUSH, content=body, headers=headers)
    assert refused(answer) == (400, "400.002.05", "Invalid Request Payload")


async def test_the_password_is_made_of_the_same_timestamp(shop: Shop) -> None:
    other = password(PAYBILL, timestamp(timedelta(seconds=5)))
    said = "[MerchantValidate] - Wrong credentials"
    assert refused(await shop.push(Password=other)) == (500, "500.001.1001", said)


async def test_a_merchant_must_exist(shop: Shop) -> None:
    answer = await shop.push(BusinessShortCode="600000")
    assert refused(answer) == (500, "500.001.1001", "Merchant does not exist")


async def test_a_get_and_a_strange_path_are_refused_in_darajas_words(shop: Shop) -> None:
    assert refused(await shop.http.get(PUSH)) == (405, "405.001", "Method Not Allowed")
    answer = await shop.post("/mpesa/stkpush/v9/processrequest", {})
    assert refused(answer) == (404, "404.001.01", "Resource not found")


async def test_the_sample_of_the_portal_has_the_fields_we_check(shop: Shop) -> None:
    assert shop.fields().keys() == SAMPLES["push"].keys()
    assert shop.signed().keys() | {"CheckoutRequestID"} == SAMPLES["query"].keys()


# From the prompt to the callback


async def test_an_accepted_push_rings_before_it_is_answered(shop: Shop) -> None:
    accepted, prompt = await shop.rings()
    assert shape(accepted) == like("push_accepted")
    assert accepted["ResponseDescription"] == SAMPLES["push_accepted"]["ResponseDescription"]
    assert re.fullmatch(r"ws_CO_[0-9]{17}712345678", accepted["CheckoutRequestID"])
    assert re.fullmatch(r"[0-9]{5}-[0-9]{8}-1", accepted["MerchantRequestID"])
    assert (prompt.amount, prompt.account, prompt.business) == (10, "ABC123DEF4", PAYBILL.name)
    assert shop.daraja.ledger.payments == []


async def test_a_paid_push_calls_back_once_on_the_exact_url(shop: Shop) -> None:
    shop.callback_url += "/%7Eodd/?a=%2F&b"
    accepted, callback = await shop.pays()
    ((path, headers, body),) = shop.heard
    assert shop.callback_url.endswith(path)
    assert headers["Content-Type"] == "application/json;charset=UTF-8"
    assert headers["Businessshortcode"] == "174379"
    assert shape(json.loads(body)) == like("callback_paid_five_items")
    assert callback["CheckoutRequestID"] == accepted["CheckoutRequestID"]
    assert callback["MerchantRequestID"] == accepted["MerchantRequestID"]
    (paid,) = shop.daraja.ledger.payments
    values = {item["Name"]: item.get("Value") for item in callback["CallbackMetadata"]["Item"]}
    assert values["MpesaReceiptNumber"] == paid.receipt
    assert (values["Amount"], values["PhoneNumber"]) == (10.0, int(PHONE))
    assert abs(int(timestamp()) - values["TransactionDate"]) < 10_000
    assert (paid.phone, paid.amount, paid.account) == (PHONE, 10, "ABC123DEF4")
    assert [call.status for call in shop.daraja.ledger.callbacks] == [200]


async def test_a_till_is_paid_through_its_store(open_shop: OpenShop) -> None:
    kiosk = await open_shop(TILL)
    _, callback = await kiosk.pays()
    assert callback["ResultCode"] == 0
    assert kiosk.heard[0][1]["Businessshortcode"] == TILL.short_code
    assert kiosk.daraja.ledger.payments[0].short_code == TILL.short_code


@pytest.mark.parametrize("status", [500, 503, 404, 302])
async def test_a_callback_is_sent_once_whatever_the_answer(shop: Shop, status: int) -> None:
    shop.answers = status
    await shop.pays()
    await shop.pays()
    assert [call.status for call in shop.daraja.ledger.callbacks] == [status, status]
    assert len(shop.heard) == 2


async def test_a_receiver_that_is_away_hears_nothing(shop: Shop) -> None:
    shop.callback_url = f"http://127.0.0.1:{free_port()}/"
    await shop.pays()
    assert [call.status for call in shop.daraja.ledger.callbacks] == [None]
    assert len(shop.daraja.ledger.payments) == 1


@pytest.mark.parametrize(
    ("action", "pin", "code", "sample"),
    [
        ("cancel", "", 1032, "callback_cancelled"),
        ("ignore", "", 1037, "callback_no_answer"),
        ("pay", "0000", 2001, "callback_cancelled"),
    ],
)
async def test_a_failure_has_no_metadata(
    shop: Shop, action: str, pin: str, code: int, sample: str
) -> None:
    accepted, prompt = await shop.rings()
    await shop.daraja.answer(prompt.id, action, pin=pin)
    (called,) = await shop.called()
    assert shape(called) == like(sample)
    assert called["Body"]["stkCallback"]["ResultCode"] == code
    assert shop.daraja.ledger.payments == []
    found = (await shop.query(accepted["CheckoutRequestID"])).json()
    assert found["ResultCode"] == str(code)


async def test_a_prompt_that_nobody_answers_runs_out(shop: Shop) -> None:
    await shop.faults(prompt_seconds=0.05)
    await shop.rings()
    (called,) = await shop.called()
    assert called["Body"]["stkCallback"]["ResultDesc"] == "No response from user."
    assert shop.daraja.prompts() == []


async def test_a_phone_shows_one_prompt_at_a_time(shop: Shop) -> None:
    _, prompt = await shop.rings()
    status, code, message = refused(await shop.push(AccountReference="OTHER"))
    assert (status, code) == (500, "500.001.1001")
    assert message.startswith("Unable to lock subscriber, a transaction is already in process")
    await shop.rings(PartyA=OTHER_PHONE)
    await shop.daraja.answer(prompt.id, "cancel")
    await shop.rings()


@pytest.mark.parametrize("result", ["1", "17", "2001", "8006", "E3008", "SFC_IC0003", "7777"])
async def test_a_payment_may_end_with_any_code_whatever_the_pin(shop: Shop, result: str) -> None:
    await shop.faults(result=result)
    accepted, callback = await shop.pays()
    assert callback["ResultCode"] == (int(result) if result.isdigit() else result)
    found = (await shop.query(accepted["CheckoutRequestID"])).json()
    assert found["ResultCode"] == result
    assert shop.daraja.ledger.payments == []


async def test_a_wallet_is_empty_at_last(shop: Shop) -> None:
    for _ in range(2):
        await shop.pays(Amount="250000")
    _, callback = await shop.pays(Amount="1")
    assert callback["ResultCode"] == 1
    assert len(shop.daraja.ledger.payments) == 2


@pytest.mark.parametrize(
    ("merchant", "changes", "code"),
    [
        (PAYBILL, {"TransactionType": "CustomerBuyGoodsOnline"}, 2028),
        (PAYBILL, {"PartyB": "600000"}, "SFC_IC0003"),
        (TILL, {"TransactionType": "CustomerPayBillOnline"}, 2028),
        (TILL, {"PartyB": TILL.short_code}, 2029),
    ],
)
async def test_a_push_to_the_wrong_party_is_accepted_and_never_rings(
    open_shop: OpenShop, merchant: Merchant, changes: dict[str, Any], code: object
) -> None:
    opened = await open_shop(merchant)
    assert (await opened.push(**changes)).status_code == 200
    assert opened.daraja.prompts() == []
    (called,) = await opened.called()
    assert called["Body"]["stkCallback"]["ResultCode"] == code


async def test_prompts_may_pay_themselves() -> None:
    async with (
        pretend_daraja(DarajaOptions(port=0, autopay=0.05)) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as http,
    ):
        shop = Shop(running, PAYBILL, http)
        shop.callback_url = f"http://127.0.0.1:{free_port()}/"
        await shop.sign_in()
        await shop.rings()
        await running.ledger.wait_for(lambda ledger: bool(ledger.payments), timeout=5)
        assert running.prompts() == []


async def test_closing_it_drops_what_is_under_way() -> None:
    async with (
        pretend_daraja(DarajaOptions(port=0, autopay=60)) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as http,
    ):
        shop = Shop(running, PAYBILL, http)
        shop.callback_url = "https://example.invalid/"
        await shop.sign_in()
        await shop.faults(callback_delay=60)
        _, prompt = await shop.rings()
        await running.answer(prompt.id, "pay", pin="1234")
        await shop.rings(PartyA=OTHER_PHONE)
    assert running.ledger.callbacks == []


# The query


async def test_a_query_follows_a_payment(shop: Shop) -> None:
    accepted, prompt = await shop.rings()
    checkout = accepted["CheckoutRequestID"]
    found = (await shop.query(checkout)).json()
    assert shape(found) == like("query_in_flight")
    assert (found["ResultCode"], found["ResultDesc"]) == (
        "4999",
        SAMPLES["query_in_flight"]["ResultDesc"],
    )
    await shop.daraja.answer(prompt.id, "pay", pin="1234")
    found = (await shop.query(checkout)).json()
    assert shape(found) == like("query_paid")
    assert found["ResultCode"] == "0"
    assert found["CheckoutRequestID"] == checkout


async def test_nobody_asks_about_what_does_not_exist(shop: Shop, open_shop: OpenShop) -> None:
    accepted, _ = await shop.rings()
    unknown = 500, "500.001.1001", "The transaction does not Exist"
    assert refused(await shop.query("ws_CO_0")) == unknown
    other = await open_shop(TILL)
    assert refused(await other.query(accepted["CheckoutRequestID"])) == unknown


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"Password": "d3Jvbmc="}, 500, "500.001.1001"),
        ({"Timestamp": "20200101000000"}, 400, "400.002.02"),
        ({"BusinessShortCode": ""}, 400, "400.002.02"),
        ({"BusinessShortCode": "600000"}, 500, "500.001.1001"),
        ({"CheckoutRequestID": None}, 400, "400.002.02"),
    ],
)
async def test_a_query_is_signed_like_a_push(
    shop: Shop, changes: dict[str, Any], status: int, code: str
) -> None:
    accepted, _ = await shop.rings()
    answer = await shop.query(accepted["CheckoutRequestID"], **changes)
    assert refused(answer)[:2] == (status, code)


async def test_a_flaky_query_answers_every_second_time(shop: Shop) -> None:
    await shop.faults(query="flaky")
    accepted, _ = await shop.pays()
    answers = [await shop.query(accepted["CheckoutRequestID"]) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [500, 200, 500, 200]
    assert refused(answers[2])[1] == "500.001.1001"
    assert answers[3].json()["ResultCode"] == "0"


async def test_a_query_may_say_an_error_with_status_200(shop: Shop) -> None:
    await shop.faults(query="errors_at_200")
    accepted, _ = await shop.pays()
    answer = await shop.query(accepted["CheckoutRequestID"])
    assert refused(answer) == (200, "500.001.1001", "")


async def test_in_flight_may_be_an_error(shop: Shop) -> None:
    await shop.faults(query="in_flight_500")
    accepted, prompt = await shop.rings()
    answer = await shop.query(accepted["CheckoutRequestID"])
    assert shape(answer.json()) == like("query_being_processed")
    assert refused(answer)[2] == SAMPLES["query_being_processed"]["errorMessage"]
    await shop.daraja.answer(prompt.id, "cancel")
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "1032"


async def test_a_query_may_lie_while_the_prompt_rings(shop: Shop) -> None:
    await shop.faults(query="false_2029")
    accepted, prompt = await shop.rings()
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "2029"
    await shop.daraja.answer(prompt.id, "pay", pin="1234")
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "0"


async def test_a_query_may_never_learn_the_end(shop: Shop) -> None:
    await shop.faults(query="in_flight_forever")
    accepted, _ = await shop.pays()
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "4999"
    await shop.faults(query="never")
    with pytest.raises(httpx.RemoteProtocolError):
        await shop.query(accepted["CheckoutRequestID"])
    await shop.faults(query="spike_arrest")
    assert (await shop.query(accepted["CheckoutRequestID"])).status_code == 429


# What may go wrong with a push


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("busy", 500, "500.003.02"),
        ("quota", 500, "500.003.03"),
        ("internal", 500, "500.003.1001"),
        ("empty_500", 500, "500.001.1001"),
        ("empty_200", 200, "500.001.1001"),
        ("subscriber_locked", 500, "500.001.1001"),
        ("refused_merchant", 500, "500.001.1001"),
        ("wrong_credentials", 500, "500.001.1001"),
        ("invalid_phone", 400, "400.002.02"),
        ("no_product", 401, "401.003.01"),
    ],
)
async def test_a_refused_push_rings_nowhere(shop: Shop, fault: str, status: int, code: str) -> None:
    await shop.faults(push=fault)
    assert refused(await shop.push())[:2] == (status, code)
    assert shop.daraja.prompts() == []
    assert len(shop.daraja.ledger.pushes) == 1


async def test_the_gateway_before_daraja_has_its_own_words(shop: Shop) -> None:
    await shop.faults(push="spike_arrest")
    answer = await shop.push()
    assert (answer.status_code, shape(answer.json())) == (429, like("spike_arrest"))
    await shop.faults(push="html_403")
    answer = await shop.push()
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Incapsula incident ID" in answer.text


async def test_a_lost_answer_rings_all_the_same(shop: Shop) -> None:
    await shop.faults(push="lost_answer")
    with pytest.raises(httpx.RemoteProtocolError):
        await shop.push()
    (prompt,) = shop.daraja.prompts()
    await shop.daraja.answer(prompt.id, "pay", pin="1234")
    (called,) = await shop.called()
    assert called["Body"]["stkCallback"]["ResultCode"] == 0


async def test_a_slow_answer_comes_after_the_ringing(shop: Shop) -> None:
    await shop.faults(push="slow", slow_seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        await shop.post(PUSH, shop.fields(), timeout=0.2)
    assert len(shop.daraja.prompts()) == 1
    await shop.faults(push="slow", slow_seconds=0.05)
    assert (await shop.push(PartyA=OTHER_PHONE)).status_code == 200


async def test_a_token_may_die_early_once(shop: Shop) -> None:
    await shop.faults(push="invalid_token_once")
    assert refused(await shop.push())[:2] == (404, "404.001.03")
    assert refused(await shop.push())[:2] == (404, "404.001.03")
    await shop.sign_in()
    assert (await shop.push()).status_code == 200


async def test_a_fault_may_be_one_phones_own(shop: Shop) -> None:
    menu = {"default": {"push": "accept"}, "phones": {PHONE: {"push": "busy"}}}
    assert (await shop.http.put("/faults", json=menu)).status_code == 200
    assert refused(await shop.push())[1] == "500.003.02"
    await shop.rings(PartyA=OTHER_PHONE)
    shown = (await shop.http.get("/faults")).json()
    assert shown["phones"] == menu["phones"]
    assert shown["default"]["push"] == "accept"


@pytest.mark.parametrize("body", [b'{"default": {"push": "bussy"}}', b"{", b"[]"])
async def test_an_unknown_fault_is_refused_with_what_is_allowed(shop: Shop, body: bytes) -> None:
    answer = await shop.http.put("/faults", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


# What may go wrong with a callback


@pytest.mark.parametrize(
    ("items", "names"),
    [
        ("four", "Amount MpesaReceiptNumber TransactionDate PhoneNumber"),
        ("five", "Amount MpesaReceiptNumber Balance TransactionDate PhoneNumber"),
        ("reordered", "PhoneNumber Balance TransactionDate Amount MpesaReceiptNumber"),
        ("java_balance", "Amount MpesaReceiptNumber Balance TransactionDate PhoneNumber"),
    ],
)
async def test_a_success_lists_its_items(shop: Shop, items: str, names: str) -> None:
    await shop.faults(callback_items=items)
    _, callback = await shop.pays()
    listed = callback["CallbackMetadata"]["Item"]
    assert [item["Name"] for item in listed] == names.split()
    if items == "four":
        whole = {"Body": {"stkCallback": callback}}
        assert shape(whole) == like("callback_paid_four_items")
    balance = [item for item in listed if item["Name"] == "Balance"]
    assert all(("Value" in item) == (items == "java_balance") for item in balance)


async def test_a_callback_may_come_twice(shop: Shop) -> None:
    await shop.faults(callback="twice")
    await shop.pays()
    first, second = await shop.called(2)
    assert first == second
    assert len(shop.daraja.ledger.payments) == 1


async def test_a_callback_may_never_come(shop: Shop) -> None:
    await shop.faults(callback="never")
    accepted, prompt = await shop.rings()
    await shop.daraja.answer(prompt.id, "pay", pin="1234")
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "0"
    await shop.faults()
    await shop.pays()
    assert len(shop.heard) == 1


async def test_a_callback_may_be_late(shop: Shop) -> None:
    await shop.faults(callback="late", callback_delay=0.2)
    accepted, prompt = await shop.rings()
    await shop.daraja.answer(prompt.id, "pay", pin="1234")
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "0"
    assert shop.heard == []
    await shop.called()


async def test_a_callback_may_be_faster_than_the_pushs_answer(shop: Shop) -> None:
    await shop.faults(callback="before_answer")
    shop.answers = 503
    accepted = (await shop.push()).json()
    ((_, _, body),) = shop.heard
    named = json.loads(body)["Body"]["stkCallback"]["CheckoutRequestID"]
    assert named == accepted["CheckoutRequestID"]
    assert [call.status for call in shop.daraja.ledger.callbacks] == [503]
    assert len(shop.daraja.ledger.payments) == 1


async def test_a_callback_may_name_another_amount(shop: Shop) -> None:
    await shop.faults(callback="wrong_amount")
    _, callback = await shop.pays()
    assert callback["CallbackMetadata"]["Item"][0]["Value"] != 10
    assert shop.daraja.ledger.payments[0].amount == 10


async def test_a_callback_may_name_another_checkout(shop: Shop) -> None:
    await shop.faults(callback="unknown_checkout")
    accepted, callback = await shop.pays()
    assert callback["CheckoutRequestID"] != accepted["CheckoutRequestID"]
    assert shape(callback) == shape(SAMPLES["callback_paid_five_items"]["Body"]["stkCallback"])


async def test_a_success_may_be_forged_while_the_prompt_rings(shop: Shop) -> None:
    await shop.faults(callback="forged")
    accepted, prompt = await shop.rings()
    (forged,) = await shop.called()
    assert forged["Body"]["stkCallback"]["ResultCode"] == 0
    assert shop.daraja.ledger.payments == []
    assert shop.daraja.prompts() == [prompt]
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "4999"
    await shop.daraja.answer(prompt.id, "cancel")
    assert (await shop.called(2))[1]["Body"]["stkCallback"]["ResultCode"] == 1032


async def test_a_success_may_follow_the_failure(shop: Shop) -> None:
    await shop.faults(late_success=0.2)
    accepted, callback = await shop.pays()
    assert callback["ResultCode"] == 1037
    assert len(shop.daraja.ledger.payments) == 1
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "1037"
    _, late = await shop.called(2)
    assert shape(late) == like("callback_paid_five_items")
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "0"


# The phone


async def test_the_phone_shows_a_prompt_and_then_the_message(shop: Shop) -> None:
    _, prompt = await shop.rings(AccountReference="<b>&x")
    page = (await shop.http.get("/phone")).text
    assert "&lt;b&gt;&amp;x" in page
    assert "<b>&x" not in page
    assert 'http-equiv="refresh"' not in page
    assert (await shop.http.get("/phone/prompts")).json() == [
        {
            "id": prompt.id,
            "phone": PHONE,
            "amount": 10,
            "account": "<b>&x",
            "business": PAYBILL.name,
        }
    ]
    url = f"/phone/prompts/{prompt.id}"
    answer = await shop.http.post(url, data={"action": "pay", "pin": "1234"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/phone")
    page = (await shop.http.get("/phone")).text
    assert shop.daraja.ledger.payments[0].receipt in page
    assert 'http-equiv="refresh"' in page
    assert not re.search(r"(src|href)=", page)
    assert (await shop.http.post(url, data={"action": "cancel"})).status_code == 404


async def test_a_program_may_answer_a_prompt(shop: Shop) -> None:
    _, prompt = await shop.rings()
    url, json_please = f"/phone/prompts/{prompt.id}", {"Accept": "application/json"}
    for form in ({"action": "steal"}, {"action": "pay", "pin": "12"}, {"action": "pay"}, {}):
        answer = await shop.http.post(url, data=form, headers=json_please)
        assert answer.status_code == 400
        assert answer.json()["error"]
    answer = await shop.http.post(url, data={"action": "cancel"}, headers=json_please)
    assert answer.json() == {"id": prompt.id, "action": "cancel"}
    answer = await shop.http.post(url, data={"action": "cancel"}, headers=json_please)
    assert (answer.status_code, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize("pin", ["", "123", "12345", "12a4", "١٢٣٤"])
async def test_a_pin_has_four_digits(shop: Shop, pin: str) -> None:
    _, prompt = await shop.rings()
    answer = await shop.http.post(f"/phone/prompts/{prompt.id}", data={"action": "pay", "pin": pin})
    assert answer.status_code == 400
    assert "The PIN has 4 digits." in answer.text
    assert shop.daraja.prompts() == [prompt]


async def test_many_phones_ring_at_once(shop: Shop) -> None:
    phones = [f"2547000000{number:02d}" for number in range(20)]
    await asyncio.gather(*(shop.rings(PartyA=phone) for phone in phones))
    assert {prompt.phone for prompt in shop.daraja.prompts()} == set(phones)
    assert (await shop.http.get("/phone")).text.count('name="pin"') == 20


async def test_the_ledger_is_there_for_scripts(shop: Shop) -> None:
    await shop.pays()
    ledger = (await shop.http.get("/ledger")).json()
    assert {name for name, entries in ledger.items() if len(entries) == 1} == {
        "pushes",
        "payments",
        "callbacks",
        "messages",
    }
    assert ledger["pushes"][0]["AccountReference"] == "ABC123DEF4"


# A client that nobody here wrote


async def curl(*arguments: str) -> tuple[int, Any]:
    """Return status and JSON of what curl fetched."""
    process = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-w", "\n%{http_code}", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    body, _, status = out.decode().rpartition("\n")
    return int(status), json.loads(body) if body else None


async def test_curl_buys_too(shop: Shop) -> None:
    base = f"http://127.0.0.1:{shop.daraja.port}"
    keys = f"{PAYBILL.consumer_key}:{PAYBILL.consumer_secret}"
    url = f"{base}/oauth/v1/generate?grant_type=client_credentials"
    assert (await curl("-u", "wrong:keys", url))[0] == 400
    status, body = await curl("-u", keys, url)
    assert (status, shape(body)) == (200, like("token"))
    bearer = ["-H", f"Authorization: Bearer {body['access_token']}"]
    form = [*bearer, "-d", json.dumps(shop.fields()), base + PUSH]
    assert (await curl(*form))[0] == 400
    status, body = await curl("-H", "Content-Type: application/json", *form)
    assert (status, shape(body)) == (200, like("push_accepted"))
    (prompt,) = shop.daraja.prompts()
    pay = ["-d", "action=pay", "-d", "pin=1234", "-H", "Accept: application/json"]
    assert (await curl(*pay, f"{base}/phone/prompts/{prompt.id}"))[0] == 200
    await shop.called()
    assert len(shop.heard) == 1
