"""What `MpesaService` makes of every kind of answer, and when it sends nothing at all."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from cryptography.fernet import Fernet

from appliance.domain.errors import (
    Conflict,
    GatewayRefused,
    GatewayUnavailable,
    OutcomeUnknown,
    SalesClosed,
)
from appliance.domain.paybills import Credentials, Paybill, PaybillInfo
from appliance.domain.secrets import InClear
from appliance.mpesa import MpesaService
from appliance.mpesa.cipher import FernetCipher
from appliance.mpesa.service import Acknowledged
from appliance.ports import Cipher
from tests.conftest import HandClock

PAYBILL = Paybill(
    id="1",
    paybill_info=PaybillInfo(number="174379", name="Sandbox"),
    credentials=Credentials(consumer_key="key", consumer_secret="secret", pass_key="pass"),
)
ACCEPTED = {"ResponseCode": "0", "CheckoutRequestID": "ws_CO_1", "MerchantRequestID": "2-3"}
TAKEN = {"ResponseCode": "0", "OriginatorConversationID": "1-2-3", "ConversationID": "AG_1"}
Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


class OnePaybill:
    """A collection of one paybill, kept by version."""

    def __init__(self, paybill: Paybill = PAYBILL) -> None:
        self.paybill = paybill

    async def find(self, key: str, value: str) -> Paybill | None:
        return self.paybill if (key, value) == ("paybillInfo.number", "174379") else None

    async def change(self, before: Paybill, after: Paybill) -> Paybill:
        if before.version != self.paybill.version:
            raise Conflict("1")
        self.paybill = replace(after, version=before.version + 1)
        return self.paybill


class Daraja:
    """Answers what a test wants, and counts what came."""

    def __init__(self, answer: httpx.Response | Exception) -> None:
        self.answer = answer
        self.tokens = 0
        self.pushes: list[dict[str, Any]] = []
        self.token_gate = asyncio.Event()
        self.token_gate.set()
        self.token_status = 200

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/v1/generate":
            self.tokens += 1
            await self.token_gate.wait()
            body = {"access_token": f"token{self.tokens}", "expires_in": "3599"}
            return httpx.Response(self.token_status, json=body if self.token_status == 200 else {})
        self.pushes.append(json.loads(request.content))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def service(
    daraja: Daraja,
    clock: HandClock,
    paybills: OnePaybill | None = None,
    cipher: Cipher | None = None,
) -> tuple[MpesaService, httpx.AsyncClient]:
    http = httpx.AsyncClient(transport=httpx.MockTransport(daraja))
    kept: Any = paybills or OnePaybill()
    return MpesaService(kept, http, clock, cipher=cipher or InClear()), http


async def push(mpesa: MpesaService, **more: Any) -> Any:
    return await mpesa.initiate_stk_push(
        paybill_number="174379",
        phone_number="254712345678",
        amount=10,
        account_reference="ABC3DEF4GH",
        description="Internet time",
        callback_url="https://pay.example/hooks/aa/stk/bb",
        **more,
    )


def fault(code: str) -> dict[str, Any]:
    return {"fault": {"faultstring": "x", "detail": {"errorcode": code}}}


def error(code: str, message: str = "") -> dict[str, str]:
    return {"requestId": "1", "errorCode": code, "errorMessage": message}


async def test_an_acceptance_names_the_push(clock: HandClock) -> None:
    mpesa, http = service(Daraja(httpx.Response(200, json=ACCEPTED)), clock)
    async with http:
        assert (await push(mpesa)).checkout_request_id == "ws_CO_1"


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, error("400.002.02", "Bad Request - Invalid Amount"), "merchant_config"),
        (200, error("400.002.02", "Bad Request - Invalid PhoneNumber"), "not_mpesa_number"),
        (404, error("404.001.01", "Resource not found"), "merchant_config"),
        (401, error("401.003.01", "Invalid API call as no apiproduct match"), "merchant_config"),
        (500, error("500.001.1001", "Unable to lock subscriber, a tr…"), "prompt_open"),
        (500, error("500.001.1001", "[MerchantValidate] - Wrong credentials"), "merchant_config"),
        (500, error("500.003.02", "System is busy"), "mpesa_busy"),
        (429, {}, "mpesa_busy"),
        (500, fault("policies.ratelimit.SpikeArrestViolation"), "mpesa_busy"),
    ],
)
async def test_what_proves_that_nothing_was_started_is_a_refusal(
    clock: HandClock, status: int, body: dict[str, Any], reason: str
) -> None:
    mpesa, http = service(Daraja(httpx.Response(status, json=body)), clock)
    async with http:
        with pytest.raises(GatewayRefused) as refused:
            await push(mpesa)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, error("500.001.1001")),
        (500, error("500.003.1001", "Internal Server Error")),
        (200, error("500.003.1001", "Internal Server Error")),
        (200, error("500.999.9999", "never heard of")),
        (504, fault("messaging.adaptors.http.flow.GatewayTimeout")),
        (502, fault("messaging.adaptors.http.UnexpectedEOFAtTarget")),
        (502, {}),
        (200, {}),
        (200, {"ResponseCode": "0"}),
        (200, {"CheckoutRequestID": "ws_CO_1"}),
    ],
)
async def test_what_proves_nothing_is_unknown(
    clock: HandClock, status: int, body: dict[str, Any]
) -> None:
    daraja = Daraja(httpx.Response(status, json=body))
    mpesa, http = service(daraja, clock)
    async with http:
        with pytest.raises(OutcomeUnknown):
            await push(mpesa)
    assert len(daraja.pushes) == 1


async def test_an_answer_too_deep_to_be_read_proves_nothing(clock: HandClock) -> None:
    daraja = Daraja(httpx.Response(200, content=b"[" * 10_000))
    mpesa, http = service(daraja, clock)
    async with http:
        with pytest.raises(OutcomeUnknown):
            await push(mpesa)


@pytest.mark.parametrize(
    ("trouble", "meaning"),
    [
        (httpx.ConnectError("refused"), GatewayUnavailable),
        (httpx.ConnectTimeout("slow"), GatewayUnavailable),
        (httpx.ReadTimeout("silence"), OutcomeUnknown),
        (httpx.WriteError("cut"), OutcomeUnknown),
        (httpx.RemoteProtocolError("cut"), OutcomeUnknown),
    ],
)
async def test_silence_is_told_from_never_having_been_there(
    clock: HandClock, trouble: Exception, meaning: type[Exception]
) -> None:
    daraja = Daraja(trouble)
    mpesa, http = service(daraja, clock)
    async with http:
        with pytest.raises(meaning):
            await push(mpesa)
    assert len(daraja.pushes) == 1


@pytest.mark.parametrize(
    "body",
    [
        error("404.001.03", "Invalid Access Token"),
        fault("keymanagement.service.access_token_expired"),
    ],
)
async def test_a_dead_token_is_replaced_once_and_only_once(
    clock: HandClock, body: dict[str, Any]
) -> None:
    daraja = Daraja(httpx.Response(404, json=body))
    mpesa, http = service(daraja, clock)
    async with http:
        with pytest.raises(GatewayRefused, match="token refused twice"):
            await push(mpesa)
    assert (daraja.tokens, len(daraja.pushes)) == (2, 2)


async def test_nothing_leaves_too_late(clock: HandClock) -> None:
    daraja = Daraja(httpx.Response(200, json=ACCEPTED))
    daraja.token_gate.clear()
    mpesa, http = service(daraja, clock)
    async with http:
        waiting = asyncio.ensure_future(push(mpesa, not_after=clock.monotonic() + 20))
        await asyncio.sleep(0)
        clock.pass_by(timedelta(seconds=21))
        daraja.token_gate.set()
        with pytest.raises(GatewayUnavailable):
            await waiting
    assert daraja.pushes == []


async def test_all_who_wait_for_a_token_share_one_fetch_and_its_failure(clock: HandClock) -> None:
    daraja = Daraja(httpx.Response(200, json=ACCEPTED))
    daraja.token_gate.clear()
    daraja.token_status = 400
    mpesa, http = service(daraja, clock)
    async with http:
        crowd = [asyncio.ensure_future(push(mpesa)) for _ in range(8)]
        await asyncio.sleep(0)
        daraja.token_gate.set()
        answers = await asyncio.gather(*crowd, return_exceptions=True)
        assert {type(answer) for answer in answers} == {GatewayRefused}
        assert daraja.tokens == 1
        daraja.token_status = 200
        assert await mpesa.get_valid_access_token("174379") == "token2"
        assert await mpesa.get_valid_access_token("174379") == "token2"
        assert daraja.tokens == 2


async def test_a_cached_token_serves_until_five_minutes_before_its_end(clock: HandClock) -> None:
    daraja = Daraja(httpx.Response(200, json=ACCEPTED))
    mpesa, http = service(daraja, clock)
    async with http:
        await push(mpesa)
        clock.pass_by(timedelta(seconds=3599 - 301))
        await push(mpesa)
        assert daraja.tokens == 1
        clock.pass_by(timedelta(seconds=2))
        await push(mpesa)
        assert daraja.tokens == 2


async def test_a_missing_or_inactive_paybill_sells_nothing(clock: HandClock) -> None:
    daraja = Daraja(httpx.Response(200, json=ACCEPTED))
    mpesa, http = service(daraja, clock, OnePaybill(replace(PAYBILL, status="inactive")))
    async with http:
        with pytest.raises(SalesClosed, match="174379 is inactive"):
            await push(mpesa)
        with pytest.raises(SalesClosed, match="999 is missing"):
            await mpesa.get_valid_access_token("999")
    assert daraja.tokens == 0


async def test_a_paybill_that_sells_no_longer_is_asked_about_its_payments(clock: HandClock) -> None:
    daraja = Daraja(httpx.Response(200, json={"ResponseCode": "0", "ResultCode": "0"}))
    mpesa, http = service(daraja, clock, OnePaybill(replace(PAYBILL, status="inactive")))
    async with http:
        evidence = await mpesa.query_stk_push_status("174379", "ws_CO_1")
    assert evidence.code == "0"


async def ask(mpesa: MpesaService) -> Acknowledged:
    return await mpesa.query_transaction_status(
        "174379", "NEF61H8J60", "https://pay.example/r", "https://pay.example/t"
    )


def with_initiator(credential: str = "Y2lwaGVy") -> OnePaybill:
    keys = replace(PAYBILL.credentials, initiator_name="operator", security_credential=credential)
    return OnePaybill(replace(PAYBILL, credentials=keys))


async def test_a_question_about_a_receipt_is_acknowledged(clock: HandClock) -> None:
    daraja = Daraja(httpx.Response(200, json=TAKEN))
    mpesa, http = service(daraja, clock, with_initiator())
    async with http:
        said = await ask(mpesa)
    assert (said.originator_conversation_id, said.conversation_id) == ("1-2-3", "AG_1")
    (sent,) = daraja.pushes
    assert (sent["Initiator"], sent["SecurityCredential"]) == ("operator", "Y2lwaGVy")
    assert (sent["TransactionID"], sent["PartyA"]) == ("NEF61H8J60", "174379")
    assert (sent["ResultURL"], sent["QueueTimeOutURL"]) == (
        "https://pay.example/r",
        "https://pay.example/t",
    )


async def test_a_sealed_credential_is_opened_only_to_be_sent(clock: HandClock) -> None:
    cipher = FernetCipher([Fernet.generate_key().decode()])
    daraja = Daraja(httpx.Response(200, json=TAKEN))
    paybills = with_initiator(cipher.seal("Y2lwaGVy"))
    mpesa, http = service(daraja, clock, paybills, cipher)
    async with http:
        await ask(mpesa)
    assert daraja.pushes[0]["SecurityCredential"] == "Y2lwaGVy"
    stored = paybills.paybill.credentials.security_credential
    assert stored is not None
    assert stored.startswith("fernet:")
    assert "fernet" not in repr(paybills.paybill)


async def test_without_an_initiator_nothing_is_sent(clock: HandClock) -> None:
    daraja = Daraja(httpx.Response(200, json=TAKEN))
    mpesa, http = service(daraja, clock)
    async with http:
        with pytest.raises(GatewayRefused, match="initiatorName"):
            await ask(mpesa)
    assert (daraja.pushes, daraja.tokens) == ([], 0)


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (400, error("400.002.02", "Bad Request - Invalid SecurityCredential"), GatewayRefused),
        (200, {"ResponseCode": "1"}, GatewayRefused),
        (200, {"ConversationID": "AG_1"}, OutcomeUnknown),
        (500, error("500.003.02", "System is busy"), GatewayRefused),
        (500, error("500.003.1001", "Internal Server Error"), OutcomeUnknown),
        (403, {}, GatewayUnavailable),
    ],
)
async def test_a_question_fails_like_every_other_call(
    clock: HandClock, status: int, body: dict[str, Any], meaning: type[Exception]
) -> None:
    daraja = Daraja(httpx.Response(status, json=body))
    mpesa, http = service(daraja, clock, with_initiator())
    async with http:
        with pytest.raises(meaning):
            await ask(mpesa)
    assert len(daraja.pushes) == 1


async def test_a_token_that_status_refuses_in_its_own_words_is_replaced_once(
    clock: HandClock,
) -> None:
    daraja = Daraja(httpx.Response(400, json=error("400.003.01", "Invalid Access Token")))
    mpesa, http = service(daraja, clock, with_initiator())
    async with http:
        with pytest.raises(GatewayRefused, match="token refused twice"):
            await ask(mpesa)
    assert (daraja.tokens, len(daraja.pushes)) == (2, 2)


class Lists:
    """Answers pulls with pages, the unreadable rows of them counted as the real one does."""

    def __init__(self, pages: dict[str, list[object]], *, deaf: bool = False) -> None:
        self.pages = pages
        self.deaf = deaf
        self.offsets: list[str] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/v1/generate":
            return httpx.Response(200, json={"access_token": "token", "expires_in": "3599"})
        offset = json.loads(request.content)["OffSetValue"]
        self.offsets.append(offset)
        rows = self.pages.get("0" if self.deaf else offset, [])
        return httpx.Response(200, json={"ResponseCode": "1000", "Response": [rows]})


def row(receipt: str) -> dict[str, str]:
    return {"transactionId": receipt, "amount": "10.00", "msisdn": "254712345678"}


@pytest.mark.parametrize(
    ("deaf", "offsets", "receipts"),
    [
        (False, ["0", "3", "5"], ["UKN7K2M9Q1", "UKN7K2M9Q2", "UKN7K2M9Q3"]),
        (True, ["0", "3"], ["UKN7K2M9Q1", "UKN7K2M9Q2"]),
    ],
)
async def test_a_pull_counts_rows_it_cannot_read_and_ends_where_a_page_brings_nothing_new(
    clock: HandClock, *, deaf: bool, offsets: list[str], receipts: list[str]
) -> None:
    first = [row("UKN7K2M9Q1"), {"amount": "10.00"}, row("UKN7K2M9Q2")]
    pages: dict[str, list[object]] = {"0": [*first], "3": ["x", row("UKN7K2M9Q3")]}
    lists, kept = Lists(pages, deaf=deaf), cast("Any", OnePaybill())
    async with httpx.AsyncClient(transport=httpx.MockTransport(lists)) as http:
        now = clock.now()
        mpesa = MpesaService(kept, http, clock)
        found = await mpesa.pull_transactions("174379", now - timedelta(hours=1), now)
    assert lists.offsets == offsets
    assert [money.receipt for money in found] == receipts
