"""The M-Pesa module alone: tokens over a tiny `Paybills`, as another program would use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.fernet import Fernet

from appliance.domain.errors import Conflict, GatewayRefused, GatewayUnavailable, SalesClosed
from appliance.domain.paybills import Credentials, Paybill, PaybillConfig, PaybillInfo
from appliance.domain.secrets import InClear
from appliance.mpesa import MpesaService, tokens
from appliance.mpesa.cipher import FernetCipher
from appliance.ports import Cipher
from appliance.sandbox.daraja.accounts import MERCHANTS
from appliance.sandbox.daraja.server import DarajaOptions, pretend_daraja

KEY, OLD_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
NUMBER = "174379"


class TinyPaybills:
    """Two paybills in memory, kept by version; every read is as slow as a database."""

    def __init__(self, *paybills: Paybill) -> None:
        self.kept = {paybill.paybill_info.number: paybill for paybill in paybills}

    async def find(self, key: str, value: str) -> Paybill | None:
        assert key == "paybillInfo.number"
        await asyncio.sleep(0)
        return self.kept.get(value)

    async def page(self, index: str, value: object, limit: int) -> list[Paybill]:
        return [p for p in self.kept.values() if (index, p.status) == ("status", value)][:limit]

    async def change(self, before: Paybill, after: Paybill) -> Paybill:
        number = before.paybill_info.number
        await asyncio.sleep(0)
        if self.kept[number].version != before.version:
            raise Conflict(number)
        self.kept[number] = replace(after, version=before.version + 1)
        return self.kept[number]


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def certain(self) -> datetime | None:
        return self.now()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


def paybill(cipher: Cipher | None = None, **credentials: Any) -> Paybill:
    merchant, sealing = MERCHANTS[0], cipher or InClear()
    keys = Credentials(
        consumer_key=sealing.seal(merchant.consumer_key),
        consumer_secret=sealing.seal(merchant.consumer_secret),
        pass_key=sealing.seal(merchant.passkey),
    )
    return Paybill(
        id="1",
        paybill_info=PaybillInfo(number=NUMBER, name="Sandbox"),
        credentials=replace(keys, **credentials),
    )


@asynccontextmanager
async def module(
    paybills: TinyPaybills, *, boxes: int = 1, cipher: Cipher | None = None
) -> AsyncIterator[list[MpesaService]]:
    """Run the module as several boxes would, against one pretend Safaricom."""
    async with (
        pretend_daraja(DarajaOptions(port=0)) as daraja,
        httpx.AsyncClient(timeout=5) as http,
    ):
        base_url, kept = f"http://127.0.0.1:{daraja.port}", _as_port(paybills)
        yield [
            MpesaService(kept, http, RealClock(), base_url=base_url, cipher=cipher or InClear())
            for _ in range(boxes)
        ]


def _as_port(paybills: TinyPaybills) -> Any:
    return paybills


async def push(mpesa: MpesaService, phone: str = "254712345678") -> str:
    answer = await mpesa.initiate_stk_push(
        paybill_number=NUMBER,
        phone_number=phone,
        amount=10,
        account_reference="ABC3DEF4GH",
        description="Internet time",
        callback_url="https://pay.example/hooks/aa",
    )
    return answer.checkout_request_id


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "LEASE", timedelta(seconds=0.3))


async def test_the_four_methods_work_without_the_rest_of_the_appliance() -> None:
    async with module(TinyPaybills(paybill())) as (mpesa,):
        first = await mpesa.get_valid_access_token(NUMBER)
        assert await mpesa.get_valid_access_token(NUMBER) == first
        second = await mpesa.generate_access_token(NUMBER)
        assert second != first
        checkout = await push(mpesa)
        evidence = await mpesa.query_stk_push_status(NUMBER, checkout)
        assert evidence.reason == "checking"


async def test_many_boxes_share_one_new_token() -> None:
    paybills = TinyPaybills(paybill())
    async with module(paybills, boxes=8) as boxes:
        got = await asyncio.gather(
            *(box.get_valid_access_token(NUMBER) for box in boxes for _ in range(25))
        )
    assert len(set(got)) == 1
    credentials = paybills.kept[NUMBER].credentials
    assert (credentials.access_token, credentials.refresh_holder) == (got[0], None)
    assert paybills.kept[NUMBER].version == 2


async def test_a_dead_token_is_dropped_and_one_that_came_meanwhile_is_kept() -> None:
    hour = datetime.now(UTC) + timedelta(hours=1)
    paybills = TinyPaybills(paybill(access_token="dead", token_expires_at=hour))
    async with module(paybills, boxes=2) as (one, other):
        await push(one)
        token = paybills.kept[NUMBER].credentials.access_token
        assert token != "dead"
        await push(other, "254712345679")
        assert paybills.kept[NUMBER].credentials.access_token == token


async def test_who_comes_in_the_moment_in_which_a_shared_try_ends_gets_a_try_of_its_own() -> None:
    async with module(TinyPaybills(paybill())) as (mpesa,):
        first = await mpesa.get_valid_access_token(NUMBER)
        ended = asyncio.get_running_loop().create_future()
        ended.set_result(first)
        mpesa._tokens._renewing[NUMBER] = ended  # what asked for it has not been woken yet
        assert await mpesa._tokens.renewed(NUMBER, stale=first) != first
        assert mpesa._tokens._renewing == {}


async def test_where_safaricom_gives_the_same_token_again_it_is_not_asked_for_ever() -> None:
    asked = list[httpx.Request]()

    def same(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"access_token": "same", "expires_in": "3599"})

    paybills = _as_port(TinyPaybills(paybill()))
    async with httpx.AsyncClient(transport=httpx.MockTransport(same)) as http:
        mpesa = MpesaService(paybills, http, RealClock(), cipher=InClear())
        assert await mpesa.generate_access_token(NUMBER) == "same"
        assert await mpesa.generate_access_token(NUMBER) == "same"
    assert len(asked) <= 1 + tokens._SHARED_TRIES


@pytest.mark.usefixtures("short_lease")
async def test_a_dead_holder_with_a_clock_of_tomorrow_holds_nobody_up() -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    paybills = TinyPaybills(paybill(refresh_holder="dead", refresh_lease_until=tomorrow))
    async with module(paybills) as (mpesa,), asyncio.timeout(3):
        assert await mpesa.get_valid_access_token(NUMBER)


async def test_a_refusal_ends_the_lease() -> None:
    paybills = TinyPaybills(paybill(consumer_secret="wrong"))
    async with module(paybills, boxes=2) as boxes:
        for box in boxes:
            with pytest.raises(GatewayRefused, match="HTTP 400"):
                await box.get_valid_access_token(NUMBER)
    assert paybills.kept[NUMBER].credentials.refresh_holder is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(403, text="<html>Incapsula incident ID</html>"),
        httpx.Response(503),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"access_token": "two words", "expires_in": 3599}),
    ],
)
async def test_a_page_of_somebody_elses_is_no_verdict_on_our_keys(answer: httpx.Response) -> None:
    paybills = _as_port(TinyPaybills(paybill()))
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as http:
        with pytest.raises(GatewayUnavailable):
            await MpesaService(paybills, http, RealClock()).get_valid_access_token(NUMBER)


@pytest.mark.parametrize("life", [3599, "3599"])
async def test_a_life_is_read_as_number_and_as_text(life: object) -> None:
    paybills = TinyPaybills(paybill())
    answer = httpx.Response(200, json={"access_token": "abc", "expires_in": life})
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answer)) as http:
        await MpesaService(_as_port(paybills), http, RealClock()).get_valid_access_token(NUMBER)
    expires = paybills.kept[NUMBER].credentials.token_expires_at
    assert expires is not None
    assert timedelta(minutes=59) < expires - datetime.now(UTC) < timedelta(hours=1)


async def test_real_keys_are_never_sent_to_a_pretence() -> None:
    real = replace(paybill(), config=PaybillConfig(environment="production"))
    async with module(TinyPaybills(real)) as (mpesa,):
        with pytest.raises(SalesClosed, match="pretence"):
            await mpesa.get_valid_access_token(NUMBER)


async def test_the_refresh_renews_what_is_about_to_end_and_one_error_stops_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="appliance")
    soon = datetime.now(UTC) + timedelta(minutes=9)
    later = datetime.now(UTC) + timedelta(minutes=20)

    def named(number: str, **credentials: Any) -> Paybill:
        made = paybill(**credentials)
        return replace(made, paybill_info=PaybillInfo(number=number, name="x"))

    paybills = TinyPaybills(
        named("100001", consumer_key="wrong"),
        named("100002", access_token="a", token_expires_at=soon),
        named("100003", access_token="b", token_expires_at=later),
        replace(named("100004"), status="inactive"),
    )
    async with module(paybills) as (mpesa,):
        reports = await mpesa.refresh_access_tokens()
        assert [r.outcome for r in reports] == ["failed", "refreshed", "valid"]
        forced = await mpesa.refresh_access_tokens(force=True)
        assert [r.outcome for r in forced] == ["failed", "refreshed", "refreshed"]
        standing = await mpesa.token_status()
    assert [r.valid for r in standing] == [False, True, True]
    said = f"{caplog.text}{reports}{forced}{standing}{[r.shown() for r in reports]}"
    for kept in paybills.kept.values():
        for secret in (*kept.credentials.secrets, kept.credentials.access_token):
            assert secret is None or len(secret) < 2 or secret not in said
    outcomes = [r.getMessage() for r in caplog.records if r.name.endswith("refresh")]
    assert outcomes[1:3] == ["token refreshed paybill=100002", "token kept paybill=100003"]
    assert len(outcomes) == 6


async def test_sealed_secrets_work_and_tokens_are_stored_sealed() -> None:
    cipher = FernetCipher([KEY])
    paybills = TinyPaybills(paybill(cipher))
    async with module(paybills, boxes=2, cipher=cipher) as (one, other):
        await push(one)
        stored = paybills.kept[NUMBER].credentials
        assert stored.access_token is not None
        assert stored.access_token.startswith("fernet:")
        token = await other.get_valid_access_token(NUMBER)
    assert token not in repr(paybills.kept)
    assert cipher.open(stored.access_token) == token
    assert all(secret.startswith("fernet:") for secret in stored.secrets)


async def test_a_box_with_a_key_reads_what_others_wrote_in_clear() -> None:
    async with module(TinyPaybills(paybill()), cipher=FernetCipher([KEY])) as (mpesa,):
        assert await push(mpesa)


@pytest.mark.parametrize(
    ("cipher", "why"),
    [(FernetCipher([OLD_KEY]), "no key of appliance.encryption_keys"), (InClear(), "is not set")],
)
async def test_a_wrong_or_missing_key_closes_sales_and_says_so(cipher: Cipher, why: str) -> None:
    async with module(TinyPaybills(paybill(FernetCipher([KEY]))), cipher=cipher) as (mpesa,):
        with pytest.raises(SalesClosed, match=why):
            await mpesa.get_valid_access_token(NUMBER)
        with pytest.raises(SalesClosed, match=why):
            await push(mpesa)


async def test_a_token_sealed_with_a_lost_key_is_simply_replaced() -> None:
    hour = datetime.now(UTC) + timedelta(hours=1)
    lost = FernetCipher([OLD_KEY]).seal("token")
    paybills = TinyPaybills(paybill(access_token=lost, token_expires_at=hour))
    async with module(paybills, cipher=FernetCipher([KEY])) as (mpesa,):
        assert await mpesa.get_valid_access_token(NUMBER) != "token"


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, both = FernetCipher([OLD_KEY]), FernetCipher([KEY, OLD_KEY])
    sealed = old.seal("secret")
    assert both.open(sealed) == "secret"
    assert not both.is_current(sealed)
    assert both.is_current(both.seal("secret"))
    with pytest.raises(SalesClosed):
        old.open(both.seal("secret"))
    with pytest.raises(SalesClosed):
        both.open("fernet:é nonsense")
