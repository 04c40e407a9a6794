"""The judge: every promise of the design, worked out from what is seen outside the daemon.

It shares no code with the product: it reads Safaricom's ledger, the router's logins and stays,
what the portal told, the log, and raw documents by the names that the design gives them.
"""

import json
from collections import Counter, defaultdict
from typing import Any

from appliance.sandbox.daraja.ledger import Paid
from tests.chaos.case import Case, Violation
from tests.chaos.documents import Document
from tests.chaos.hours import no_more_than_sold, time_starts_with_delivery, vouchers_of

_USABLE = {"paid", "ready", "active"}
_SERVED = {*_USABLE, "expired", "revoked"}
_FOR_A_PERSON = {"unmatched", "disputed", "reversing"}
_NOT_ANY_MORE = {"initiating", "pending", "unknown", "failed", "cancelled"}
_TOLD_PAID = {"paid", "online"}
_UNCERTAIN = 5
"""The promise that is broken when somebody is let in on no evidence at all."""


def judged(case: Case) -> list[Violation]:
    """Return every promise that is broken, or not kept yet."""
    placed = _placed(case)
    return [
        *_every_shilling(case, placed),
        *_written_before_done(case),
        *_never_sent_twice(case),
        *_one_receipt_one_use(case, placed),
        *_paid_absorbs(case),
        *time_starts_with_delivery(case),
        *no_more_than_sold(case),
        *_nobody_for_nothing(case, placed),
        *_no_secret_leaves(case),
        *_no_bug(case),
    ]


def _placed(case: Case) -> dict[str, list[Document]]:
    """Return each payment's documents by receipt; of what names no receipt, by account."""
    by_receipt: defaultdict[str, list[Document]] = defaultdict(list)
    unnamed: defaultdict[str, list[Document]] = defaultdict(list)
    for document in case.documents.payments.values():
        receipt = document.get("mpesaReceiptNumber")
        if receipt:
            by_receipt[receipt].append(document)
        elif document["status"] == "paid":
            unnamed[document.get("voucherCode", "")].append(document)
    placed = {}
    for _, money in case.record.paid:
        found = by_receipt[money.receipt]
        if not found and unnamed[money.account]:
            found = [unnamed[money.account].pop()]
        placed[money.receipt] = found
    return placed


def _every_shilling(case: Case, placed: dict[str, list[Document]]) -> list[Violation]:
    """Promise 1: delivered, waiting for the router, credited, or queued for a person."""
    found = []
    for _, money in case.record.paid:
        documents = placed[money.receipt]
        if not documents:
            if _must_be_known(case, money):
                found.append(Violation(1, f"{_of(money)} is nowhere", waits=True))
        elif len(documents) == 1 and (why := _not_at_rest(case, documents[0])):
            found.append(Violation(1, f"{_of(money)}: {why}", waits=True))
    return found


def _must_be_known(case: Case, money: Paid) -> bool:
    """Say whether the box can find out: it was told, can ask about its push, or has a list.

    Once its purchase is paid with another receipt, no answer to a question tells of this money.
    """
    if _heard_of(case, money.receipt):
        return True
    if case.pulls and money.short_code == case.merchant:
        return True
    name = money.checkout_request_id
    pushed = [one for one in case.documents.payments.values() if _is_named(one, name)]
    return any("mpesaReceiptNumber" not in one for one in pushed)


def _is_named(payment: Document, name: str | None) -> bool:
    return name is not None and payment.get("CheckoutRequestID") == name


def _heard_of(case: Case, receipt: str) -> bool:
    return any(receipt in json.dumps(body) for body in _accepted(case))


def _accepted(case: Case) -> list[dict[str, Any]]:
    """Return every message that the box said it took."""
    calls = [one.body for one in case.record.callbacks if one.status == 200]
    return calls + [one.body for one in case.record.confirmations if one.status == 200]


def _not_at_rest(case: Case, payment: Document) -> str | None:
    """Return what is wrong with where money is; None where it may stay there."""
    status = payment["status"]
    if status in _FOR_A_PERSON:
        return None
    if status != "paid":
        return f"its payment is {status}"
    voucher = case.documents.vouchers.get(payment.get("voucherId", ""))
    if voucher is None:
        return "its voucher is not there"
    if voucher.get("paymentId") != payment["_id"]:
        return "its voucher is another payment's"
    return None if voucher["status"] in _SERVED else f"its voucher is {voucher['status']}"


def _written_before_done(case: Case) -> list[Violation]:
    """Promise 2: every push has its purchase, every callback that was accepted its copy."""
    found = []
    initiated = {one["AccountReference"]: one for one in case.documents.initiations.values()}
    vouchers = {one["code"] for one in case.documents.vouchers.values()}
    for push in case.record.pushes:
        account = push["AccountReference"]
        payment_id = initiated.get(account, {}).get("paymentId")
        if payment_id not in case.documents.payments or account not in vouchers:
            found.append(Violation(2, f"a push for {account} left and is not stored"))
    stored = Counter(one.get("rawBody", "") for one in case.documents.webhooks.values())
    bodies = [_read(text) for text in stored]
    lost = [body for body in _accepted(case) if body not in bodies]
    text = "a callback was accepted and is not stored"
    return found + [Violation(2, text, waits=True) for _ in lost]  # it may be in the spool


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _never_sent_twice(case: Case) -> list[Violation]:
    """Promise 3: no order makes a phone ring twice, nor is one sent again that was taken."""
    rang = Counter(account for account, _ in case.transactions)
    sent = Counter(push["AccountReference"] for push in case.record.pushes)
    again = 1 if case.record.faults.get("safaricom_push_invalid_token_once") else 0
    return [
        Violation(3, f"the push for {account} was sent {sent[account]} times")
        for account in sent
        if rang[account] > 1 or sent[account] > 1 + again
    ]


