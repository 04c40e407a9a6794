"""Every way to forge a message of Safaricom's: nobody is let in, and the operator can see it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from appliance.domain import debts, ids
from appliance.domain.errors import Invalid
from appliance.domain.records import WebhookLog
from appliance.flows.inbox import C2B_CONFIRMATION
from appliance.flows.intake import Intake
from appliance.flows.replay import Replay
from appliance.web.callers import SAFARICOM, Callers
from appliance.web.webhooks import WebhooksDoor, build_webhooks
from tests.story import Story

SECRET, OLD, NEVER = "feedface" * 4, "0ddba11" * 5, "deadbeef" * 4
REAL, STRANGER, TUNNEL = "196.201.212.69", "41.90.4.1", "127.0.0.1"
HEADER = "X-Real-Ip"


class Forgery:
    """A box with one purchase of KSh 10 under way, and somebody at its door."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.callers = Callers(previous=(OLD,), header=HEADER)
        self.handed: list[WebhookLog] = []
        self._client: TestClient[web.Request, web.Application] | None = None

    @property
    def token(self) -> str:
        return self.story.mpesa.prompts[0].token

    async def post(self, path: str, body: object, address: str = TUNNEL) -> int:
        """Call, let the box work, and return the status."""
        client = await self._opened()
        async with client.post(path, json=body, headers={HEADER: address}) as answer:
            status = answer.status
        while self.handed:
            await self.story.inbox.settle(self.handed.pop())
        await self.story.work()
        return status

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def _opened(self) -> "TestClient[web.Request, web.Application]":
        if self._client is None:
            door = WebhooksDoor(
                intake=Intake(
                    payments=self.story.books.payments,
                    webhooks=self.story.books.webhooks,
                    hand_over=self.handed.append,
                    clock=self.story.clock,
                ),
                webhooks=self.story.books.webhooks,
                clock=self.story.clock,
                expecting=self.story.inbox.expecting,
                path_secret=SECRET,
                callers=self.callers,
                seed_paths=True,
            )
            self._client = TestClient(TestServer(build_webhooks(door)))
            await self._client.start_server()
        return self._client

    def kept(self) -> list[tuple[str, str]]:
        """Return source and decision of every call that was written down."""
        logs = self.story.store.collections["webhook_logs"].values()
        return [(log["source"], log["status"]) for log in logs]

    def is_in(self) -> bool:
        return bool(self.story.router.online)

    def states(self) -> list[str]:
        return [payment["status"] for payment in self.story.payments()]


@pytest.fixture
async def forgery() -> AsyncIterator[Forgery]:
    story = Story("paybill")
    await story.open()
    await story.order(0, "hour", "heard")
    made = Forgery(story)
    yield made
    await made.close()


def success(receipt: str = "UKN0000001", amount: int = 10, name: str = "ws_CO_0") -> dict[str, Any]:
    items = [{"Name": "Amount", "Value": amount}, {"Name": "MpesaReceiptNumber", "Value": receipt}]
    said = {"MerchantRequestID": "m", "CheckoutRequestID": name, "ResultCode": 0, "ResultDesc": "x"}
    return {"Body": {"stkCallback": said | {"CallbackMetadata": {"Item": items}}}}


def confirmation(story: Story, reference: str | None = None, amount: str = "10.00") -> object:
    return {
        "TransID": "UKN0000001",
        "TransAmount": amount,
        "BusinessShortCode": story.mpesa.short_code,
        "BillRefNumber": story.mpesa.prompts[0].reference if reference is None else reference,
        "MSISDN": "254712345001",
    }


async def test_the_real_callback_lets_in(forgery: Forgery) -> None:
    assert await forgery.post(f"/hooks/{SECRET}/stk/{forgery.token}", success(), REAL) == 200
    assert forgery.is_in()


@pytest.mark.parametrize("secret", ["0", NEVER, SECRET[:-1], SECRET.upper(), "%00", "é"])
async def test_a_callback_without_the_secret_opens_nothing(forgery: Forgery, secret: str) -> None:
    assert await forgery.post(f"/hooks/{secret}/stk/{forgery.token}", success(), REAL) == 404
    assert forgery.kept() == [("refused", "wrong_secret")]
    assert not forgery.is_in()


