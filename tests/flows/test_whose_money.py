"""Money that arrives goes to its own purchase, or to a person; never to a stranger's gate."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from appliance.domain.errors import Duplicate, GatewayUnavailable, Invalid, Unreadable
from appliance.domain.evidence import Received, Source
from appliance.domain.payments import UNDECIDED_FOR, Payment, State
from appliance.domain.vouchers import State as VoucherState
from appliance.flows.evolve import load
from appliance.flows.inbox import C2B_CONFIRMATION
from appliance.flows.lookup import UNTOLD
from appliance.flows.progress import Progress, Watch
from appliance.store.debts import Debts
from tests.contract.test_store import voucher
from tests.mpesa_truth import named
from tests.story import PHONES, Story


async def story(account: str = "till") -> Story:
    told = Story(account)
    await told.open()
    return told


async def bought(told: Story, who: int = 0, plan: str = "hour") -> Payment:
    await told.order(who, plan, "heard")
    found = await told.books.payments.find("openPhone", PHONES[who])
    assert found is not None
    return found


def money(told: Story, payer: str, amount: int = 10, receipt: str = "UKN7K2M9QX") -> Received:
    return Received(
        source=Source.PULL,
        receipt=receipt,
        amount=Decimal(amount),
        short_code=told.mpesa.short_code,
        msisdn=payer,
    )


async def seen(told: Story, purchase: Payment) -> Progress:
    watch = Watch(payments=told.books.payments, vouchers=told.books.vouchers, clock=told.clock)
    progress = await watch.look(purchase.token)
    assert progress is not None
    return progress


async def test_a_till_s_money_without_a_payer_opens_no_pending_purchase() -> None:
    told = await story()
    pending = await bought(told)
    decision, kept = await told.matching.arrived(money(told, ""))
    assert (decision, kept.state, kept.reason) == ("unmatched", State.UNMATCHED, "several_fit")
    assert (await load(told.books.payments, pending.id)).state is State.PENDING


async def test_without_a_payer_it_goes_to_the_one_paid_purchase_that_lacks_its_receipt() -> None:
    told = await story()
    purchase = await bought(told)
    await told.decide(0, 0)
    await told.settlement.ask(purchase)
    receipt = told.mpesa.prompts[0].receipt or ""
    decision, holder = await told.matching.arrived(money(told, "", receipt=receipt))
    assert (decision, holder.id, holder.receipt) == ("completed", purchase.id, receipt)


@pytest.mark.parametrize("how", ["whole", "local", "hashed", "masked"])
async def test_a_payer_is_known_in_every_form_and_no_second_voucher_is_sold(how: str) -> None:
    told = await story()
    purchase = await bought(told)
    decision, holder = await told.matching.arrived(money(told, named(PHONES[0], how)))
    assert (decision, holder.id, holder.state) == ("completed", purchase.id, State.PAID)
    assert len(told.store.collections["vouchers"]) == 1


async def test_an_old_receipt_finds_its_purchase_among_hundreds_that_have_theirs() -> None:
    told = await story()
    purchase = await bought(told)
    await told.decide(0, 0)
    await told.settlement.ask(purchase)
    for number in range(250):
        paid = replace(
            purchase,
            id=f"{number:024d}",
            callback_hash=f"h{number}",
            open_phone=None,
            state=State.PAID,
            receipt=f"OTHER{number:05d}",
            created_at=purchase.created_at + timedelta(seconds=number),
        )
        await told.books.payments.insert(paid)
    decision, holder = await told.matching.arrived(money(told, PHONES[0]))
    assert (decision, holder.id) == ("completed", purchase.id)


async def test_a_receipt_that_a_person_gave_away_is_not_taken_back_by_a_late_callback() -> None:
    told = await story("paybill")
    purchase = await bought(told)
    await told.decide(0, 0, 1)  # another amount: the confirmation waits for a person
    await told.confirmation(0, "hashed")
    waiting = await told.books.payments.find(
        "mpesaReceiptNumber", told.mpesa.prompts[0].receipt or ""
    )
    assert waiting is not None
    await told.ambush("resolve", 0, "plan", again=True)
    with pytest.raises(Duplicate):
        await told.matching.believe(
            purchase,
            money(told, "", 11, waiting.receipt or "").about(purchase.checkout_request_id),
        )
    given = await load(told.books.payments, waiting.id)
    assert (given.state, given.receipt) == (State.PAID, waiting.receipt)
    assert (await load(told.books.payments, purchase.id)).receipt is None


async def test_a_stale_errand_leaves_a_person_s_decision_alone() -> None:
    told = await story("paybill")
    purchase = await bought(told)
    voucher = await load(told.books.vouchers, purchase.voucher_id)
    await told.books.vouchers.change(voucher, replace(voucher, payment_id="another"))
    await told.decide(0, 0)
    await told.callback(0)
    assert (await load(told.books.payments, purchase.id)).state is State.UNMATCHED
    stale = list(told.errands)
    back = await told.person.as_refunded(purchase.id, "by hand")
    for errand in stale:
        await errand()
    await told.settlement.conclude(replace(purchase, state=State.PAID))
    after = await load(told.books.payments, purchase.id)
    assert (after.state, after.receipt) == (State.REFUNDED, back.receipt)
    pushed = await load(told.books.initiations, purchase.id)
    assert pushed.status == "completed"


async def test_hints_store_nothing_ask_once_in_a_while_and_use_up_no_late_question() -> None:
    told = await story("paybill")
    purchase = await bought(told)
    told.clock.pass_by(UNDECIDED_FOR)
    asked = []
    query = told.mpesa.query

    async def counted(payment: Payment) -> object:
        asked.append(payment.id)
        return await query(payment)

    told.mpesa.query = counted  # type: ignore[method-assign,assignment]
    for _ in range(5):
        await told.forgery(0, 10)
    after = await load(told.books.payments, purchase.id)
    assert asked == [purchase.id]
    assert (after.late_asks, after.owed, after.state) == (0, purchase.owed, State.PENDING)
    assert "FORGED0" not in json.dumps(told.payments(), default=str)
    told.clock.pass_by(timedelta(seconds=15))
    await told.decide(0, 0)
    await told.forgery(0, 10)
    assert (await load(told.books.payments, purchase.id)).state is State.PAID


async def test_a_phone_is_free_again_even_while_nobody_answers_about_it() -> None:
    told = await story()
    purchase = await bought(told)
    told.mpesa.away = True
    for wait, state in ((timedelta(seconds=30), State.PENDING), (UNDECIDED_FOR, State.UNKNOWN)):
        told.clock.pass_by(wait)
        with pytest.raises(GatewayUnavailable):
            await told.settlement.ask(await load(told.books.payments, purchase.id))
        assert (await load(told.books.payments, purchase.id)).state is state
    after = await load(told.books.payments, purchase.id)
    assert (after.open_phone, after.late_asks) == (None, 0)
    told.mpesa.away = False
    assert (await bought(told)).id != purchase.id


async def test_money_that_named_an_unreadable_document_waits_for_a_person() -> None:
    told = await story("paybill")
    purchase = await bought(told)
    told.store.collections["payments"][purchase.id]["amount"] = None
    told.store.collections["payments"][purchase.id]["status"] = "of another program"
    news = replace(money(told, PHONES[0]), reference=purchase.voucher_code)
    decision, kept = await told.matching.arrived(news)
    assert (decision, kept.reason) == ("unmatched", "unreadable")


async def test_a_confirmation_whose_receipt_an_unreadable_document_holds_is_parked_and_shown() -> (
    None
):
    told = await story("paybill")
    purchase = await bought(told)
    await told.decide(0, 0)
    await told.callback(0)
    await told.work()
    told.store.collections["payments"][purchase.id]["status"] = "of another program"
    with pytest.raises(Unreadable):
        await told.confirmation(0, "whole")
    for _ in range(2):
        told.clock.pass_by(timedelta(hours=1))
        await told.work()
    (debt,) = await Debts(told.store, "router").outstanding(told.clock.now())
    assert (debt.collection, debt.kind) == ("webhook_logs", "settle")
    assert debt.last_error == f"unreadable payments {purchase.id}"
    assert debt.parked_at is not None
    told.store.collections["payments"][purchase.id]["status"] = "paid"
    told.clock.pass_by(timedelta(hours=1))
    await told.work()
    await told.work()  # the books come after the gates
    assert await Debts(told.store, "router").outstanding(told.clock.now()) == []


async def test_money_to_an_account_that_cannot_be_read_waits_for_a_person() -> None:
    told = await story("paybill")
    told.store.collections["paybills"]["p"]["paybillInfo"] = {"number": told.mpesa.short_code}
    decision, kept = await told.matching.arrived(money(told, PHONES[0]))
    assert (decision, kept.reason, kept.state) == ("unmatched", "unreadable", State.UNMATCHED)


async def test_what_gave_its_receipt_away_in_vain_has_it_back_when_the_news_comes_again() -> None:
    told = await story("paybill")
    news = replace(money(told, PHONES[0], 7), reference="SHOES")
    _, kept = await told.matching.arrived(news)
    await told.books.payments.change(kept, kept.merged())  # and then the power went
    decision, again = await told.matching.arrived(news)
    assert (decision, again.id, again.state) == ("unmatched", kept.id, State.UNMATCHED)
    assert again.receipt == news.receipt


async def test_half_a_shilling_is_kept_as_it_came() -> None:
    told = await story("paybill")
    news = replace(money(told, PHONES[0]), amount=Decimal("10.50"), reference="WIFI")
    decision, kept = await told.matching.arrived(news)
    assert (decision, kept.amount, kept.received) == ("unmatched", 10, "10.50")


@pytest.mark.parametrize(
    ("account", "amount", "reference", "against"),
    [
        ("till", 10, "", None),
        ("till", 3, "", None),
        ("paybill", 10, "WIFI", None),
        ("paybill", 11, "WIFI", "amount"),
        ("paybill", 10, "SHOES", "account"),
        ("paybill", 10, "CODE", None),
        ("paybill", 9, "CODE", "amount"),
    ],
)
async def test_validation_lets_in_what_a_sale_fits(
    account: str, amount: int, reference: str, against: str | None
) -> None:
    told = await story(account)
    purchase = await bought(told)
    word = purchase.voucher_code.lower() if reference == "CODE" else reference
    news = replace(money(told, "0" * 64, amount), reference=word)
    assert await told.inbox.validation.against(news) == against


async def test_an_account_is_known_by_its_store_and_by_what_was_registered_for_it() -> None:
    told = await story("till")
    paybill = await load(told.books.paybills, "p")
    config = replace(paybill.config, c2b_short_code="900900")
    await told.books.paybills.change(paybill, replace(paybill, config=config))
    for short_code, against in (("7208840", None), ("900900", None), ("111222", "shortcode")):
        news = replace(money(told, ""), short_code=short_code)
        assert await told.inbox.validation.against(news) == against


async def test_a_customer_s_page_follows_what_a_person_decided() -> None:
    told = await story("paybill")
    purchase = await bought(told)
    await told.decide(0, 0, -3)
    await told.callback(0)
    progress = await seen(told, purchase)
    assert (progress.state, progress.reason) == ("unknown", "wrong_amount")
    _, voucher = await told.person.with_plan(purchase.id, "hour")
    progress = await seen(told, purchase)
    assert (progress.state, progress.voucher.id) == ("paid", voucher.id)
    first = await load(told.books.vouchers, purchase.voucher_id)
    assert first.state is VoucherState.UNPAID


async def test_a_customer_s_page_tells_of_a_refund() -> None:
    told = await story("paybill")
    purchase = await bought(told)
    await told.decide(0, 0, -3)
    await told.callback(0)
    await told.person.as_refunded(purchase.id, "sent back at noon, see the book")
    progress = await seen(told, purchase)
    assert (progress.state, progress.reason) == ("failed", "refunded")


async def test_an_unproved_confirmation_is_stored_and_answered_and_opens_nothing() -> None:
    told = await story("paybill")
    body = {"TransID": "UKN7K2M9QX", "TransAmount": "10", "BusinessShortCode": "174379"}
    body |= {"BillRefNumber": "WIFI", "MSISDN": PHONES[0]}
    await told.hooked(C2B_CONFIRMATION, json.dumps(body), None, proved=False)
    await told.work()
    (stored,) = told.store.collections["webhook_logs"].values()
    assert stored["status"] == "unproved"
    assert told.payments() == []


async def test_a_paybill_s_money_without_an_account_buys_no_plan_by_its_price() -> None:
    told = await story("paybill")
    decision, kept = await told.matching.arrived(money(told, PHONES[0]))
    assert (decision, kept.reason) == ("unmatched", "unknown_account")
    told = await story("till")
    decision, kept = await told.matching.arrived(money(told, PHONES[0]))
    assert (decision, kept.state) == ("completed", State.PAID)


@pytest.mark.parametrize("doubted", [True, False])
async def test_money_that_two_paid_purchases_may_have_sent_gives_no_time_twice_unasked(
    *, doubted: bool
) -> None:
    told = await story()
    for who in (0, 1):
        purchase = await bought(told, who)
        await told.decide(0, 0)
        await told.settlement.ask(purchase)
    sold = len(told.store.collections["vouchers"])
    receipt = told.mpesa.prompts[0].receipt or ""
    news = money(told, "", receipt=receipt)
    await (told.matching.doubted(news) if doubted else told.matching.arrived(news))
    kept = await told.books.payments.find("mpesaReceiptNumber", receipt)
    assert kept is not None
    assert (kept.state, kept.reason) == (State.UNMATCHED, "perhaps_known")
    with pytest.raises(Invalid, match="--again"):
        await told.person.with_plan(kept.id, "hour")
    assert len(told.store.collections["vouchers"]) == sold
    given, _ = await told.person.with_plan(kept.id, "hour", again=True)
    assert given.state is State.PAID
    assert len(told.store.collections["vouchers"]) == sold + 1


async def untold(told: Story, how: str) -> str:
    """Return the receipt of a prompt that was paid, told of without saying whose it is."""
    purchase = await bought(told)
    if how == "by an answer that names no account":
        await bought(told, 1)
    await told.decide(0, 0, 3 if how == "of another amount" else 0)
    receipt = told.mpesa.prompts[0].receipt or ""
    news = replace(money(told, "", receipt=receipt), reference=purchase.voucher_code)
    match how:
        case "before the purchase is known as paid":
            await told.matching.arrived(money(told, "", receipt=receipt))
            await told.settlement.ask(purchase)
        case "while it is open":
            await told.matching.arrived(money(told, "", receipt=receipt))
        case "by an answer that names no account":
            await told.settlement.ask(purchase)
            await told.matching.arrived(replace(news, reference=UNTOLD))
        case "of another amount":
            await told.settlement.ask(purchase)
            await told.matching.arrived(replace(news, amount=Decimal(13)))
        case _:
            await told.settlement.ask(purchase)
            await told.matching.doubted(replace(news, receipt="FORGED0000"))
            await told.matching.doubted(news)
    return receipt


@pytest.mark.parametrize(
    ("account", "how"),
    [
        ("till", "before the purchase is known as paid"),
        ("till", "while it is open"),
        ("paybill", "by an answer that names no account"),
        ("paybill", "in doubt, after other news in doubt"),
        ("paybill", "of another amount"),
    ],
)
async def test_money_of_a_purchase_without_a_receipt_gives_no_time_twice_in_whatever_order(
    account: str, how: str
) -> None:
    told = await story(account)
    receipt = await untold(told, how)
    kept = await told.books.payments.find("mpesaReceiptNumber", receipt)
    assert kept is not None
    assert kept.state is State.UNMATCHED
    free = await told.books.vouchers.insert(replace(voucher("AAA3AAA3AA"), payment_id=None))
    with pytest.raises(Invalid, match="--again"):
        await told.person.with_plan(kept.id, "hour")
    with pytest.raises(Invalid, match="--again"):
        await told.person.with_voucher(kept.id, free.code)
    given, _ = await told.person.with_voucher(kept.id, free.code, again=True)
    assert given.state is State.PAID


async def test_money_is_free_to_give_once_the_purchase_has_its_own_receipt() -> None:
    told = await story()
    purchase = await bought(told)
    await told.decide(0, 0)
    _, kept = await told.matching.arrived(money(told, ""))
    with pytest.raises(Invalid, match="--again"):
        await told.person.with_plan(kept.id, "hour")
    await told.callback(0)
    assert (await load(told.books.payments, purchase.id)).receipt == told.mpesa.prompts[0].receipt
    given, _ = await told.person.with_plan(kept.id, "hour")
    assert given.state is State.PAID


async def test_money_that_may_be_of_a_document_nobody_can_read_is_given_only_again() -> None:
    told = await story("paybill")
    purchase = await bought(told)
    told.store.collections["payments"][purchase.id]["status"] = "of another program"
    news = replace(money(told, PHONES[0]), reference=purchase.voucher_code)
    _, kept = await told.matching.arrived(news)
    with pytest.raises(Invalid, match="--again"):
        await told.person.with_plan(kept.id, "hour")
    given, _ = await told.person.with_plan(kept.id, "hour", again=True)
    assert given.state is State.PAID
