"""Paybills and tills at the operator's console."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from appliance.domain.errors import (
    ApplianceError,
    GatewayRefused,
    GatewayUnavailable,
    Invalid,
    Locked,
    SalesClosed,
    TooMany,
)
from appliance.domain.paybills import Paybill, PaymentSettings, RouterRecord, User
from appliance.domain.payments import Payment, State
from appliance.flows.cashier import Cashier
from appliance.flows.enrol import Enrol
from appliance.mpesa.cipher import FernetCipher
from appliance.mpesa.tokens import Trouble
from appliance.store.records import Books, books
from appliance.web.console.paybills import PaybillPages
from tests.conftest import HandClock
from tests.memory_store import MemoryStore
from tests.web.desk import Desk, desk

SECRETS = {
    "consumerKey": "KeyOfTheApp42",
    "consumerSecret": "SecretOfTheApp42",
    "passKey": "ab" * 32,
}
TILL = {
    "number": "5142076",
    "name": "Kiosk",
    "type": "till",
    "storeNumber": "7208840",
    "environment": "sandbox",
}
CIPHER = FernetCipher([Fernet.generate_key().decode()])


@dataclass
class Safaricom:
    """Takes what is asked of it, or does not."""

    record: list[tuple[Any, ...]] = field(default_factory=list)
    """The audit log."""
    asked: list[str] = field(default_factory=list)
    """By number."""
    error: ApplianceError | None = None
    troubles: dict[str, Trouble] = field(default_factory=dict)

    async def ask(self, number: str) -> None:
        self.asked.append(number)
        assert self.record[-1][2] == number  # written down before
        if self.error is not None:
            raise self.error

    async def sell(self, number: str, phone: str) -> Payment:
        await self.ask(number)
        return Payment(
            id="abc",
            token="t",
            amount=1,
            paybill_number=number,
            router_id="here",
            created_at=HandClock().now(),
            open_phone=phone,
            state=State.PENDING,
        )


@dataclass
class Office:
    """The desk with these pages, and what stands behind them."""

    desk: Desk
    kept: Books
    clock: HandClock
    safaricom: Safaricom

    async def added(self, **form: str) -> Paybill:
        answer = await self.desk.press("/paybills/new", **{**TILL, **SECRETS, **form})
        assert answer.status == 303, await answer.text()
        found = await self.kept.paybills.find("paybillInfo.number", form.get("number", "5142076"))
        assert found is not None
        return found

    async def latest(self, paybill: Paybill) -> Paybill:
        found = await self.kept.paybills.get(paybill.id)
        assert found is not None
        return found

    async def change(self, paybill: Paybill, **form: str) -> Any:
        told = {**TILL, "edition": paybill.edition, **form}
        return await self.desk.press(f"/paybills/{paybill.id}/edit", **told)


@asynccontextmanager
async def office(*, signed_in: bool = True) -> AsyncIterator[Office]:
    clock, kept = HandClock(), books(MemoryStore())
    cashier = Cashier(kept.paybills, kept.routers, kept.users, "here", "sandbox", CIPHER)
    safaricom = Safaricom()
    pages = PaybillPages(
        paybills=kept.paybills,
        users=kept.users,
        cashier=cashier,
        enrol=Enrol(paybills=kept.paybills, users=kept.users, cipher=CIPHER, clock=clock),
        clock=clock,
        try_keys=safaricom.ask,
        trouble=safaricom.troubles.get,
        trial=safaricom.sell,
        register=safaricom.ask,
        url="https://pay.example",
    )
    async with desk(pages, clock=clock) as here:
        if signed_in:
            await here.sign_in()
        safaricom.record = here.record
        yield Office(here, kept, clock, safaricom)


async def test_a_new_till_is_sealed_written_down_and_sells_nothing_yet() -> None:
    async with office() as here:
        assert "No paybill or till yet" in await here.desk.see("/paybills")
        paybill = await here.added()
        keys = paybill.credentials
        assert all(secret.startswith("fernet:") for secret in keys.secrets)
        assert CIPHER.open(keys.pass_key) == SECRETS["passKey"]
        assert (paybill.status, paybill.paybill_info.store_number) == ("inactive", "7208840")
        assert here.desk.record[-1][1:3] == ("added a paybill", "5142076")
        shown = [
            await here.desk.see(path)
            for path in ("/paybills", f"/paybills/{paybill.id}", f"/paybills/{paybill.id}/edit")
        ]
        for text in (*shown, str(here.desk.record)):
            for secret in (*SECRETS.values(), *keys.secrets):
                assert secret not in text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"storeNumber": ""}, "head office number of the Go-Live mail"),
        ({"number": "12"}, "5 to 7 digits"),
        ({"number": "174379", "environment": "production"}, "number for tests"),
        ({"type": "bank"}, "paybill or till"),
        ({"consumerKey": ""}, "this is needed"),
        ({"passKey": "two words"}, "copy it again"),
        ({"consumerKey": "fernet:forged"}, "copy it again"),
        ({"name": "x" * 61}, "at most 60 letters"),
        ({"userId": "nobody"}, "no such owner"),
        ({"initiatorName": "operator"}, "security credential"),
        ({"c2bShortCode": "x"}, "5 to 7 digits"),
    ],
)
async def test_what_cannot_be_right_is_said_at_its_place_and_not_stored(
    wrong: dict[str, str], said: str
) -> None:
    async with office() as here:
        answer = await here.desk.press("/paybills/new", **{**TILL, **SECRETS, **wrong})
        text = await answer.text()
        assert answer.status == 400
        assert said in text
        assert text.count('aria-invalid="true"') == (
            0 if "type" in wrong or "userId" in wrong else 1
        )
        assert SECRETS["consumerSecret"] not in text
        assert await here.kept.paybills.page(None, None, 10) == []


async def test_a_number_is_enrolled_once() -> None:
    async with office() as here:
        await here.added()
        answer = await here.desk.press("/paybills/new", **TILL, **SECRETS)
        assert answer.status == 400
        assert "already" in await answer.text()
        assert here.desk.record[-1][1:3] == ("failed", "5142076")


async def test_a_secret_left_empty_stays_and_a_new_key_ends_the_token() -> None:
    async with office() as here:
        before = await here.added()
        until = datetime(2030, 1, 1, tzinfo=UTC)
        token = replace(before.credentials, access_token="sealed", token_expires_at=until)
        await here.kept.paybills.change(before, replace(before, credentials=token))
        # The page was opened before the token came: that is nobody's edit.
        assert (await here.change(before, name="Duka")).status == 303
        renamed = await here.latest(before)
        assert renamed.paybill_info.name == "Duka"
        assert renamed.credentials == token
        assert (await here.change(renamed, consumerKey="AnotherKey")).status == 303
        after = await here.latest(before)
        assert CIPHER.open(after.credentials.consumer_key) == "AnotherKey"
        assert after.credentials.access_token is None
        assert after.credentials.consumer_secret == token.consumer_secret
        assert here.desk.record[-1][3] == {"keys_replaced": ["consumerKey"]}


async def test_whoever_was_second_is_told_and_overwrites_nothing() -> None:
    async with office() as here:
        seen = await here.added()
        assert (await here.change(seen, name="First")).status == 303
        answer = await here.change(seen, name="Second")
        assert answer.status == 409
        assert "Somebody has changed 5142076 meanwhile" in await answer.text()
        switched = await here.desk.press(
            f"/paybills/{seen.id}/switch", to="active", edition=seen.edition
        )
        assert switched.status == 409
        latest = await here.latest(seen)
        assert (latest.paybill_info.name, latest.status) == ("First", "inactive")


async def test_switching_says_what_it_means_for_who_sells_through_it() -> None:
    async with office() as here:
        await here.kept.routers.insert(RouterRecord(id="here", name="Gate", user_id="ann"))
        await here.kept.users.insert(User(id="ann"))
        chosen = PaymentSettings(paybill_number="5142076")
        await here.kept.users.insert(User(id="bob", payment_settings=chosen))
        paybill = await here.added()
        path = f"/paybills/{paybill.id}"
        assert "sells nothing: no active company paybill" in await here.desk.see("/paybills")
        on = await here.desk.press(f"{path}/switch", to="active", edition=paybill.edition)
        assert on.status == 303
        assert here.desk.record[-1][1:3] == ("switched a paybill on", "5142076")
        text = await here.desk.see(path)
        assert "customers cannot buy" in text
        assert "Gate" in text
        assert "Chosen by</dt><dd>bob<" in text
        active = await here.latest(paybill)
        await here.desk.press(f"{path}/switch", to="inactive", edition=active.edition)
        assert (await here.latest(paybill)).status == "inactive"


async def test_keys_are_tried_and_safaricoms_no_is_shown_in_its_words() -> None:
    async with office() as here:
        paybill = await here.added()
        path = f"/paybills/{paybill.id}"
        assert (await here.desk.press(f"{path}/token")).status == 303
        for error, said in (
            (GatewayRefused("merchant_config", "token: HTTP 400"), "copy both again"),
            (GatewayUnavailable("token: ConnectError"), "not reached (token: ConnectError)"),
        ):
            here.safaricom.error = error
            assert said in await (await here.desk.press(f"{path}/token")).text()
        assert here.safaricom.asked == ["5142076"] * 3
        here.safaricom.troubles["5142076"] = Trouble(here.clock.now(), "token: HTTP 400")
        assert "token: HTTP 400" in await here.desk.see(path)


async def test_a_phone_is_asked_for_a_shilling_and_the_story_is_shown() -> None:
    async with office() as here:
        paybill = await here.added()
        path = f"/paybills/{paybill.id}"
        assert "KSh 1" not in await here.desk.see(path)
        await here.desk.press(f"{path}/switch", to="active", edition=paybill.edition)
        assert "Try it with KSh 1" in await here.desk.see(path)
        asked = await here.desk.press(f"{path}/trial", phone="0712 345 678")
        assert asked.headers["Location"] == "/payments/abc?said=trial"
        assert here.desk.record[-1][1:3] == ("asked a phone for a shilling", "5142076")
        assert "345" not in str(here.desk.record)
        for error, said in (
            (Invalid("phone_invalid", "phone"), "like 0712 345 678"),
            (Locked(40), "Try again in 40 seconds"),
            (TooMany(9), "Try again in 9 seconds"),
            (SalesClosed("paybill 5142076 is inactive"), "Nothing was asked: paybill 5142076"),
            (GatewayUnavailable("push: ConnectError"), "not reached"),
        ):
            here.safaricom.error = error
            answer = await here.desk.press(f"{path}/trial", phone="1")
            assert said in await answer.text()
            assert here.desk.record[-1][1] == "failed"


async def test_registering_is_written_down_and_an_old_address_is_said() -> None:
    async with office() as here:
        paybill = await here.added()
        path = f"/paybills/{paybill.id}"
        assert (await here.desk.press(f"{path}/register")).status == 303
        assert here.desk.record[-1][1:3] == ("registered for C2B", "5142076")
        enrol = Enrol(
            paybills=here.kept.paybills, users=here.kept.users, cipher=CIPHER, clock=here.clock
        )
        await enrol.registered("5142076", "https://old.example")
        assert "told to the old address" in await here.desk.see(path)
        await enrol.registered("5142076", "https://pay.example")
        assert "told to the old address" not in await here.desk.see(path)
        here.safaricom.error = Invalid("Safaricom has URLs for this account already.")
        assert (
            "has URLs for this account" in await (await here.desk.press(f"{path}/register")).text()
        )


async def test_a_hostile_name_is_only_text_and_strangers_see_nothing() -> None:
    async with office(signed_in=False) as here:
        for path in ("/paybills", "/paybills/new", "/paybills/x/edit"):
            assert (await here.desk.client.get(path, allow_redirects=False)).status == 303
        answer = await here.desk.client.post("/paybills/new", data={**TILL, **SECRETS})
        assert answer.status == 401
        assert await here.kept.paybills.page(None, None, 10) == []
        await here.desk.sign_in()
        paybill = await here.added(name="<script>alert(1)</script>")
        for path in ("/paybills", f"/paybills/{paybill.id}", f"/paybills/{paybill.id}/edit"):
            assert "<script>alert" not in await here.desk.see(path)
        assert (await here.desk.client.get("/paybills/none")).status == 404
        assert (await here.desk.press("/paybills/none/switch", to="active")).status == 404


async def test_a_token_that_has_ended_is_not_called_good() -> None:
    async with office() as here:
        paybill = await here.added()
        until = here.clock.now() + timedelta(minutes=30)
        token = replace(paybill.credentials, access_token="t", token_expires_at=until)
        await here.kept.paybills.change(paybill, replace(paybill, credentials=token))
        assert re.search(r"until <time", await here.desk.see("/paybills"))
        here.clock.pass_by(timedelta(hours=1))
        assert re.search(r"ended <time", await here.desk.see("/paybills"))