async def test_what_was_turned_away_is_never_believed_however_often_it_is_read(
    forgery: Forgery,
) -> None:
    assert await forgery.post(f"/hooks/guess/stk/{forgery.token}", success(), REAL) == 404
    kept = forgery.story.books.webhooks
    (call,) = await kept.page(None, None, 9)
    assert not call.proved
    replay = Replay(webhooks=kept, clock=forgery.story.clock)
    with pytest.raises(Invalid, match="turned away"):
        await replay.call(call.id)
    owed = debts.owing(debts.Kind.SETTLE, forgery.story.clock.now())
    owing = await kept.change(call, replace(call, owed=owed, proved=True))  # as of a version before
    await forgery.story.inbox.settle(owing)
    assert forgery.states() == ["pending"]
    assert not forgery.is_in()


async def test_a_token_that_is_no_payments_opens_nothing(forgery: Forgery) -> None:
    assert await forgery.post(f"/hooks/{SECRET}/stk/{ids.new_token()}", success(), REAL) == 404
    assert forgery.kept() == [("refused", "unknown_token")]
    assert not forgery.is_in()


async def test_another_payments_token_opens_neither(forgery: Forgery) -> None:
    await forgery.story.order(1, "hour", "heard")
    other = forgery.story.mpesa.prompts[1].token
    assert await forgery.post(f"/hooks/{SECRET}/stk/{other}", success(name="ws_CO_0")) == 200
    assert forgery.kept() == [("mpesa_stk_callback", "mismatch")]
    assert forgery.states() == ["pending", "pending"]
    assert not forgery.is_in()


async def test_the_right_token_with_a_wrong_amount_waits_for_a_person(forgery: Forgery) -> None:
    await forgery.post(f"/hooks/{SECRET}/stk/{forgery.token}", success(amount=1))
    assert forgery.kept() == [("mpesa_stk_callback", "disputed")]
    assert not forgery.is_in()


async def test_a_success_from_a_strangers_address_only_makes_us_ask(forgery: Forgery) -> None:
    await forgery.story.wait(30)
    before = forgery.story.mpesa.queries
    path = f"/hooks/{SECRET}/stk/{forgery.token}"
    assert await forgery.post(path, success(), STRANGER) == 200
    assert forgery.kept() == [("mpesa_stk_callback", "asked")]
    assert forgery.story.mpesa.queries > before
    assert not forgery.is_in()


async def test_where_the_list_is_enforced_a_stranger_is_forbidden(forgery: Forgery) -> None:
    forgery.callers = replace(forgery.callers, enforce=True)
    path = f"/hooks/{SECRET}/stk/{forgery.token}"
    for address in (STRANGER, TUNNEL, "nonsense", f"{REAL}, {STRANGER}"):
        assert await forgery.post(path, success(), address) == 403
    assert set(forgery.kept()) == {("refused", "not_safaricom")}
    assert await forgery.post("/api/webhooks/mpesa/callback", success(), STRANGER) == 403
    assert not forgery.is_in()
    assert await forgery.post(path, success(), f"{STRANGER}, {REAL}") == 200
    assert forgery.is_in()


async def test_a_replay_after_a_refund_opens_nothing(forgery: Forgery) -> None:
    path = f"/hooks/{SECRET}/stk/{forgery.token}"
    await forgery.post(path, success(amount=1))
    (payment,) = await forgery.story.books.payments.page("status", "disputed", 2)
    await forgery.story.person.as_refunded(payment.id, "by hand")
    for amount in (1, 10):
        assert await forgery.post(path, success(amount=amount)) == 200
    assert forgery.states() == ["refunded"]
    assert not forgery.is_in()


async def test_a_made_up_receipt_without_the_secret_opens_nothing(forgery: Forgery) -> None:
    made_up = confirmation(forgery.story)
    assert await forgery.post(f"/hooks/{NEVER}/c2b/confirmation", made_up) == 404
    assert await forgery.post("/api/webhooks/mpesa", made_up) == 200
    assert forgery.kept()[0] == ("refused", "wrong_secret")
    assert forgery.states() == ["pending"]
    assert not forgery.is_in()


