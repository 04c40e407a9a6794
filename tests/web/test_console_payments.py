"""The operator looks at the money and decides about it."""

import csv
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import FormData

from appliance.domain.payments import GIVEN_AND_REVERSED, PERHAPS_KNOWN, Payment, State
from appliance.flows.audit import Audit
from appliance.flows.background import Archive
from appliance.flows.reconcile import Reconcile
from appliance.sheets.rows import cell
from appliance.web.console.payment_story import PaymentStory
from appliance.web.console.payments import PaymentsChapter
from appliance.web.console.reconciliation import Reconciliation
from tests.contract.test_store import voucher
from tests.flows.test_reversal import with_right
from tests.story import PHONES, Story
from tests.web.desk import Desk, desk, reports_of

HEAD = "Receipt No.,Completion Time,Transaction Status,Paid In,Other Party Info,A/C No.\n"


def chapter(told: Story) -> PaymentsChapter:
    kept = told.books
    audit = Audit(entries=kept.audit, clock=told.clock, box=told.router_id)
    archive = Archive(payments=kept.payments, vouchers=kept.vouchers, audit=audit)
    reports = reports_of(kept, told.clock)
    reconcile = Reconcile(
        payments=kept.payments,
        paybills=kept.paybills,
        cashier=told.checkout.cashier,
        gateway=told.mpesa,
        matching=told.matching,
        clock=told.clock,
    )
    return PaymentsChapter(
        payments=kept.payments,
        plans=kept.plans,
        archive=archive,
        story=PaymentStory(
            reports=reports,
            archive=archive,
            plans=kept.plans,
            resolve=told.person,
            reversal=told.reversal,
        ),
        reconciliation=Reconciliation(
            payments=kept.payments,
            paybills=kept.paybills,
            reports=reports,
            reconcile=reconcile,
        ),
    )


@asynccontextmanager
async def seated(account: str = "paybill") -> AsyncIterator[tuple[Story, Desk]]:
    """Yield a box with its operator signed in."""
    told = Story(account)
    await told.open()
    async with desk(chapter(told), clock=told.clock) as here:
        await here.sign_in()
        here.record.clear()
        yield told, here


async def sale(told: Story, who: int = 0, result: int = 0, more: int = 0) -> Payment:
    """Return a purchase of an hour as its callback left it."""
    await told.order(who, "hour", "heard")
    payment = await told.books.payments.find("openPhone", PHONES[who])
    assert payment is not None
    await told.decide(0, result, more)
    await told.callback(len(told.mpesa.prompts) - 1)
    await told.work()
    return await latest(told, payment.id)


async def stray(told: Story, amount: int = 7, account: str = "MAMA MBOGA") -> Payment:
    """Return money that nobody asked for."""
    await told.by_hand(1, amount, account)
    await told.confirmation(len(told.mpesa.money) - 1, "whole")
    await told.work()
    (payment, *_) = await told.books.payments.page("status", State.UNMATCHED.value, 1)
    return payment


async def latest(told: Story, payment_id: str) -> Payment:
    found = await told.books.payments.get(payment_id)
    assert found is not None
    return found


async def test_who_is_not_signed_in_sees_no_money_and_moves_none() -> None:
    told = Story("paybill")
    await told.open()
    payment = await stray(told)
    async with desk(chapter(told), clock=told.clock) as here:
        for path in ("/payments", f"/payments/{payment.id}", "/payments/reconciliation"):
            assert (await here.client.get(path, allow_redirects=False)).status == 303
        for path in (f"/payments/{payment.id}/refunded", "/payments/reconciliation/enter"):
            assert (await here.client.post(path, data={"note": "x"})).status == 401
    assert await latest(told, payment.id) == payment


