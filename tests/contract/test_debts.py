"""What waits and what is parked, on every store."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance.domain import ids
from appliance.domain.debts import Kind, Owed, owing
from appliance.domain.errors import Invalid
from appliance.domain.payments import State
from appliance.domain.records import WebhookLog
from appliance.flows.give_up import GiveUp
from appliance.store.debts import Debts
from appliance.store.port import Store
from appliance.store.records import Books, books
from tests.contract.test_store import NOON, payment, voucher

HOUR = timedelta(hours=1)
PARKED = replace(Owed(Kind.SETTLE, NOON + HOUR), last_error="bug: KeyError", parked_at=NOON)


def webhook(owed: Owed | None) -> WebhookLog:
    return WebhookLog(
        id=ids.new_id(), source="x", type="x", timestamp=NOON, raw_body="{}", owed=owed
    )


def giving_up(kept: Books) -> GiveUp:
    return GiveUp(webhooks=kept.webhooks, payments=kept.payments, vouchers=kept.vouchers)


async def test_what_waits_is_parked_or_is_being_paid_is_shown_and_what_is_planned_is_not(
    store: Store,
) -> None:
    kept = books(store)
    await kept.vouchers.insert(
        replace(voucher("AAA3AAA3AA"), owed=Owed(Kind.END, NOON + timedelta(minutes=30)))
    )
    waits = replace(Owed(Kind.GRANT, NOON + timedelta(minutes=4)), since=NOON - HOUR)
    waits = replace(waits, attempts=3, last_error="device_absent")
    waiting = await kept.vouchers.insert(replace(voucher("BBB3BBB3BB"), owed=waits))
    paying = await kept.payments.insert(replace(payment(), owed=owing(Kind.CONCLUDE, NOON)))
    parked = await kept.webhooks.insert(webhook(PARKED))
    strange = await kept.vouchers.insert(
        replace(voucher("CCC3CCC3CC"), owed=Owed(Kind.GRANT, NOON - HOUR))
    )
    await store.change("vouchers", strange.id, {"plan": 7, "owed.attempts": "many"}, {})
    await kept.vouchers.due(NOON, 10)  # as a worker looks: it finds nothing it could read

    found = {debt.id: debt for debt in await Debts(store, None).outstanding(NOON)}
    assert set(found) == {waiting.id, paying.id, parked.id, strange.id}
    assert found[paying.id].being_paid
    assert (found[parked.id].parked_at, found[parked.id].last_error) == (NOON, "bug: KeyError")
    assert (found[waiting.id].attempts, found[waiting.id].parked_at) == (3, None)
    assert (found[strange.id].kind, found[strange.id].last_error) == ("grant", "unreadable")
    assert found[strange.id].parked_at == NOON


async def test_another_boxs_debts_are_not_ours_to_show(store: Store) -> None:
    kept = books(store)
    for code, router_id in (("AAA3AAA3AA", "here"), ("BBB3BBB3BB", "there")):
        owed = Owed(Kind.GRANT, NOON)
        await kept.vouchers.insert(replace(voucher(code), router_id=router_id, owed=owed))
    assert len(await Debts(store, "here").outstanding(NOON)) == 1


async def test_a_retried_debt_is_due_at_once_unless_it_is_being_paid_or_nothing_is_owed(
    store: Store,
) -> None:
    kept, debts = books(store), Debts(store, None)
    parked = await kept.webhooks.insert(webhook(PARKED))
    assert await kept.webhooks.due(NOON, 10) == []
    await debts.retry(parked.id, NOON)
    (due,) = await kept.webhooks.due(NOON, 10)
    assert due.owed == replace(PARKED, at=NOON)
    taken = await kept.webhooks.change(due, replace(due, owed=owing(Kind.SETTLE, NOON)))
    with pytest.raises(Invalid):
        await debts.retry(taken.id, NOON)
    paid = await kept.webhooks.change(taken, replace(taken, owed=None))
    with pytest.raises(Invalid):
        await debts.retry(paid.id, NOON)
    with pytest.raises(Invalid):
        await debts.retry(ids.new_id(), NOON)


async def test_only_a_parked_call_is_given_up_and_it_stays_stored(store: Store) -> None:
    kept = books(store)
    parked = await kept.webhooks.insert(webhook(PARKED))
    await giving_up(kept).debt(parked.id)
    after = await kept.webhooks.get(parked.id)
    assert after is not None
    assert (after.owed, after.status, after.raw_body) == (None, "given_up", "{}")
    fresh = await kept.webhooks.insert(webhook(owing(Kind.SETTLE, NOON)))
    with pytest.raises(Invalid):
        await giving_up(kept).debt(fresh.id)


async def test_money_whose_voucher_is_gone_goes_to_a_person_and_other_money_is_not_touched(
    store: Store,
) -> None:
    kept = books(store)
    debt = replace(PARKED, kind=Kind.CONCLUDE)
    paid = replace(payment(), state=State.PAID, receipt="UKN7K2M9QX", owed=debt)
    lost = await kept.payments.insert(paid)
    await giving_up(kept).debt(lost.id)
    after = await kept.payments.get(lost.id)
    assert after is not None
    assert (after.state, after.reason, after.owed) == (State.UNMATCHED, "voucher_missing", None)
    assert after.receipt == "UKN7K2M9QX"
    there = await kept.vouchers.insert(voucher("AAA3AAA3AA"))
    other = replace(payment(), state=State.PAID, owed=debt, voucher_id=there.id)
    whole = await kept.payments.insert(other)
    with pytest.raises(Invalid):
        await giving_up(kept).debt(whole.id)
    assert await kept.payments.get(whole.id) == whole