@pytest.mark.parametrize(
    ("secret", "address"), [(SECRET, STRANGER), (OLD, STRANGER), (OLD, TUNNEL)]
)
async def test_a_made_up_receipt_from_who_knows_the_secret_opens_nothing(
    forgery: Forgery, secret: str, address: str
) -> None:
    path = f"/hooks/{secret}/c2b/confirmation"
    assert await forgery.post(path, confirmation(forgery.story), address) == 200
    assert sorted(forgery.states()) == ["pending", "unmatched"]
    assert forgery.kept() == [("mpesa_confirmation", "unmatched")]
    assert await forgery.post(path, confirmation(forgery.story), address) == 200
    assert sorted(forgery.states()) == ["pending", "unmatched"]
    assert not forgery.is_in()


@pytest.mark.parametrize("boundary", range(3))
async def test_money_in_doubt_is_kept_wherever_the_process_dies(
    forgery: Forgery, boundary: int
) -> None:
    class Died(Exception):
        pass

    left = boundary

    async def dying() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Died
        forgery.story.store.ambush = dying

    forgery.story.store.ambush = dying
    body = json.dumps(confirmation(forgery.story, "SHOES"))
    with suppress(Died):
        await forgery.story.hooked(C2B_CONFIRMATION, body, None, proved=False, doubted=True)
        await forgery.story.work()
    await forgery.story.crash()
    forgery.story.store.ambush = None
    await forgery.story.wait(3600)
    for _ in range(2):
        await forgery.story.work()
    (unmatched,) = [p for p in forgery.story.payments() if p["status"] == "unmatched"]
    assert unmatched["mpesaReceiptNumber"] == "UKN0000001"
    assert [status for _, status in forgery.kept()] in (["unmatched"], ["already_known"])


async def test_money_in_doubt_that_a_query_proves_lets_in_and_troubles_nobody(
    forgery: Forgery,
) -> None:
    await forgery.story.decide(0, 0)
    await forgery.story.wait(30)
    path = f"/hooks/{SECRET}/c2b/confirmation"
    assert await forgery.post(path, confirmation(forgery.story), STRANGER) == 200
    assert forgery.kept() == [("mpesa_confirmation", "asked")]
    assert forgery.states() == ["paid"]
    assert forgery.is_in()


async def test_an_answer_about_a_receipt_from_a_stranger_is_not_heard(forgery: Forgery) -> None:
    token = ids.signed(SECRET, f"{forgery.story.mpesa.short_code} UKN0000001")
    path = f"/hooks/{SECRET}/status/{token}/result"
    assert await forgery.post(path, {}, STRANGER) == 404
    assert forgery.kept() == [("refused", "unknown_token")]


async def test_after_a_change_of_the_secret_an_answer_to_what_was_asked_before_is_heard(
    forgery: Forgery,
) -> None:
    token = ids.signed(OLD, f"{forgery.story.mpesa.short_code} UKN0000001")
    assert await forgery.post(f"/hooks/{OLD}/status/{token}/result", {}, REAL) == 200
    assert await forgery.post(f"/hooks/{SECRET}/status/{token}/result", {}, REAL) == 404


async def test_after_a_change_of_the_secret_what_was_under_way_still_comes_in(
    forgery: Forgery,
) -> None:
    assert await forgery.post(f"/hooks/{OLD}/stk/{forgery.token}", success()) == 200
    assert forgery.is_in()


async def test_after_a_change_money_told_of_at_the_old_address_by_safaricom_counts(
    forgery: Forgery,
) -> None:
    path = f"/hooks/{OLD}/c2b/confirmation"
    assert await forgery.post(path, confirmation(forgery.story), REAL) == 200
    assert forgery.is_in()


async def test_money_kept_in_doubt_goes_to_its_purchase_when_the_proof_comes(
    forgery: Forgery,
) -> None:
    path = f"/hooks/{SECRET}/c2b/confirmation"
    await forgery.post(path, confirmation(forgery.story, "SHOES"), STRANGER)
    await forgery.post(f"/hooks/{SECRET}/stk/{forgery.token}", success())
    assert sorted(forgery.states()) == ["merged", "paid"]
    assert forgery.is_in()


async def paid_by_a_query(story: Story) -> str:
    """Have the purchase under way paid and proved without a receipt; return what it was."""
    await story.decide(0, 0)
    await story.wait(30)
    await story.work()
    (purchase,) = story.payments()
    assert purchase["status"] == "paid"
    assert "mpesaReceiptNumber" not in purchase
    return story.mpesa.prompts[0].receipt or ""


def of_receipt(story: Story, receipt: str) -> dict[str, Any]:
    body = confirmation(story)
    assert isinstance(body, dict)
    return body | {"TransID": receipt}