async def test_lists_show_the_newest_first_by_state_and_what_waits_with_its_count() -> None:
    async with seated() as (told, here):
        assert "No payments yet" in await here.see("/payments")
        assert "Nothing waits for you" in await here.see("/payments?view=waiting")
        paid = await sale(told)
        await told.wait(5)
        cancelled = await sale(told, 1, result=1032)
        await told.wait(5)
        lost = await stray(told)
        everything = await here.see("/payments")
        places = [everything.index(f"/payments/{p.id}") for p in (lost, cancelled, paid)]
        assert places == sorted(places)
        assert '<span class="badge warn">1</span>' in everything
        waiting = await here.see("/payments?view=waiting")
        assert lost.id in waiting
        assert paid.id not in waiting
        assert cancelled.id in await here.see("/payments?view=unpaid")
        answer = await here.client.get("/payments?view=secret")
        assert answer.status == 404
        assert (await here.client.get("/payments?before=x")).status == 400


async def test_a_long_list_goes_on_where_its_page_ended() -> None:
    async with seated() as (told, here):
        first = await stray(told)
        for number in range(60):
            more = replace(first, id=f"{number:024x}", receipt=f"UKX{number:07}", token=str(number))
            await told.books.payments.insert(more)
        page = await here.see("/payments?view=waiting")
        assert "61" in page
        older = page.split('<a href="/payments?view=waiting&amp;before=')[1].split('"')[0]
        rest = await here.see(f"/payments?view=waiting&before={older}")
        both = page.count('data-label="When"') + rest.count('data-label="When"')
        assert both == 61


async def test_a_payment_is_found_by_receipt_code_and_phone_and_no_address_names_a_phone() -> None:
    async with seated() as (told, here):
        payment = await sale(told)
        assert payment.receipt is not None
        code = payment.voucher_code
        for text in (payment.receipt.lower(), f" {code[:5]}-{code[5:]}"):
            answer = await here.press("/payments/find", text=text)
            assert answer.headers["Location"] == f"/payments/{payment.id}"
        answer = await here.press("/payments/find", text=f"0{PHONES[0][3:]}")
        assert answer.headers["Location"] == f"/payments/of/{payment.id}"
        assert f"Payments of 0{PHONES[0][3:]}" in await here.see(answer.headers["Location"])
        missed = await here.press("/payments/find", text="<b>nobody</b>")
        assert missed.status == 200
        assert "<b>nobody" not in await missed.text()
        assert (await here.client.get("/payments/of/nothing")).status == 404


async def test_a_payments_page_tells_its_whole_story() -> None:
    async with seated() as (told, here):
        payment = await sale(told)
        page = await here.see(f"/payments/{payment.id}")
        steps = (
            "A customer asked to pay",
            "M-Pesa took the push",
            "M-Pesa told how the prompt ended",
            "The money is proved",
            f"Voucher {payment.voucher_code} is paid",
            "Online, let in through",
        )
        places = [page.index(step) for step in steps]
        assert len(set(places)) == len(steps)
        for word in (payment.receipt, payment.checkout_request_id, "stkCallback", "completed"):
            assert str(word) in page
        assert "What should become of this money?" not in page
        assert (await here.client.get("/payments/nothing")).status == 404


async def test_the_page_says_what_is_owed_and_why_it_is_late() -> None:
    async with seated() as (told, here):
        paid = await sale(told)
        await told.order(1, "hour", "heard")
        (payment,) = await told.books.payments.page("status", State.PENDING.value, 1)
        assert "M-Pesa is to be asked how it ended" in await here.see(f"/payments/{payment.id}")
        voucher = await told.books.vouchers.get(paid.voucher_id)
        assert voucher is not None
        now = told.clock.now()
        late = replace(voucher.revoked(now), granted_by="ssh")
        late = late.put_off(late.owed.lease_until if late.owed else None, now, "router_away")
        await told.books.vouchers.change(voucher, late)
        page = await here.see(f"/payments/{paid.id}")
        assert "The last try failed: the router did not answer" in page
        assert "SSH" in page


async def test_what_a_stranger_sent_is_shown_and_never_runs() -> None:
    async with seated() as (told, here):
        payment = await stray(told, account="<script>x</script>")
        page = await here.see(f"/payments/{payment.id}")
        assert "<script>x" not in page
        assert "&lt;script&gt;x" in page
        assert "M-Pesa told that money came in" in page
        assert "<script>x" not in await here.see("/payments")


