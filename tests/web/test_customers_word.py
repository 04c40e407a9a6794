"""What a browser says is not believed, and what a customer was sold is shown as often as asked."""

import re
import time

import httpx
import pytest

from appliance.domain.receipts import LONGEST_MESSAGE
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


def bought_by(http: httpx.Client, plan: str, phone: str, state: str) -> dict[str, str]:
    """Buy a plan and return the purchase when it has got so far."""
    bought: dict[str, str] = http.post(
        "/api/captive/purchase", json={"planId": plan, "phoneNumber": phone}
    ).json()
    deadline = time.monotonic() + 20
    while http.get(bought["statusUrl"]).json()["state"] != state:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return bought


def box(http: httpx.Client, text: str, **more: str) -> httpx.Response:
    """Send what is typed into the one box of the home page."""
    return http.post("/redeem", data={"code": text, "lang": "en"} | more)


def typed_in(page: httpx.Response) -> dict[str, str]:
    """Return what the page's boxes hold."""
    return dict(re.findall(r'<input class="box[^>]* name="(\w+)"[^>]* value="([^"]*)"', page.text))


def test_a_pasted_sms_leads_on_by_its_account_or_asks_who_paid(
    at_home: House, known: Known
) -> None:
    code, receipt = known.values["code"][0], known.values["receipt"][0]
    sms = (
        f"{receipt} Confirmed. Ksh50.00 sent to NJERI WIFI for account {{}} on 27/11/26 at 9:02 AM"
    )
    with someone(at_home) as http:
        by_account = box(http, sms.format(code))
        assert by_account.headers["location"] == f"/wait/{known.values['token'][0]}"
        asked = [box(http, sms.format(account)) for account in ("wifi", "ACDEF34679")]
        asked.append(box(http, f"UKN7K2M9QX Confirmed. Ksh10.00 sent to {'x' * LONGEST_MESSAGE}"))
        for answer in asked:
            assert answer.status_code == 200
            assert "<h1>Which number paid?</h1>" in answer.text
            assert answer.url.path == "/redeem"
            form = typed_in(answer)
            assert form.pop("receipt") in {receipt, "UKN7K2M9QX"}
            assert form == {"phone": ""}
        found = http.post("/recover", data=typed_in(asked[0]) | {"phone": "0712345678"})
        assert found.headers["location"] == by_account.headers["location"]


def test_a_bare_receipt_is_a_wrong_code_first_and_both_ways_on_are_offered(
    at_home: House, known: Known
) -> None:
    with someone(at_home) as http:
        mine, nobodys = (box(http, one) for one in (known.values["receipt"][0], "UKN7K2M9QX"))
        for answer in (mine, nobodys):
            assert answer.status_code == 404
            assert "We do not know this code." in answer.text
            form = typed_in(answer)
            assert form["code"] == form["receipt"]
        said = [
            re.sub(f"{typed_in(a)['code']}|[0-9a-f]{{24}}", "", a.text) for a in (mine, nobodys)
        ]
        assert len(set(said)) == 1
        assert typed_in(box(http, "NOCODE")) == {"phone": "", "code": "NOCODE"}


def test_the_box_is_bounded_as_codes_are_whatever_is_pasted_around_them(at_home: House) -> None:
    at_home.near.router.hotspot.join("127.0.1.77")
    sms = "UKN7K2M9QX Confirmed. Ksh10.00 sent to NJERI for account ACDEFG34{:02d}"
    with someone(at_home, "127.0.1.77") as http:
        answers = [box(http, sms.format(number)).status_code for number in range(12)]
        assert answers == [200] * 10 + [429] * 2
        assert box(http, "UKN7K2M9QX Confirmed. Ksh10.00 sent").status_code == 200  # no guess


def test_a_voucher_for_one_shows_no_devices_and_more_time_to_its_own_device_alone(
    at_home: House, known: Known
) -> None:
    token = known.values["token"][0]
    with someone(at_home) as http, someone(at_home, "127.0.0.9") as stranger:
        mine, theirs = (one.get(f"/done/{token}?lang=en").text for one in (http, stranger))
        more = re.search(r'href="(/\?[^"]*buy=1[^"]*plan=day)"', mine)
        assert more is not None
        home = http.get(more[1].replace("&amp;", "&"))
        assert re.search(r'value="day" checked', home.text)
        assert "What you buy now starts when this time ends." in home.text
        assert "buy=1" not in theirs
        assert "My devices" not in mine + theirs
        for one in (http, stranger):
            answer = one.post(f"/done/{token}/leave", data={"device": "0" * 16})
            assert answer.status_code == 303
        assert http.post(f"/done/{'0' * 32}/leave", data={"device": "x"}).status_code == 404
        assert http.get(f"/api/captive/status/{token}").json()["state"] == "online"


def test_who_is_on_a_voucher_logs_another_device_of_it_out(at_home: House) -> None:
    addresses = ("127.0.1.78", "127.0.1.79")
    for address in addresses:
        at_home.near.router.hotspot.join(address)
    with someone(at_home, addresses[0]) as first, someone(at_home, addresses[1]) as second:
        bought = bought_by(first, "week", "254712999078", "online")
        done, leave = f"/done/{bought['token']}?lang=en", f"/done/{bought['token']}/leave"
        assert "1 of 3 online" in first.get(done).text
        assert "My devices" not in second.get(done).text  # which is not on it
        assert second.post("/redeem", data={"code": bought["voucherCode"]}).status_code == 303
        (other,) = re.findall(r'name="device" value="(\w+)"', second.get(done).text)
        assert mac_of(addresses[0]).lower() not in second.get(done).text.lower()
        with someone(at_home) as stranger:
            stranger.post(leave, data={"device": other})
        assert "2 of 3 online" in second.get(done).text
        answer = second.post(leave, data={"device": other, "lang": "sw"})
        assert answer.headers["location"] == done.replace("lang=en", "lang=sw")
        assert "1 of 3 online" in second.get(done).text
        assert "My devices" not in first.get(done).text
        assert first.get("/").status_code == 200  # where it would have got back in by itself
        assert "1 of 3 online" in second.get(done).text


def test_what_is_bought_while_time_runs_says_when_it_starts(at_home: House) -> None:
    at_home.near.router.hotspot.join("127.0.1.80")
    with someone(at_home, "127.0.1.80") as http:
        running = bought_by(http, "hour", "254712999080", "online")
        following = bought_by(http, "half-hour", "254712999081", "paid")
        deadline = time.monotonic() + 20
        while http.get(f"/wait/{following['token']}").status_code == 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # it is paid, and not kept for later yet
        answer = http.get(f"/wait/{following['token']}")
        assert answer.headers["location"] == f"/done/{following['token']}"
        shown = http.get(answer.headers["location"], params={"lang": "en"})
        assert "It starts by itself when the time you have now ends." in shown.text
        assert "Need more time?" not in shown.text
        assert "Next: Quick" in http.get(f"/done/{running['token']}?lang=en").text
        home = http.get("/?buy=1&lang=en").text
        assert "It starts by itself when your present time ends." in home
        assert running["voucherCode"] in home
        assert f'value="{following["voucherCode"]}"' not in home
