"""What providers answer, each read as what it proves: never, not now, perhaps, done."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from appliance.domain.errors import ApplianceError, OutcomeUnknown, SmsRefused, SmsUnavailable
from appliance.sandbox.daraja.faults import WrongFault
from appliance.sandbox.daraja.server import DarajaOptions, PretendDaraja, pretend_daraja
from appliance.sandbox.sms.gateway import API_KEY
from appliance.sms.africastalking import AfricasTalking
from appliance.sms.generic import HttpMessenger
from appliance.sms.template import check
from tests.servers import free_port

PHONE, TEXT = "254712345001", 'Your code is "WWWW9WWWW9" & more: {to} <ok>\n100%'


@pytest.fixture
async def daraja() -> AsyncIterator[PretendDaraja]:
    async with pretend_daraja(DarajaOptions(port=0)) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=0.3) as client:
        yield client


def through(daraja: PretendDaraja, http: httpx.AsyncClient, **more: Any) -> AfricasTalking:
    usual = {"username": "sandbox", "api_key": API_KEY, "sender_id": "MWANGAZA"}
    base = f"http://127.0.0.1:{daraja.port}"
    return AfricasTalking(http=http, base_url=base, **(usual | more))


def answering(status: int, body: object) -> httpx.AsyncClient:
    text = body if isinstance(body, str) else json.dumps(body)
    return httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(status, text=text))
    )


async def test_a_message_arrives_on_the_phone_and_costs_what_is_said(
    daraja: PretendDaraja, http: httpx.AsyncClient
) -> None:
    sent = await through(daraja, http).send(PHONE, TEXT)
    assert sent.cost_cents == 80
    assert (sent.id or "").startswith("ATXid_")
    inbox = (await http.get(f"http://127.0.0.1:{daraja.port}/phone/messages")).json()
    assert [(m["phone"], m["from"], m["text"]) for m in inbox] == [(PHONE, "MWANGAZA", TEXT)]
    page = (await http.get(f"http://127.0.0.1:{daraja.port}/phone")).text
    assert "MWANGAZA" in page
    assert "WWWW9WWWW9" in page


NOT_SENT: list[tuple[dict[str, str], str, dict[str, object], type[ApplianceError], str]] = [
    ({"api_key": "wrong-key"}, PHONE, {}, SmsUnavailable, "credentials"),
    ({"api_key": ""}, PHONE, {}, SmsUnavailable, "credentials"),
    ({"username": "nobody"}, PHONE, {}, SmsUnavailable, "credentials"),
    ({"sender_id": "STRANGER"}, PHONE, {}, SmsUnavailable, "sender_id"),
    ({}, "25471", {}, SmsRefused, "invalid_number"),
    ({}, PHONE, {"refuses": [PHONE]}, SmsRefused, "blacklisted"),
    ({}, PHONE, {"send": "insufficient_balance"}, SmsUnavailable, "insufficient_balance"),
    ({}, PHONE, {"send": "gateway_error"}, SmsUnavailable, "gateway_error"),
    ({}, PHONE, {"send": "away"}, SmsUnavailable, "away"),
    ({}, PHONE, {"send": "crash"}, OutcomeUnknown, "HTTP 500"),
    ({}, PHONE, {"slow_seconds": 5}, OutcomeUnknown, "ReadTimeout"),
]


async def test_what_was_not_sent_is_told_apart_from_what_may_have_been(
    daraja: PretendDaraja, http: httpx.AsyncClient
) -> None:
    for account, to, faults, kind, why in NOT_SENT:
        daraja.sms_faults.set(faults)
        with pytest.raises(kind, match=why):
            await through(daraja, http, **account).send(to, TEXT)
    assert daraja.ledger.messages == []


async def test_a_lost_answer_proves_nothing(daraja: PretendDaraja, http: httpx.AsyncClient) -> None:
    daraja.sms_faults.set({"send": "lost_answer"})
    with pytest.raises(OutcomeUnknown):
        await through(daraja, http).send(PHONE, TEXT)
    assert len(daraja.ledger.messages) == 1


async def test_nothing_leaves_for_a_provider_that_is_not_there(http: httpx.AsyncClient) -> None:
    nowhere = AfricasTalking(
        http=http, username="u", api_key="k", base_url=f"http://127.0.0.1:{free_port()}"
    )
    with pytest.raises(SmsUnavailable, match="unreachable"):
        await nowhere.send(PHONE, TEXT)


@pytest.mark.parametrize(
    "body",
    [
        "<html>",
        "[" * 5000,
        [],
        {},
        {"SMSMessageData": 3},
        {"SMSMessageData": {"Recipients": "none"}},
        {"SMSMessageData": {"Recipients": [3]}},
        {"SMSMessageData": {"Recipients": [{}]}},
        {"SMSMessageData": {"Recipients": [{"statusCode": [101]}]}},
        {"SMSMessageData": {"Recipients": [{"statusCode": "sent"}]}},
    ],
)
async def test_an_answer_that_nobody_understands_proves_nothing(body: object) -> None:
    async with answering(201, body) as http:
        with pytest.raises(OutcomeUnknown):
            await AfricasTalking(http=http, username="u", api_key="k").send(PHONE, TEXT)


@pytest.mark.parametrize(
    ("cost", "cents"),
    [("KES 0.8000", 80), ("KES 0.8001", 81), ("USD 0.01", 90), ("KES x", 90), (None, 90)],
)
async def test_what_is_not_said_in_shillings_costs_what_the_operator_said(
    cost: object, cents: int
) -> None:
    recipient = {"statusCode": 102, "status": "Queued", "cost": cost, "messageId": 7}
    async with answering(201, {"SMSMessageData": {"Recipients": [recipient]}}) as http:
        provider = AfricasTalking(http=http, username="u", api_key="k", cents=90)
        sent = await provider.send(PHONE, "short")
    assert (sent.id, sent.cost_cents) == (None, cents)


async def test_the_pretend_provider_is_as_strict_as_the_real_one(
    daraja: PretendDaraja, http: httpx.AsyncClient
) -> None:
    url = f"http://127.0.0.1:{daraja.port}/version1/messaging"
    form = {"username": "sandbox", "to": f"+{PHONE}", "message": "x"}
    assert (await http.post(url, data=form)).status_code == 401
    key = {"apiKey": API_KEY}
    assert (await http.post(url, data={"username": "sandbox"}, headers=key)).status_code == 400
    assert (await http.post(url, json=form, headers=key)).status_code == 400
    several = form | {"to": f"+{PHONE},0712345678"}
    answer = await http.post(url, data=several, headers=key | {"Accept": "application/json"})
    said = answer.json()["SMSMessageData"]
    assert answer.status_code == 201
    assert said["Message"] == "Sent to 1/2 Total Cost: KES 0.8000"
    assert [one["statusCode"] for one in said["Recipients"]] == [101, 403]
    xml = await http.post(url, data=form, headers=key)
    assert xml.headers["Content-Type"].startswith("application/xml")
    assert "<statusCode>101</statusCode>" in xml.text


async def test_the_menu_says_what_it_has(daraja: PretendDaraja, http: httpx.AsyncClient) -> None:
    url = f"http://127.0.0.1:{daraja.port}/sms/faults"
    wrong: tuple[object, ...] = ([], {"nonsense": 1}, {"send": "never"}, {"refuses": ["x"]})
    for menu in (*wrong, {"slow_seconds": -1}):
        with pytest.raises(WrongFault):
            daraja.sms_faults.set(menu)
        assert (await http.put(url, json=menu)).status_code == 400
    assert (await http.put(url, content=b"{")).status_code == 400
    changed = (await http.put(url, json={"send": "away"})).json()
    assert changed == (await http.get(url)).json() == daraja.sms_faults.shown()


# Any other provider

FORM_BODY = "to={to}&text={text}&from=SHOP"
JSON_BODY = '{"recipients": ["{to}"], "text": "{text}"}'
XML_BODY = "<sms><to>{to}</to><text>{text}</text></sms>"


async def sent_by(**more: Any) -> httpx.Request:
    asked = list[httpx.Request]()

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        sent = await HttpMessenger(http=http, cents=60, **more).send(PHONE, TEXT)
    assert sent.cost_cents == 60
    (request,) = asked
    return request


@pytest.mark.parametrize(
    ("body", "kind", "read"),
    [
        (FORM_BODY, "application/x-www-form-urlencoded", lambda raw: parse_qs(raw)["text"][0]),
        (JSON_BODY, "application/json", lambda raw: json.loads(raw)["text"]),
        (
            XML_BODY,
            "application/xml",
            lambda raw: raw.partition("<text>")[2].partition("</text>")[0],
        ),
    ],
)
async def test_no_text_breaks_out_of_the_request_that_carries_it(
    body: str, kind: str, read: Callable[[str], str]
) -> None:
    request = await sent_by(url="https://sms.example/send", body=body, headers={"X-Key": "k"})
    assert request.headers["Content-Type"] == kind
    assert request.headers["X-Key"] == "k"
    expected = TEXT
    if kind.endswith("xml"):
        expected = TEXT.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        expected = expected.replace('"', "&quot;")
    assert read(request.content.decode()) == expected
    assert PHONE in request.content.decode()


async def test_a_provider_may_take_everything_in_the_address() -> None:
    url = "https://sms.example/api?key=k&to={to}&msg={text}"
    request = await sent_by(url=url, method="GET")
    assert dict(request.url.params) == {"key": "k", "to": PHONE, "msg": TEXT}
    assert request.content == b""


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, SmsRefused),
        (404, SmsRefused),
        (401, SmsUnavailable),
        (402, SmsUnavailable),
        (429, SmsUnavailable),
        (503, SmsUnavailable),
        (302, OutcomeUnknown),
        (500, OutcomeUnknown),
        (504, OutcomeUnknown),
    ],
)
async def test_a_status_says_what_became_of_it(status: int, kind: type[ApplianceError]) -> None:
    async with answering(status, "") as http:
        with pytest.raises(kind):
            await HttpMessenger(http=http, url="https://sms.example/").send(PHONE, TEXT)


def test_a_template_without_its_blanks_is_refused() -> None:
    check("https://x/?to={to}&text={text}", None)
    check("https://x/{to}", JSON_BODY)
    for url, body in (
        ("https://x/", None),
        ("https://x/{to}", "x"),
        ("https://x", '{"a": {text}}'),
    ):
        with pytest.raises(ValueError, match="must"):
            check(url, body)