async def test_money_gets_a_voucher_of_a_plan_and_that_is_written_down_before() -> None:
    async with seated() as (told, here):
        payment = await stray(told)
        assert "giving a voucher is the credit" in await here.see(f"/payments/{payment.id}")
        answer = await here.press(f"/payments/{payment.id}/plan", plan="hour")
        assert answer.headers["Location"] == f"/payments/{payment.id}?said=done"
        after = await latest(told, payment.id)
        assert (after.state, after.plan_id) == (State.PAID, "hour")
        detail = {"plan": "hour", "again": False}
        assert here.record == [("owner at 127.0.0.1", "gave a plan for money", payment.id, detail)]
        again = await here.press(f"/payments/{payment.id}/plan", plan="hour")
        assert again.status == 400
        assert len(here.record) == 1
        assert (await here.press("/payments/nothing/plan", plan="hour")).status == 404


async def test_money_that_may_be_known_already_gives_time_only_to_who_says_so() -> None:
    async with seated("till") as (told, here):
        payment = await stray(told)
        await told.books.payments.change(payment, replace(payment, reason=PERHAPS_KNOWN))
        assert "would give it twice" in await here.see(f"/payments/{payment.id}")
        refused = await here.press(f"/payments/{payment.id}/plan", plan="hour")
        assert refused.status == 400
        assert "“anyway”" in await refused.text()
        assert here.record == []
        answer = await here.press(f"/payments/{payment.id}/plan", plan="hour", again="yes")
        assert answer.status == 303
        assert (await latest(told, payment.id)).state is State.PAID


async def test_an_underpaid_voucher_is_paid_and_money_given_back_is_noted() -> None:
    async with seated() as (told, here):
        short = await sale(told, more=-3)
        assert short.state is State.DISPUTED
        await here.press(f"/payments/{short.id}/voucher", code=short.voucher_code)
        assert (await latest(told, short.id)).state is State.PAID
        lost = await stray(told)
        empty = await here.press(f"/payments/{lost.id}/refunded", note="  ")
        assert empty.status == 400
        await here.press(f"/payments/{lost.id}/refunded", note="sent to 0712345678")
        after = await latest(told, lost.id)
        assert (after.state, after.reason) == (State.REFUNDED, "sent to 0712345678")
        assert here.record[-1][1:] == ("recorded money as given back", lost.id, {})


async def test_an_export_is_a_table_without_formulas_and_is_written_down() -> None:
    async with seated() as (told, here):
        await sale(told)
        await stray(told, account="=1+1")
        today = f"{told.clock.now():%Y-%m-%d}"
        answer = await here.press("/payments/export", first=today, last=today)
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
        assert {row["state"] for row in rows} == {"paid", "unmatched"}
        assert {row["account or voucher"] for row in rows} > {"'=1+1"}
        assert here.record[-1][1:3] == ("exported payments", f"{today} to {today}")
        wrong = await here.press("/payments/export", first=today, last="1999-01-01")
        assert wrong.status == 400


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1"])
def test_no_cell_begins_a_formula(text: str) -> None:
    assert cell(text) == f"'{text}"
    assert cell(None) == ""
    assert cell(10) == 10


async def upload(here: Desk, text: str, paybill: str = "174379") -> str:
    form = FormData()
    form.add_field("csrf", await here.csrf())
    form.add_field("paybill", paybill)
    form.add_field("statement", text.encode(), filename="s.csv", content_type="text/csv")
    answer = await here.client.post("/payments/reconciliation/statement", data=form)
    return await answer.text()


