"""C2B of the pretend Safaricom: registered URLs, confirmations, validations, payments by hand."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from aiohttp import web

from appliance.sandbox.daraja.accounts import MERCHANTS, Merchant
from appliance.sandbox.daraja.byhand import Declined, NotPaid
from appliance.sandbox.daraja.server import DarajaOptions, PretendDaraja, pretend_daraja
from tests.contract.test_pretend_daraja import (
    PHONE,
    SAMPLES,
    Shop,
    like,
    refused,
    shape,
    street,
    timestamp,
)
from tests.servers import free_port

PAYBILL, TILL = MERCHANTS
REGISTER = "/mpesa/c2b/v2/registerurl"


class Counter(Shop):
    """A shop that registers its URLs and answers validations."""

    accepts: dict[str, Any] | None = None
    """The answer to a validation; None answers only when it is too late."""

    async def hear(self, request: web.Request) -> web.Response:
        answer = await super().hear(request)
        if not request.path.endswith("/validation"):
            return answer
        if self.accepts is None:
            await asyncio.sleep(10)
        return web.json_response(self.accepts, status=self.answers)

    def urls(self, **changes: Any) -> dict[str, Any]:
        """Return a right registration; a change to `...` leaves the field out."""
        base = self.callback_url.removesuffix("/stk/a1")
        right = {
            "ShortCode": self.merchant.short_code,
            "ResponseType": "Completed",
            "ConfirmationURL": f"{base}/c2b/confirmation",
            "ValidationURL": f"{base}/c2b/validation",
        }
        return {name: value for name, value in (right | changes).items() if value is not ...}

    async def registers(self, **changes: Any) -> None:
        answer = await self.post(REGISTER, self.urls(**changes))
        assert answer.status_code == 200, answer.text

    async def confirmed(self, times: int = 1) -> list[dict[str, Any]]:
        """Return the confirmations sent so far, once there are so many."""
        ledger = self.daraja.ledger
        await ledger.wait_for(lambda now: len(now.confirmations) >= times, timeout=5)
        return [sent.body for sent in ledger.confirmations]

    def paths(self) -> list[str]:
        """Return what was heard, in order, by the end of its URL."""
        return [path.rpartition("/")[2] for path, _, _ in self.heard]


OpenCounter = Callable[[Merchant], Awaitable[Counter]]


@pytest.fixture
async def daraja() -> AsyncIterator[PretendDaraja]:
    async with pretend_daraja(DarajaOptions(port=0)) as running:
        yield running


@pytest.fixture
async def open_shop(daraja: PretendDaraja) -> AsyncIterator[OpenCounter]:
    async with street(daraja, Counter) as opened:
        yield opened


@pytest.fixture
async def shop(open_shop: OpenCounter) -> Counter:
    return await open_shop(PAYBILL)


# Registering URLs


async def test_urls_are_registered_once(shop: Counter) -> None:
    assert shop.urls().keys() == SAMPLES["c2b_register"].keys()
    answer = await shop.post(REGISTER, shop.urls())
    assert answer.status_code == 200
    assert shape(answer.json()) == like("c2b_registered")
    assert answer.json()["ResponseDescription"] == "Success"
    again = await shop.post(REGISTER, shop.urls())
    assert refused(again) == (500, "500.003.1001", "Urls are already registered.")


async def test_in_safaricoms_sandbox_urls_are_registered_again_and_again(shop: Counter) -> None:
    await shop.registers(ConfirmationURL="https://example.invalid/")
    await shop.faults(register="again")
    await shop.registers()
    await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    await shop.confirmed()
    assert shop.paths() == ["confirmation"]


@pytest.mark.parametrize(
    ("changes", "called"),
    [
        ({"ShortCode": ...}, "ShortCode"),
        ({"ShortCode": "17"}, "ShortCode"),
        ({"ShortCode": "600000"}, "ShortCode"),
        ({"ResponseType": "completed"}, "ResponseType"),
        ({"ResponseType": "Canceled"}, "ResponseType"),
        ({"ConfirmationURL": "http://pay.example.com/c"}, "ConfirmationURL"),
        ({"ConfirmationURL": "https://pay.example.com/MPESA"}, "ConfirmationURL"),
        ({"ConfirmationURL": ...}, "ConfirmationURL"),
        ({"ValidationURL": "http://127.0.0.1:8081/query"}, "ValidationURL"),
        ({"ValidationURL": "https://a1.ngrok.io/v"}, "ValidationURL"),
        ({"ValidationURL": None}, "ValidationURL"),
    ],
)
async def test_a_registration_is_checked(
    shop: Counter, changes: dict[str, Any], called: str
) -> None:
    refusal = refused(await shop.post(REGISTER, shop.urls(**changes)))
    assert refusal == (400, "400.002.02", f"Bad Request - Invalid {called}")
    await shop.registers()


async def test_only_its_own_app_registers_a_short_code(
    shop: Counter, open_shop: OpenCounter
) -> None:
    other = await open_shop(TILL)
    other.merchant = PAYBILL
    answer = await other.post(REGISTER, other.urls())
    assert refused(answer) == (400, "400.003.01", "Invalid Access Token")
    answer = await shop.post(REGISTER, shop.urls(), headers={"Authorization": "Bearer x"})
    assert refused(answer) == (400, "400.003.01", "Invalid Access Token")
    answer = await shop.post(REGISTER, shop.urls(), headers={"Authorization": ""})
    assert refused(answer)[:2] == (404, "404.001.04")
    await shop.registers()


@pytest.mark.parametrize(("product", "wrong"), [("v2", "v1"), ("v1", "v2")])
async def test_the_path_is_the_apps_product(shop: Counter, product: str, wrong: str) -> None:
    await shop.faults(c2b_version=product)
    status, code, message = refused(await shop.post(f"/mpesa/c2b/{wrong}/registerurl", {}))
    assert (status, code) == (401, "401.003.01")
    assert message.endswith("Invalid API call as no apiproduct match found")
    answer = await shop.post(f"/mpesa/c2b/{product}/registerurl", shop.urls())
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("takes", "named", "short_code", "carried"),
    [
        ("either", "registered", TILL.short_code, TILL.short_code),
        ("either", "registered", TILL.pays_to, TILL.pays_to),
        ("store", "till", TILL.short_code, TILL.pays_to),
        ("till", "store", TILL.pays_to, TILL.short_code),
    ],
)
async def test_a_till_is_known_by_either_number(
    open_shop: OpenCounter, takes: str, named: str, short_code: str, carried: str
) -> None:
    kiosk = await open_shop(TILL)
    await kiosk.faults(till_registers_as=takes, till_named=named)
    (other,) = TILL.known_as("either") - {short_code}
    if takes != "either":
        answer = await kiosk.post(REGISTER, kiosk.urls(ShortCode=other))
        assert refused(answer)[2] == "Bad Request - Invalid ShortCode"
    await kiosk.registers(ShortCode=short_code)
    await kiosk.pays()
    (confirmed,) = await kiosk.confirmed()
    assert confirmed["BusinessShortCode"] == carried


# Confirmations


async def test_without_urls_nobody_is_told(shop: Counter) -> None:
    await shop.faults(validation="on")
    await shop.pays()
    paid = await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    await shop.pays()
    assert shop.daraja.ledger.payments[1] == paid
    assert not shop.daraja.ledger.confirmations
    assert not shop.daraja.ledger.validations
    assert shop.paths() == ["a1", "a1"]


async def test_a_push_is_confirmed_with_the_receipt_of_its_callback(shop: Counter) -> None:
    await shop.registers()
    _, callback = await shop.pays()
    (confirmed,) = await shop.confirmed()
    assert shape(confirmed) == like("c2b_paybill_v2")
    values = {item["Name"]: item.get("Value") for item in callback["CallbackMetadata"]["Item"]}
    assert confirmed["TransID"] == values["MpesaReceiptNumber"]
    assert confirmed["TransTime"] == str(values["TransactionDate"])
    said = {"BillRefNumber": "ABC123DEF4", "TransAmount": "10.00", "OrgAccountBalance": "10.00"}
    said |= {"BusinessShortCode": "174379", "TransactionType": "Pay Bill"}
    said |= {"MSISDN": "2547 ***** 678"}
    assert confirmed.items() >= said.items()
    assert shop.paths() == ["a1", "confirmation"]
    assert json.loads(shop.heard[1][2]) == confirmed


async def test_a_tills_confirmation_has_no_reference(open_shop: OpenCounter) -> None:
    kiosk = await open_shop(TILL)
    await kiosk.faults(c2b_version="v1")
    answer = await kiosk.post("/mpesa/c2b/v1/registerurl", kiosk.urls())
    assert answer.status_code == 200
    await kiosk.pays()
    (confirmed,) = await kiosk.confirmed()
    assert shape(confirmed) == like("c2b_till_v1")
    assert confirmed["TransactionType"] == SAMPLES["c2b_till_v1"]["TransactionType"]
    assert confirmed["BillRefNumber"] == ""
    assert confirmed["MSISDN"] == hashlib.sha256(PHONE.encode()).hexdigest()
    await kiosk.faults(c2b_version="v1", till_words="portal")
    await kiosk.daraja.pay_by_hand(PHONE, TILL.pays_to, 5)
    last = (await kiosk.confirmed(2))[-1]
    assert (last["TransactionType"], last["OrgAccountBalance"]) == ("Buy Goods", "15.00")


@pytest.mark.parametrize(
    ("when", "order"),
    [
        ("after", ["a1", "confirmation"]),
        ("before", ["confirmation", "a1"]),
        ("twice", ["a1", "confirmation", "confirmation"]),
    ],
)
async def test_a_confirmation_comes_before_or_after_or_twice(
    shop: Counter, when: str, order: list[str]
) -> None:
    await shop.registers()
    await shop.faults(c2b=when)
    await shop.pays()
    sent = await shop.confirmed(order.count("confirmation"))
    await shop.called()
    assert shop.paths() == order
    assert all(body == sent[0] for body in sent)


async def test_a_confirmation_may_never_come(shop: Counter) -> None:
    await shop.registers()
    await shop.faults(c2b="never")
    await shop.pays()
    await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    await shop.faults()
    await shop.pays()
    assert [body["OrgAccountBalance"] for body in await shop.confirmed()] == ["25.00"]


async def test_a_confirmation_may_be_late(shop: Counter) -> None:
    await shop.registers()
    await shop.faults(c2b="late", c2b_delay=0.1)
    await shop.pays()
    assert shop.daraja.ledger.confirmations == []
    await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    balances = {body["OrgAccountBalance"] for body in await shop.confirmed(2)}
    assert balances == {"10.00", "15.00"}


async def test_a_confirmation_makes_up_for_a_callback_that_never_comes(shop: Counter) -> None:
    await shop.registers()
    await shop.faults(callback="never")
    _, prompt = await shop.rings()
    await shop.daraja.answer(prompt.id, "pay", pin="1234")
    await shop.confirmed()
    assert shop.paths() == ["confirmation"]


@pytest.mark.parametrize(("action", "pin"), [("cancel", ""), ("pay", "0000")])
async def test_what_was_not_paid_is_not_confirmed(shop: Counter, action: str, pin: str) -> None:
    await shop.registers()
    _, prompt = await shop.rings()
    await shop.daraja.answer(prompt.id, action, pin=pin)
    await shop.called()
    await shop.pays()
    assert len(await shop.confirmed()) == 1


@pytest.mark.parametrize(
    ("names", "middle"), [("full", "NJERI"), ("null", None), ("absent", ...), ("empty", "")]
)
async def test_a_confirmation_says_more_or_less_of_a_name(
    shop: Counter, names: str, middle: object
) -> None:
    await shop.registers()
    await shop.faults(c2b_names=names)
    await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    (confirmed,) = await shop.confirmed()
    assert confirmed["FirstName"].isupper()
    assert confirmed.get("MiddleName", ...) == middle
    assert ("LastName" in confirmed) == (names != "absent")


@pytest.mark.parametrize("status", [500, 302])
async def test_a_confirmation_is_sent_once_whatever_the_answer(shop: Counter, status: int) -> None:
    await shop.registers()
    shop.answers = status
    for _ in range(2):
        await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    await shop.confirmed(2)
    sent = shop.daraja.ledger.confirmations
    assert [(one.status, one.answer) for one in sent] == [(status, '{"ResultCode": 0}')] * 2
    assert shop.paths() == ["confirmation", "confirmation"]


async def test_a_confirmation_that_nobody_hears_is_lost(shop: Counter) -> None:
    await shop.registers(ConfirmationURL=f"http://127.0.0.1:{free_port()}/")
    await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    await shop.confirmed()
    assert shop.daraja.ledger.confirmations[0].status is None
    ledger = (await shop.http.get("/ledger")).json()
    assert ledger["confirmations"][0]["answer"] == ""


# Validation


async def test_a_merchant_may_be_asked_first(shop: Counter) -> None:
    await shop.registers()
    await shop.faults(validation="on")
    shop.accepts = SAMPLES["c2b_accepted_with_id"]
    paid = await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    (confirmed,) = await shop.confirmed()
    (asked,) = shop.daraja.ledger.validations
    assert shape(asked.body) == like("c2b_paybill_v2")
    assert (asked.body["OrgAccountBalance"], asked.body["ThirdPartyTransID"]) == ("", "")
    assert json.loads(asked.answer) == shop.accepts
    echoed = {"ThirdPartyTransID": "1234567890", "OrgAccountBalance": "5.00"}
    assert confirmed == asked.body | echoed
    assert confirmed["TransID"] == paid.receipt
    assert shop.paths() == ["validation", "confirmation"]


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("C2B00011", "phone number"),
        ("C2B00012", "account number"),
        ("C2B00013", "amount"),
        ("C2B00014", "registration details"),
        ("C2B00015", "business number"),
        ("C2B00016", "did not accept"),
        (1, "did not accept"),
    ],
)
async def test_a_merchant_may_refuse(shop: Counter, code: object, why: str) -> None:
    await shop.registers()
    await shop.faults(validation="on")
    shop.accepts = SAMPLES["c2b_rejected"] | {"ResultCode": code}
    with pytest.raises(Declined, match=why):
        await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    ledger = shop.daraja.ledger
    assert why in ledger.messages[-1].text
    assert not ledger.payments
    assert not ledger.confirmations


async def test_a_push_that_the_merchant_refuses_fails(shop: Counter) -> None:
    await shop.registers()
    await shop.faults(validation="on")
    shop.accepts = SAMPLES["c2b_rejected"]
    accepted, callback = await shop.pays()
    assert callback["ResultCode"] == 2007
    assert (await shop.query(accepted["CheckoutRequestID"])).json()["ResultCode"] == "2007"
    assert shop.daraja.ledger.payments == []
    shop.accepts = SAMPLES["c2b_accepted"]
    _, callback = await shop.pays()
    assert callback["ResultCode"] == 0
    await shop.confirmed()
    assert shop.paths() == ["validation", "a1", "validation", "a1", "confirmation"]


async def test_a_push_is_in_flight_while_the_merchant_is_asked(shop: Counter) -> None:
    await shop.registers(ResponseType="Cancelled")
    await shop.faults(validation="on", validation_seconds=0.3, prompt_seconds=0.1)
    accepted, prompt = await shop.rings()
    await shop.daraja.answer(prompt.id, "pay", pin="1234")
    found = (await shop.query(accepted["CheckoutRequestID"])).json()
    assert found["ResultCode"] == "4999"
    (called,) = await shop.called()
    assert called["Body"]["stkCallback"]["ResultCode"] == 2007


@pytest.mark.parametrize(("response_type", "payments"), [("Completed", 1), ("Cancelled", 0)])
@pytest.mark.parametrize("trouble", ["slow", "away", "broken", "wordless"])
async def test_the_response_type_decides_when_validation_fails(
    shop: Counter, response_type: str, payments: int, trouble: str
) -> None:
    away = {"ValidationURL": f"http://127.0.0.1:{free_port()}/"} if trouble == "away" else {}
    await shop.registers(ResponseType=response_type, **away)
    await shop.faults(validation="on", validation_seconds=0.05)
    if trouble in {"broken", "wordless"}:
        shop.accepts = {} if trouble == "wordless" else SAMPLES["c2b_accepted"]
    if trouble == "broken":
        shop.answers = 500
    with nullcontext() if payments else pytest.raises(Declined, match="try again later"):
        await shop.daraja.pay_by_hand(PHONE, "174379", 5, "A1")
    assert len(shop.daraja.ledger.payments) == payments
    assert len(shop.daraja.ledger.validations) == 1


# Lipa na M-PESA


async def test_a_bill_is_paid_by_hand(shop: Counter) -> None:
    await shop.registers()
    paid = await shop.daraja.pay_by_hand(PHONE, "174379", 1250, "abc 123")
    assert (paid.phone, paid.amount, paid.account) == (PHONE, 1250, "abc 123")
    assert paid.checkout_request_id is None
    (message,) = shop.daraja.ledger.messages
    assert message.text.startswith(f"{paid.receipt} Confirmed. Ksh1,250.00 sent to")
    (confirmed,) = await shop.confirmed()
    assert confirmed["BillRefNumber"] == "abc 123"
    assert abs(int(timestamp()) - int(confirmed["TransTime"])) < 10_000
    assert shop.daraja.ledger.confirmations[0].status == 200


@pytest.mark.parametrize(
    ("phone", "business", "amount", "account", "why"),
    [
        (PHONE, "999999", 5, "A1", "no business with the number 999999"),
        (PHONE, TILL.short_code, 5, "", "no business"),
        (PHONE, TILL.pays_to, 5, "A1", "choose Buy Goods"),
        (PHONE, "174379", 5, "", "account number"),
        (PHONE, "174379", 5, "x" * 21, "account number"),
        (PHONE, "174379", 0, "A1", "whole shillings"),
        (PHONE, "174379", 250_001, "A1", "whole shillings"),
        ("0712345678", "174379", 5, "A1", "phone number"),
    ],
)
async def test_what_cannot_be_paid_by_hand_says_why(
    daraja: PretendDaraja, phone: str, business: str, amount: int, account: str, why: str
) -> None:
    with pytest.raises(NotPaid, match=why):
        await daraja.pay_by_hand(phone, business, amount, account)
    assert not daraja.ledger.payments
    assert not daraja.ledger.messages


async def test_an_empty_wallet_pays_nothing_by_hand(daraja: PretendDaraja) -> None:
    for _ in range(2):
        await daraja.pay_by_hand(PHONE, "174379", 250_000, "A1")
    with pytest.raises(NotPaid, match="not enough money"):
        await daraja.pay_by_hand(PHONE, "174379", 1, "A1")
    daraja.faults.set({"default": {"result": "8006"}})
    with pytest.raises(NotPaid, match="locked"):
        await daraja.pay_by_hand("254112345678", "174379", 1, "A1")


BILL = {"phone": "0712 345 678", "business": "174379", "account": "a<1>", "amount": "50"}


async def test_the_phone_has_a_menu_that_pays(shop: Counter) -> None:
    page = (await shop.http.get("/phone")).text
    assert "Lipa na M-PESA" in page
    assert 'name="pin"' not in page
    page = (await shop.http.get("/phone?lipa=open")).text
    assert page.count('action="/phone/pay"') == 2
    assert 'http-equiv="refresh"' not in page
    assert not re.search(r"(src|href)=|<script", page)
    answer = await shop.http.post("/phone/pay", data=BILL | {"pin": "1234"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/phone")
    (paid,) = shop.daraja.ledger.payments
    assert (paid.phone, paid.amount, paid.account) == (PHONE, 50, "a<1>")
    assert paid.receipt in (await shop.http.get("/phone")).text


async def test_a_program_may_pay_from_the_menu(shop: Counter) -> None:
    till = {"phone": PHONE, "business": TILL.pays_to, "amount": "5", "pin": "1234"}
    json_please = {"Accept": "application/json"}
    answer = await shop.http.post("/phone/pay", data=till, headers=json_please)
    assert answer.json() == {"receipt": shop.daraja.ledger.payments[0].receipt}
    answer = await shop.http.post("/phone/pay", data={}, headers=json_please)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pin": "0000"}, "wrong M-PESA PIN"),
        ({"pin": "12"}, "The PIN has 4 digits."),
        ({"business": "1"}, "There is no business with the number 1."),
        ({"amount": "5.50"}, "whole shillings"),
        ({"phone": "12"}, "like 0712 345 678"),
    ],
)
async def test_the_menu_keeps_what_was_typed_and_says_what_is_wrong(
    shop: Counter, changes: dict[str, str], why: str
) -> None:
    answer = await shop.http.post("/phone/pay", data=BILL | {"pin": "1234"} | changes)
    assert answer.status_code == 400
    assert why in answer.text
    assert answer.text.count('value="a&lt;1&gt;"') == 1
    assert 'http-equiv="refresh"' not in answer.text
    assert shop.daraja.ledger.payments == []


async def test_a_refusal_arrives_as_a_message(shop: Counter) -> None:
    await shop.registers()
    await shop.faults(validation="on")
    shop.accepts = SAMPLES["c2b_rejected"]
    form = BILL | {"pin": "1234"}
    assert (await shop.http.post("/phone/pay", data=form)).status_code == 303
    assert "the account number is not valid" in (await shop.http.get("/phone")).text
    answer = await shop.http.post("/phone/pay", data=form, headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert "the account number is not valid" in answer.json()["error"]


async def test_closing_it_drops_a_late_confirmation() -> None:
    async with (
        pretend_daraja(DarajaOptions(port=0)) as running,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}") as http,
    ):
        shop = Counter(running, PAYBILL, http)
        shop.callback_url = "https://example.invalid/stk/a1"
        await shop.sign_in()
        await shop.registers()
        await shop.faults(c2b="late")
        await running.pay_by_hand(PHONE, "174379", 5, "A1")
    assert running.ledger.confirmations == []
