"""What a browser says is not believed, and what a customer was sold is shown as often as asked."""

import re

import httpx
import pytest

from appliance.sandbox.routeros.hotspot import mac_of
from tests.web.conftest import Known
from tests.web.house import House

CLAIMS = {
    "amount": 1,
    "price": 1,
    "durationSeconds": 10**9,
    "plan": {"price": 1},
    "state": "paid",
    "paid": True,
}


def someone(at_home: House, address: str = "127.0.0.1") -> httpx.Client:
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=at_home.addresses["portal"], transport=transport)


def words(page: httpx.Response) -> str:
    """Return the page's text as one word: a code is set in parts that copy as one."""
    return re.sub(r"<[^>]*>|\s", "", page.text)


@pytest.mark.parametrize("form", [False, True])
def test_the_price_is_the_plans_whatever_the_browser_says(at_home: House, form: bool) -> None:  # noqa: FBT001
    with someone(at_home) as http:
        phone = f"25471299990{int(form)}"
        if form:
            said = {name: str(value) for name, value in CLAIMS.items()}
            answer = http.post("/purchase", data=said | {"plan": "day", "phone": phone})
        else:
            order = CLAIMS | {"planId": "day", "phoneNumber": phone}
            answer = http.post("/api/captive/purchase", json=order)
            assert answer.json()["amount"] == 50
        assert answer.status_code == (303 if form else 201)
    (push,) = [p for p in at_home.near.daraja.ledger.pushes if p.fields["PhoneNumber"] == phone]
    assert push.fields["Amount"] == "50"


def test_a_crowd_behind_one_address_is_served(at_home: House) -> None:
    with someone(at_home, "127.0.2.7") as http:  # no device of the hotspot's: it hides them
        orders = [{"planId": "hour", "phoneNumber": f"2547123{n:05d}"} for n in range(25)]
        bought = [http.post("/api/captive/purchase", json=order) for order in orders]
        assert {answer.status_code for answer in bought} == {201}
        looks = [http.get(answer.json()["statusUrl"]) for answer in bought for _ in range(4)]
        assert {answer.status_code for answer in looks} == {200}


def test_a_code_is_shown_as_often_as_its_customer_looks(at_home: House, known: Known) -> None:
    token, code = known.values["token"][0], known.values["code"][0]
    with someone(at_home) as http:
        for _ in range(3):
            assert http.get(f"/api/captive/status/{token}").json()["voucherCode"] == code
            assert code in words(http.get(f"/done/{token}"))


def test_knowing_a_requests_name_shows_nothing(at_home: House, known: Known) -> None:
    token, *others = known.values["token"]
    called = at_home.near.daraja.ledger.callbacks[0].body["Body"]["stkCallback"]
    names = [*others, known.values["code"][0], known.values["receipt"][0]]
    names += [called["CheckoutRequestID"], called["MerchantRequestID"]]
    with someone(at_home) as http:
        assert http.get(f"/api/captive/status/{token}").status_code == 200
        for name in [*names, token.upper(), f"{token}0", token[:-1], "0" * 32]:
            for page in ("/api/captive/status", "/wait", "/done"):
                assert http.get(f"{page}/{name}").status_code == 404


def test_another_devices_address_is_not_taken_at_its_word(at_home: House, known: Known) -> None:
    code, token = known.values["code"][0], known.values["token"][0]
    with someone(at_home, "127.0.0.9") as http:
        for ip in ("127.0.0.1", "127.0.0.9", ""):
            claims = {"mac": mac_of("127.0.0.1"), "ip": ip}
            page = http.get("/", params=claims)
            assert page.status_code == 200
            assert code not in words(page)
            assert token not in page.text
            answer = http.post("/redeem", data={"code": code, "move": "yes"} | claims)
            assert answer.status_code == 400
            assert "location" not in answer.headers