async def test_a_statement_names_what_is_missing_and_the_operator_enters_it() -> None:
    async with seated() as (told, here):
        payment = await sale(told)
        at = f"{told.clock.now() + timedelta(hours=3):%Y-%m-%d %H:%M:%S}"
        rows = [
            f"{payment.receipt},{at},Completed,10.00,2547***001,{payment.voucher_code}",
            f"UKNMISSED1,{at},Completed,7.00,2547***001 - <b>J</b>,<b>MBOGA</b>",
        ]
        page = await upload(here, HEAD + "\n".join(rows))
        assert "The books differ" in page
        assert f'/payments/{payment.id}"' in page
        assert "<b>" not in page
        assert "KSh\N{NO-BREAK SPACE}17 (2)" in page
        assert here.record == []
        line = {
            "paybill": "174379",
            "receipt": "UKNMISSED1",
            "amount": "7.00",
            "at": told.clock.now().isoformat(),
            "account": "MBOGA",
        }
        await here.press("/payments/reconciliation/enter", **line)
        answer = await here.press("/payments/reconciliation/enter", **line)  # pressed twice
        entered = await told.books.payments.find("mpesaReceiptNumber", "UKNMISSED1")
        assert entered is not None
        assert (entered.state, entered.amount) == (State.UNMATCHED, 7)
        assert answer.headers["Location"] == f"/payments/{entered.id}?said=done"
        assert here.record[0][1:3] == ("entered a payment by hand", "UKNMISSED1")
        assert "Both books tell the same" in await upload(here, HEAD + "\n".join(rows))


async def test_a_missing_payment_of_ours_pays_its_purchase() -> None:
    async with seated() as (told, here):
        await told.order(0, "hour", "heard")
        (payment,) = await told.books.payments.page(None, None, 1)
        line = {
            "paybill": "174379",
            "receipt": "UKNMISSED2",
            "amount": "10",
            "at": told.clock.now().isoformat(),
            "account": payment.voucher_code,
        }
        answer = await here.press("/payments/reconciliation/enter", **line)
        assert answer.headers["Location"] == f"/payments/{payment.id}?said=done"
        assert (await latest(told, payment.id)).state is State.PAID


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "NaN"},
        {"amount": "-5"},
        {"amount": "1e99"},
        {"at": "yesterday"},
        {"at": "2026-11-23T10:00:00"},
        {"receipt": "<script>"},
        {"receipt": ""},
        {"paybill": "999999"},
    ],
)
async def test_a_line_that_nobody_could_mean_enters_nothing(wrong: dict[str, str]) -> None:
    async with seated() as (told, here):
        line = {
            "paybill": "174379",
            "receipt": "UKNMISSED3",
            "amount": "10",
            "at": told.clock.now().isoformat(),
        }
        answer = await here.press("/payments/reconciliation/enter", **(line | wrong))
        assert answer.status == 400
        assert told.payments() == []
        assert here.record == []


async def test_what_is_no_statement_is_refused_in_words() -> None:
    async with seated() as (_, here):
        assert "not an M-Pesa statement" in await upload(here, "a,b\n1,2\n")
        assert "Choose one of your paybills" in await upload(here, HEAD, "999999")
        assert "No payment came in" in await upload(here, HEAD)


async def test_safaricom_is_asked_and_its_list_settled_where_the_account_has_the_right() -> None:
    async with seated() as (told, here):
        assert "has the right" in await here.see("/payments/reconciliation")
        assert (await here.press("/payments/reconciliation/sweep")).status == 400
        paybill = await told.books.paybills.get("p")
        assert paybill is not None
        config = replace(paybill.config, pull=True)
        await told.books.paybills.change(paybill, replace(paybill, config=config))
        await told.by_hand(1, 33, "NOBODY")
        (receipt,) = told.mpesa.money
        answer = await here.press("/payments/reconciliation/pull", paybill="174379")
        assert receipt in await answer.text()
        assert told.payments() == []
        assert (await here.press("/payments/reconciliation/sweep")).status == 303
        assert [p["mpesaReceiptNumber"] for p in told.payments()] == [receipt]
        assert "KSh\N{NO-BREAK SPACE}33" in await here.see("/payments/reconciliation")


async def test_a_message_that_names_a_purchase_is_in_its_story_even_as_a_hint() -> None:
    async with seated() as (told, here):
        await told.order(0, "hour", "heard")
        (payment,) = await told.books.payments.page(None, None, 1)
        said = {"CheckoutRequestID": told.mpesa.prompts[0].checkout, "ResultCode": 0}
        body = json.dumps({"Body": {"stkCallback": said}})
        await told.hooked("stk_callback", body, None, proved=False)
        await told.work()
        assert "not proved" in await here.see(f"/payments/{payment.id}")