def _one_receipt_one_use(case: Case, placed: dict[str, list[Document]]) -> list[Violation]:
    """Promise 4."""
    found = [
        Violation(4, f"a receipt is in {len(documents)} payments")
        for documents in placed.values()
        if len(documents) > 1
    ]
    paid_for = Counter(
        one["paymentId"]
        for one in case.documents.vouchers.values()
        if one["status"] != "unpaid" and "paymentId" in one
    )
    for payment_id, count in paid_for.items():
        if count > 1:
            found.append(Violation(4, f"payment {payment_id} paid {count} vouchers"))
    return found


def _paid_absorbs(case: Case) -> list[Violation]:
    """Promise 5, as stored and as told."""
    found = []
    for payment_id, states in case.record.statuses.items():
        later = states[states.index("paid") :] if "paid" in states else []
        if _NOT_ANY_MORE & set(later):
            found.append(Violation(5, f"payment {payment_id} went {' → '.join(states)}"))
    for token, states in case.record.told.items():
        first = next((n for n, state in enumerate(states) if state in _TOLD_PAID), len(states))
        status = _voucher_shown(case, token).get("status")
        ended, lost = status in {"expired", "revoked"}, status == "unpaid"
        bad = {"cancelled", "pending"} | (set() if ended else {"failed"})
        if bad & set(states[first:]):
            found.append(Violation(5, f"a customer was told {' → '.join(states)}"))
        elif lost and first < len(states):  # the voucher follows its payment
            text = f"a customer was told {states[first]} and has nothing"
            found.append(Violation(5, text, waits=True))
    return found


def _voucher_shown(case: Case, token: str) -> Document:
    """Return the voucher of a page: where a person gave the money another one, it shows that."""
    vouchers = case.documents.vouchers
    own = next((one for one in vouchers.values() if one["token"] == token), {})
    payment = case.documents.payments.get(own.get("paymentId", ""), {})
    return vouchers.get(payment.get("voucherId", ""), own)


def _nobody_for_nothing(case: Case, placed: dict[str, list[Document]]) -> list[Violation]:
    """Promise 8: who is let in had paid the price by then, with money of its own."""
    found, vouchers, used = [], vouchers_of(case), dict[str, str]()
    for login in case.record.logins:
        voucher = vouchers.get(login.user)
        if voucher is None:
            found.append(Violation(8, f"{login.user} was let in and is no voucher"))
            continue
        if _given(case, voucher):
            continue
        money = _money_of(case, voucher, placed)
        price = voucher["plan"]["price"]
        in_time = [one for at, one in money if at <= login.real and one.amount == price]
        free = [one for one in in_time if used.get(one.receipt, login.user) == login.user]
        if not free:
            payment = case.documents.payments.get(voucher.get("paymentId", ""), {})
            promise = 8 if "mpesaReceiptNumber" in payment else _UNCERTAIN
            found.append(Violation(promise, f"{login.user} was let in and had not paid"))
            continue
        used[free[0].receipt] = login.user
    return found + _forged(case)


def _forged(case: Case) -> list[Violation]:
    """Return receipts that nobody paid and that were believed, unless a person took them."""
    believed = [
        payment
        for payment in case.documents.payments.values()
        if payment.get("mpesaReceiptNumber") in case.record.forged and payment["status"] == "paid"
    ]
    return [
        Violation(8, "a forged receipt was believed")
        for payment in believed
        if payment["_id"] not in case.record.given
    ]


def _given(case: Case, voucher: Document) -> bool:
    """Say whether the operator gave it."""
    return voucher.get("paymentId") in case.record.given


def _money_of(
    case: Case, voucher: Document, placed: dict[str, list[Document]]
) -> list[tuple[float, Paid]]:
    """Return what was paid for a voucher: its payment's receipt, or what named its code."""
    return [
        (at, money)
        for at, money in case.record.paid
        if money.account.upper() == voucher["code"]
        or any(one["_id"] == voucher.get("paymentId") for one in placed[money.receipt])
    ]


def _no_secret_leaves(case: Case) -> list[Violation]:
    """Promise 9."""
    return [
        Violation(9, f"the log holds {what}")
        for secret, what in case.secrets.items()
        if secret in case.log
    ]


def _no_bug(case: Case) -> list[Violation]:
    """Return what the daemon itself calls a bug, as a broken promise of no number."""
    lines = [line for line in case.log.splitlines() if "this is a bug" in line]
    return [Violation(0, line) for line in lines[:3]]


def _of(money: Paid) -> str:
    return f"{money.amount} shillings of {money.receipt} for {money.account}"
