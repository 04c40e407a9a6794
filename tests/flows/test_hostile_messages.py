"""Whatever is posted to Safaricom's door is stored and decided about, and opens no gate by itself.

The judge below reads a message on its own, without the product's reader.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.domain import ids
from appliance.domain.plans import Plan
from appliance.domain.records import WebhookLog
from appliance.flows.intake import Intake
from appliance.web.webhooks import LARGEST_BODY, WebhooksDoor, build_webhooks
from tests.flows.hostile import messages, recorded, written
from tests.story import PATH_SECRET, PHONES, Story

NOON = "20261123120000"
CODE, SECRET, PRICE = "VCHRCODE99", PATH_SECRET, 1
CALLED = [
    recorded(f"callback_{name}", CheckoutRequestID="ws_CO_0", MerchantRequestID="merchant-ws_CO_0")
    for name in ("paid_five_items", "paid_four_items", "cancelled", "no_answer")
]
PAYER = hashlib.sha256(PHONES[0].encode()).hexdigest()
MONEY = {
    "paybill": recorded(
        "c2b_paybill_v2",
        BusinessShortCode="174379",
        BillRefNumber=CODE,
        TransAmount="1.00",
        TransTime=NOON,
        MSISDN="2547 ***** 001",
    ),
    "till": recorded("c2b_till_v1", BusinessShortCode="5142076", TransTime=NOON, MSISDN=PAYER),
}
RECEIPT = "MBN31H462N"
FOUND = recorded("status_result")
Judge = Callable[[str, Story], bool]
any_number = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Visit:
    """One box with one purchase under way, and its door."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.handed: list[WebhookLog] = []
        self.door = WebhooksDoor(
            intake=Intake(
                payments=story.books.payments,
                webhooks=story.books.webhooks,
                hand_over=self.handed.append,
                clock=story.clock,
            ),
            webhooks=story.books.webhooks,
            clock=story.clock,
            expecting=story.inbox.expecting,
            path_secret=SECRET,
            seed_paths=True,
        )

    @classmethod
    async def begun(cls, account: str) -> "Visit":
        story = Story(account)
        await story.open()
        taste = Plan(id="taste", name="Taste", price=PRICE, duration=timedelta(hours=1))
        await story.books.plans.insert(taste)
        await story.order(0, "taste", "heard")
        assert len(story.mpesa.prompts) == 1
        return cls(story)

    async def post(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        server = TestServer(build_webhooks(self.door))
        async with (
            TestClient(server) as client,
            client.post(path, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    async def settle(self) -> None:
        """Decide about what came and do what that left to do; what goes wrong is raised."""
        for webhook in self.handed:
            await self.story.inbox.settle(webhook)
        await self.tidy()

    async def tidy(self) -> None:
        while self.story.errands:
            await self.story.errands.pop(0)()

    def rows(self, collection: str) -> list[dict[str, Any]]:
        return list(self.story.store.collections[collection].values())

    def check(self, body: bytes, *, may_open: bool) -> None:
        """Everything is decided, and nobody is let in by less than a payment."""
        (kept,) = self.rows("webhook_logs")
        assert kept["rawBody"] == body.decode("utf-8", errors="replace")
        assert kept["status"] != "received"
        assert "owed" not in kept
        for payment in self.rows("payments"):
            assert payment.get("owed", {}).get("kind") != "conclude"
            assert may_open or payment["status"] != "paid"
        for voucher in self.rows("vouchers"):
            assert may_open or voucher["status"] == "unpaid"
        assert may_open or not self.story.gates


def is_one(value: object) -> bool:
    """Say whether this is the price, and nothing else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    return re.fullmatch(r"\s*\+?0*1(\.0*)?(e[+-]?0+)?\s*", str(value), re.IGNORECASE) is not None


def a_success(body: str, story: Story) -> bool:
    """Say whether this callback is news of the one purchase being paid."""
    said = _parsed(body).get("Body")
    called = said.get("stkCallback") if isinstance(said, dict) else None
    if not isinstance(called, dict):
        return False
    code, name = called.get("ResultCode"), called.get("CheckoutRequestID")
    exact = (type(code) is int and code == 0) or (isinstance(code, str) and code.strip() == "0")
    ours = name is None or (isinstance(name, str) and name.strip() == "ws_CO_0")
    return exact and ours and all(is_one(v) for v in _amounts(called) if v is not None)


def some_money(body: str, story: Story) -> bool:
    """Say whether this confirmation is of money that the purchase can be paid with."""
    said = _parsed(body)
    receipt, reference = said.get("TransID"), said.get("BillRefNumber")
    (prompt,) = story.mpesa.prompts
    usable = isinstance(receipt, str) and re.fullmatch(
        r"\s*[A-Za-z0-9]{6,20}\s*", str(receipt), re.ASCII
    )
    typed = "".join(_readable(reference).split()).replace("-", "").upper()
    if not usable or not is_one(said.get("TransAmount")):
        return False
    return typed in {prompt.reference, ""}  # without one, amount, time and payer must fit


def nothing(body: str, story: Story) -> bool:
    """No message on an address that everybody knows opens anything."""
    return False


def _readable(value: object) -> str:
    shown = value.strip() if isinstance(value, str) else ""
    return shown if re.fullmatch(r"[\x20-\x7e]+", shown, re.ASCII) else ""


def _parsed(body: str) -> Mapping[str, Any]:
    with suppress(ValueError, RecursionError):
        found = json.loads(body)
        if isinstance(found, dict):
            return found
    return {}


def _amounts(called: Mapping[str, Any]) -> list[object]:
    metadata = called.get("CallbackMetadata")
    items = metadata.get("Item") if isinstance(metadata, dict) else None
    named = [
        item.get("Value")
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and item.get("Name") == "Amount"
    ]
    return named[:1]


async def knocked(account: str, where: str, body: bytes, judge: Judge) -> Visit:
    """Post one message to the door and hold what comes of it to the judge."""
    visit = await Visit.begun(account)
    (prompt,) = visit.story.mpesa.prompts
    said = body.replace(CODE.encode(), prompt.reference.encode())
    question = ids.signed(SECRET, f"{visit.story.mpesa.short_code} {RECEIPT}")
    address = where.format(secret=SECRET, token=prompt.token, question=question)
    status, answer = await visit.post(address, said)
    if len(said) > LARGEST_BODY:
        assert (status, visit.rows("webhook_logs")) == (413, [])
        return visit
    assert status == 200, answer
    assert json.loads(answer)["ResultCode"] in {0, "0", "C2B00012", "C2B00013", "C2B00015"}
    await visit.settle()
    text = said.decode("utf-8", errors="replace")
    visit.check(said, may_open=judge(text, visit.story))
    return visit


STATUS_DOORS = (
    "/hooks/{secret}/status/{question}/result",
    "/hooks/{secret}/status/{question}/timeout",
)
CALLBACK_DOORS = {"/hooks/{secret}/stk/{token}": a_success, "/api/webhooks/mpesa/callback": nothing}
MONEY_DOORS = {
    "/hooks/{secret}/c2b/confirmation": some_money,
    "/hooks/{secret}/c2b/validation": nothing,
    "/api/webhooks/mpesa": nothing,
}


@pytest.mark.parametrize("where", CALLBACK_DOORS)
@pytest.mark.parametrize("which", range(len(CALLED)))
@any_number
@given(data=st.data())
def test_a_broken_callback_is_kept_and_opens_nothing(
    which: int, where: str, data: st.DataObject
) -> None:
    body = data.draw(messages(CALLED[which]))
    asyncio.run(knocked("paybill", where, body, CALLBACK_DOORS[where]))


@pytest.mark.parametrize("where", MONEY_DOORS)
@pytest.mark.parametrize("account", MONEY)
@any_number
@given(data=st.data())
def test_a_broken_confirmation_is_kept_and_opens_nothing(
    account: str, where: str, data: st.DataObject
) -> None:
    body = data.draw(messages(MONEY[account]))
    asyncio.run(knocked(account, where, body, MONEY_DOORS[where]))


@pytest.mark.parametrize("where", STATUS_DOORS)
@pytest.mark.parametrize("account", MONEY)
@any_number
@given(data=st.data())
def test_a_broken_answer_about_a_receipt_is_kept_and_opens_nothing(
    account: str, where: str, data: st.DataObject
) -> None:
    items = FOUND["Result"]["ResultParameters"]["ResultParameter"]
    ours = {"DebitPartyName": f"{PHONES[0]} - Jane", "Amount": "1", "FinalisedTime": NOON}
    fitting = [item | {"Value": ours.get(item["Key"], item.get("Value"))} for item in items]
    if account == "paybill" and data.draw(st.booleans()):
        fitting.append({"Key": "CreditPartyName", "Value": "600966 - Another shop"})
    parameters = {"ResultParameter": [item for item in fitting if item["Value"] is not None]}
    body = data.draw(messages({"Result": FOUND["Result"] | {"ResultParameters": parameters}}))
    asyncio.run(knocked(account, where, body, nothing))


@pytest.mark.parametrize("kind", ["stk_callback", "c2b_confirmation"])
@pytest.mark.parametrize("account", MONEY)
@any_number
@given(data=st.data())
def test_what_was_stored_is_decided_about_twice_with_one_outcome(
    account: str, kind: str, data: st.DataObject
) -> None:
    called = kind == "stk_callback"
    body = data.draw(messages(CALLED[0] if called else MONEY[account]))

    async def settle_twice() -> None:
        visit = await Visit.begun(account)
        (prompt,) = visit.story.mpesa.prompts
        said = body.replace(CODE.encode(), prompt.reference.encode())
        text = said.decode("utf-8", errors="replace")
        payment = await visit.story.books.payments.find(
            "callbackHash", ids.fingerprint(prompt.token)
        )
        assert payment is not None
        await visit.story.hooked(kind, text, payment.id if called else None)
        await visit.tidy()
        before = [visit.rows(name) for name in ("payments", "vouchers")]
        (webhook,) = await visit.story.books.webhooks.page("source", kind, 2)
        await visit.story.inbox.settle(webhook)
        await visit.tidy()
        assert [visit.rows(name) for name in ("payments", "vouchers")] == before
        judge = a_success if called else some_money
        visit.check(said, may_open=judge(text, visit.story))

    asyncio.run(settle_twice())


@pytest.mark.parametrize("which", [0, 1])
async def test_a_recorded_success_opens_the_gate(which: int) -> None:
    where = "/hooks/{secret}/stk/{token}"
    visit = await knocked("paybill", where, written(CALLED[which]).encode(), a_success)
    assert [voucher["status"] for voucher in visit.rows("vouchers")] == ["paid"]


@pytest.mark.parametrize("account", MONEY)
async def test_a_recorded_confirmation_opens_the_gate(account: str) -> None:
    where = "/hooks/{secret}/c2b/confirmation"
    visit = await knocked(account, where, written(MONEY[account]).encode(), some_money)
    assert [voucher["status"] for voucher in visit.rows("vouchers")] == ["paid"]


@pytest.mark.parametrize(("size", "status"), [(LARGEST_BODY, 200), (LARGEST_BODY + 1, 413)])
async def test_the_largest_body_is_sixty_four_kibibytes(size: int, status: int) -> None:
    visit = await Visit.begun("paybill")
    found, _ = await visit.post(f"/hooks/{SECRET}/c2b/confirmation", b"x" * size)
    assert found == status
    assert len(visit.rows("webhook_logs")) == (status == 200)


@pytest.mark.parametrize(
    "where",
    [
        *("/hooks/0/stk/{token}", "/hooks/{secret}/stk/0", "/hooks"),
        "/hooks/{secret}/status/{token}/result",
        "/hooks/{secret}/status/{forged}/result",
        "/hooks/{secret}/status/{forged}/timeout",
        "/hooks/0/status/{question}/result",
        "/hooks/{secret}/status/{question}/results",
    ],
)
async def test_what_is_not_an_address_of_ours_is_not_found(where: str) -> None:
    visit = await Visit.begun("paybill")
    token = visit.story.mpesa.prompts[0].token
    said = written(CALLED[0]).encode()
    question, forged = (ids.signed(key, f"174379 {RECEIPT}") for key in (SECRET, "deadbeef"))
    address = where.format(secret=SECRET, token=token, question=question, forged=forged)
    status, _ = await visit.post(address, said)
    assert status == 404
    assert {kept["source"] for kept in visit.rows("webhook_logs")} <= {"refused"}