async def test_money_goes_back_through_mpesa_where_the_account_may_and_only_for_sure() -> None:
    async with seated() as (told, here):
        lost = await stray(told)
        assert "Give it back through M-Pesa" not in await here.see(f"/payments/{lost.id}")
        paybill = await told.books.paybills.get("p")
        assert paybill is not None
        await told.books.paybills.change(paybill, with_right(paybill))
        assert "Give it back through M-Pesa" in await here.see(f"/payments/{lost.id}")
        assert (await here.press(f"/payments/{lost.id}/reverse")).status == 400
        assert (told.mpesa.reversals, here.record) == ([], [])
        answer = await here.press(f"/payments/{lost.id}/reverse", sure="yes")
        assert answer.headers["Location"] == f"/payments/{lost.id}?said=asked"
        assert here.record[0][1:] == ("ordered money back", lost.id, {"again": False})
        assert len(told.mpesa.reversals) == 1
        page = await here.see(f"/payments/{lost.id}")
        assert "Is the money back?" in page
        assert "Give a new voucher" not in page
        await here.press(f"/payments/{lost.id}/reverse", sure="yes")
        assert len(told.mpesa.reversals) == 1
        early = await here.press(f"/payments/{lost.id}/stayed")
        assert "wait an hour" in await early.text()
        await here.press(f"/payments/{lost.id}/went-back", note="reversal UKN9")
        assert (await latest(told, lost.id)).state is State.REFUNDED


async def reversible(told: Story) -> Payment:
    """Return money that nobody asked for, to an account that may give it back."""
    lost = await stray(told)
    paybill = await told.books.paybills.get("p")
    assert paybill is not None
    await told.books.paybills.change(paybill, with_right(paybill))
    return lost


async def test_an_order_that_came_to_nothing_is_said_and_written_down() -> None:
    async with seated() as (told, here):
        lost = await reversible(told)
        told.mpesa.away = True
        answer = await here.press(f"/payments/{lost.id}/reverse", sure="yes")
        assert answer.headers["Location"] == f"/payments/{lost.id}?said=not-ordered"
        page = await here.see(f"/payments/{lost.id}?said=not-ordered")
        assert "Nothing is on its way back" in page
        assert "could not be reached to give it back" in page
        did = {"did": "ordered money back", "why": "reversal_unsent"}
        assert here.record[-1][2:] == (lost.id, did)


async def test_a_failed_order_hides_from_nobody_that_its_buyer_may_have_the_time() -> None:
    async with seated() as (told, here):
        lost = await reversible(told)
        await told.order(0, "hour", "heard")
        bought = await told.books.payments.find("openPhone", PHONES[0])
        assert bought is not None
        kept = replace(lost, reason="reversal_refused", voucher_code=bought.voucher_code)
        await told.books.payments.change(lost, kept)
        page = await here.see(f"/payments/{lost.id}")
        for way in ("Give it anyway", "Pay it anyway", "Give it back anyway"):
            assert way in page
        free = await told.books.vouchers.insert(replace(voucher("AAA3AAA3AA"), payment_id=None))
        for way, form in (
            ("plan", {"plan": "hour"}),
            ("voucher", {"code": free.code}),
            ("reverse", {"sure": "yes"}),
        ):
            assert (await here.press(f"/payments/{lost.id}/{way}", **form)).status == 400
        assert (await latest(told, lost.id)).state is State.UNMATCHED
        assert told.mpesa.reversals == []
        await here.press(f"/payments/{lost.id}/voucher", code=free.code, again="yes")
        assert (await latest(told, lost.id)).state is State.PAID


async def test_money_that_went_back_after_it_was_given_needs_a_person_until_one_has_seen_it() -> (
    None
):
    async with seated() as (told, here):
        paid = await sale(told)
        await told.books.payments.change(paid, replace(paid, reason=GIVEN_AND_REVERSED))
        assert paid.id in await here.see("/payments?view=waiting")
        assert "went back, and was given" in await here.see(f"/payments/{paid.id}")
        await here.press(f"/payments/{paid.id}/seen")
        assert paid.id not in await here.see("/payments?view=waiting")
        assert "you have seen that" in await here.see(f"/payments/{paid.id}")