async def test_who_pays_twice_for_one_code_in_doubt_is_told_to_a_person(forgery: Forgery) -> None:
    story, path = forgery.story, f"/hooks/{SECRET}/c2b/confirmation"
    own = await paid_by_a_query(story)
    for receipt in (own, own, "UKN0000002", "UKN0000002", own):
        assert await forgery.post(path, of_receipt(story, receipt), STRANGER) == 200
    purchase, second = story.payments()
    assert (purchase["status"], purchase["doubtedReceipt"]) == ("paid", own)
    assert "mpesaReceiptNumber" not in purchase
    assert (second["status"], second["reason"]) == ("unmatched", "doubted")
    assert second["mpesaReceiptNumber"] == "UKN0000002"
    assert len(story.store.collections["vouchers"]) == 1
    await forgery.post(path, of_receipt(story, own), REAL)
    assert [p.get("mpesaReceiptNumber") for p in story.payments()] == [own, "UKN0000002"]


async def test_a_forged_receipt_on_a_paid_purchase_gives_way_to_the_proved_one(
    forgery: Forgery,
) -> None:
    story = forgery.story
    own = await paid_by_a_query(story)
    path = f"/hooks/{SECRET}/c2b/confirmation"
    await forgery.post(path, of_receipt(story, "FORGED0001"), STRANGER)
    assert len(story.payments()) == 1
    await forgery.post(f"/hooks/{SECRET}/stk/{forgery.token}", success(own))
    purchase, forged = story.payments()
    assert (purchase["status"], purchase["mpesaReceiptNumber"]) == ("paid", own)
    assert (forged["status"], forged["mpesaReceiptNumber"]) == ("unmatched", "FORGED0001")
    assert len(story.store.collections["vouchers"]) == 1
    before = len(story.payments())
    await forgery.post(path, of_receipt(story, "FORGED0001"), STRANGER)
    assert len(story.payments()) == before


class Died(Exception):
    """The process is gone."""


@pytest.mark.parametrize("boundary", range(6))
async def test_no_receipt_is_lost_wherever_the_process_dies_between_doubt_and_proof(
    forgery: Forgery, boundary: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, left = forgery.story, boundary
    own = await paid_by_a_query(story)
    first, second = (json.dumps(of_receipt(story, r)) for r in ("UKN0000009", own))
    await story.hooked(C2B_CONFIRMATION, first, None, proved=False, doubted=True)
    await story.work()

    def mortal(write: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def dying(*arguments: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Died
            await write(*arguments)

        return dying

    with suppress(Died), monkeypatch.context() as patched:
        patched.setattr(story.store, "insert", mortal(story.store.insert))
        patched.setattr(story.store, "change", mortal(story.store.change))
        await story.hooked(C2B_CONFIRMATION, second, None)
        await story.work()
    await story.crash()
    await story.wait(3600)
    if not boundary:  # it died before it was written down: Safaricom tells again
        await story.hooked(C2B_CONFIRMATION, second, None)
    for _ in range(2):
        await story.work()
    kept = {p["mpesaReceiptNumber"]: p["status"] for p in story.payments()}
    assert kept == {own: "paid", "UKN0000009": "unmatched"}


async def test_many_forgeries_are_a_few_short_lines(forgery: Forgery) -> None:
    for _ in range(15):
        assert await forgery.post(f"/hooks/{NEVER}/stk/{forgery.token}", "x" * 9_000) == 404
    logs = list(forgery.story.store.collections["webhook_logs"].values())
    assert len(logs) == 10
    assert all(len(log["rawBody"]) <= 4096 for log in logs)
    assert all(forgery.token not in json.dumps(log, default=str) for log in logs)


async def test_where_a_call_came_from_is_written_down(forgery: Forgery) -> None:
    path = f"/hooks/{SECRET}/stk/{forgery.token}"
    for address in (REAL, STRANGER, TUNNEL, "?"):
        await forgery.post(path, success(), address)
    logs = forgery.story.store.collections["webhook_logs"].values()
    assert [log.get("listed") for log in logs] == [True, False, None, None]


def test_safaricoms_list_holds_the_address_that_was_seen() -> None:
    assert len(set(SAFARICOM)) == 14
    assert {str(network).split(".")[2] for network in SAFARICOM} == {"212", "213", "214"}
    assert any(str(network.network_address) == REAL for network in SAFARICOM)
