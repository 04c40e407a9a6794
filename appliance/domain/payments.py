"""A payment from the customer's tap to the money's resting place; every transition is pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Any

from appliance.domain.debts import Kind, Owed, owing
from appliance.domain.devices import Device
from appliance.domain.evidence import Evidence, Verdict
from appliance.domain.vouchers import Voucher

SEND_WITHIN = timedelta(seconds=20)
"""A push that could not leave by then never leaves: its phone may already be prompted again."""
# The longest sending after that, and a prompt's three minutes: before, a second push could make
# somebody pay twice.
UNDECIDED_FOR = SEND_WITHIN + timedelta(seconds=40) + timedelta(minutes=3)
_FIRST_ASK = SEND_WITHIN
_ASK_EVERY = timedelta(seconds=15)
PROMPTS_AT_ONCE = 5
"""So many unpaid prompts in a row a phone may get, and a device may have sent, without a wait."""
_THEN_EVERY = timedelta(minutes=10)
_FORGIVEN_AFTER = timedelta(hours=1)
BETWEEN_BOXES = timedelta(minutes=1)
"""The clocks of boxes that share a database differ by no more."""
LATE_ASKS = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 360))
"""How long after the purchase a question is still worth it, when the early ones proved nothing."""


class State(StrEnum):
    """Where the money is, as far as anybody has proved."""

    INITIATING = "initiating"
    PENDING = "pending"
    UNKNOWN = "unknown"
    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DISPUTED = "disputed"
    """Money came, but not the price: a person decides."""
    UNMATCHED = "unmatched"
    """Money came and nothing here asked for it: a person decides."""
    MERGED = "merged"
    """It was unmatched until the purchase it belongs to was found, which has its receipt now."""
    REVERSING = "reversing"
    """It was ordered back, and nobody has said yet whether it went."""
    REFUNDED = "refunded"
    """A person gave the money back."""


UNDECIDED = frozenset({State.INITIATING, State.PENDING, State.UNKNOWN})
MONEY_CAME = frozenset(
    {State.PAID, State.DISPUTED, State.UNMATCHED, State.REVERSING, State.REFUNDED}
)
NEEDS_A_PERSON = frozenset({State.DISPUTED, State.UNMATCHED})
UNSETTLED = NEEDS_A_PERSON | {State.REVERSING}
"""What a person is told of: what is on its way back too, in case that no word of it comes."""
GIVEN_AND_REVERSED, RETURNED_TWICE = "given_and_reversed", "returned_twice"
"""The reasons of money that went back after it was given, or was given back by hand."""
LET_STAND = "let_stand"
"""The reason of either, once a person has seen it."""
UNSEEN = frozenset({GIVEN_AND_REVERSED, RETURNED_TWICE})
NO_ANSWER = "no_answer"
"""The reason of a purchase whose phone rang, and nobody was heard."""
PERHAPS_KNOWN = "perhaps_known"
"""The reason of money that came when its buyer perhaps had the time already."""


class NotOurs(Exception):
    """The evidence names another request than ours: it proves nothing about this payment."""


class SecondPayment(Exception):
    """The purchase was paid with another receipt: this is other money."""


class Decided(Exception):
    """A person has decided about this money already: nothing else may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The money side of one purchase; of money that nobody asked for, what is known of it."""

    id: str
    token: str
    """Names the customer's pages; never sent to Safaricom."""
    callback_hash: str | None = None
    """Fingerprint of the secret in this payment's callback URL; never shown to the customer."""
    plan_id: str = ""
    voucher_id: str = ""
    voucher_code: str = ""
    """Of unmatched money, what the payer typed instead."""
    amount: int
    """Whole shillings: the price, or of unmatched money what came."""
    received: str | None = None
    """What came, as a decimal, where that is not `amount`."""
    phone: str = ""
    msisdn: str | None = None
    """The payer as a C2B message names them: hashed or masked."""
    paybill_number: str
    router_id: str
    created_at: datetime
    state: State = State.INITIATING
    device: Device | None = None
    open_phone: str | None = None
    """The phone while undecided: a unique key, so one phone never has two prompts of ours."""
    language: str = "en"
    continue_url: str | None = None
    checkout_request_id: str | None = None
    reason: str | None = None
    late_asks: int = 0
    """How many of the late questions have been answered, if with nothing."""
    asked_early_at: datetime | None = None
    """When somebody unproved last made us ask before it was due."""
    receipt: str | None = None
    doubted_receipt: str | None = None
    """What news in doubt called the receipt of this paid purchase; it proves and keeps nothing."""
    prompted_at: datetime | None = None
    """When Safaricom took the push, as far as its answer came."""
    paid_at: datetime | None = None
    decided_at: datetime | None = None
    """When it came to the state that it is in, by news or by a person; None while it is open."""
    returned_by_hand: str | None = None
    """How a person gave the money back, in his words; None where nobody did by hand."""
    reversals: int = 0
    """How often it was ordered back; each order is answered at an address of its own."""
    owed: Owed | None = None
    version: int = 0

    @property
    def locked_until(self) -> datetime:
        """When another push to this phone becomes safe, if nothing is heard before."""
        return self.created_at + UNDECIDED_FOR

    @property
    def rang(self) -> bool:
        """Say whether the phone was prompted, as far as anybody knows."""
        never_sent = self.state is State.FAILED and self.checkout_request_id is None
        return self.asked_for and not never_sent

    @property
    def asked_for(self) -> bool:
        """Say whether this is a purchase, not money that came by itself."""
        return self.callback_hash is not None

    @property
    def lacks_receipt(self) -> bool:
        """Say whether its buyer has the time, or may still be found to have paid, without one.

        No question to Safaricom names a receipt.
        """
        asked_about = self.state in UNDECIDED and self.owed is not None
        return self.receipt is None and (self.state is State.PAID or asked_about)

    @property
    def awaits(self) -> str | None:
        """Name what is waited for: a receipt, by account and price, or somebody who sees it.

        It is stored to be found by, and never read.
        """
        if self.reason in UNSEEN:
            return GIVEN_AND_REVERSED
        waiting = self.receipt is None and self.state in {*UNDECIDED, State.PAID}
        return awaiting(self.paybill_number, self.amount) if waiting else None

    def prompted(self, checkout_request_id: str, now: datetime) -> "Payment":
        """Return the payment after Safaricom took the push; the callback may have been faster.

        One that was given up as never sent is open again, though its phone no longer waits for it.
        """
        named = replace(self, checkout_request_id=checkout_request_id, prompted_at=now)
        if self.state is State.INITIATING:
            return replace(named, state=State.PENDING)
        if self.state is State.FAILED and self.checkout_request_id is None:
            owed = Owed(Kind.ASK, self.created_at + _FIRST_ASK)
            return replace(named, state=State.PENDING, reason=None, decided_at=None, owed=owed)
        known = self.checkout_request_id or checkout_request_id
        return replace(self, checkout_request_id=known)

    def unanswered(self) -> "Payment":
        """Return the payment after the push left and nothing came back."""
        if self.state is not State.INITIATING:
            return self
        return replace(self, state=State.UNKNOWN, reason="checking")

    def asked(self, answer: Evidence, now: datetime) -> "Payment":
        """Return the payment after a query; an answer that proves nothing plans the next one."""
        after = self if self._is_of_another(answer) else self.heard(answer, now)
        if after.state in UNDECIDED:
            return replace(after, **_next_question(after, now))
        return after.given_up() if after.owed == self.owed else after

    def asked_early(self, now: datetime) -> "Payment":
        """Return the payment as about to be asked for before it is due; not twice within a moment.

        The questions planned for it stay as they are: a stranger's hint uses none of them up.
        """
        last = self.asked_early_at
        if self.state not in UNDECIDED or (last is not None and now - last < _ASK_EVERY):
            return self
        return replace(self, asked_early_at=now)

    def unanswerable(self, now: datetime) -> "Payment":
        """Return the payment after a question nobody answered; in time its phone is free again."""
        if self.state not in UNDECIDED or now < self.locked_until:
            return self
        return replace(self, state=State.UNKNOWN, reason="checking", open_phone=None)

    def heard(self, evidence: Evidence, now: datetime) -> "Payment":
        """Return the payment as this evidence leaves it; the same news twice changes nothing.

        Paid absorbs: failed may become paid, paid never becomes failed. Raises `NotOurs` when
        the evidence speaks of another request, `SecondPayment` when it is of other money.
        """
        if self._is_of_another(evidence):
            raise NotOurs
        match evidence.verdict:
            case Verdict.PAID:
                return self._paid(evidence, now)
            case Verdict.FAILED | Verdict.CANCELLED:
                return self._failed(evidence, now)
            case Verdict.UNDECIDED:
                return self

    def never_sent(self, reason: str, now: datetime) -> "Payment":
        """Return the payment as failed because no prompt was started."""
        if self.state not in UNDECIDED:
            return self
        return self._closed(State.FAILED, reason, now)

    def hinted(self, receipt: str) -> "Payment":
        """Return the payment with the first receipt in doubt that may be the one it waits for."""
        waits = self.state is State.PAID and self.receipt is None
        if not waits or self.doubted_receipt is not None:
            return self
        return replace(self, doubted_receipt=receipt)

    def merged(self) -> "Payment":
        """Return unmatched money after its purchase was found: the receipt goes there.

        Raises `Decided` when it is no longer anybody's guess whose it is.
        """
        if self.state is State.MERGED:
            return self
        if self.state is not State.UNMATCHED or self.asked_for:
            raise Decided
        return replace(self, state=State.MERGED, receipt=None)

    def unmerged(self, receipt: str) -> "Payment":
        """Return money whose purchase did not take it after all: it waits for a person again."""
        if self.state is not State.MERGED:
            return self
        return replace(self, state=State.UNMATCHED, receipt=receipt)

    def given_for(self, voucher: Voucher, now: datetime) -> "Payment":
        """Return money that waited for a person as the payment of this voucher."""
        return replace(
            self._closed(State.PAID, None, now),
            plan_id=voucher.plan.id,
            voucher_id=voucher.id,
            voucher_code=voucher.code,
            paid_at=self.paid_at or now,
        )

    def not_needed(self, voucher_id: str, reason: str = "paid_already") -> "Payment":
        """Return the payment after this voucher of it went to another: a person decides."""
        if self.state is not State.PAID or self.voucher_id != voucher_id:
            return self
        if self.reason in {GIVEN_AND_REVERSED, LET_STAND}:
            return replace(self, state=State.REFUNDED, reason="reversed")
        return replace(self, state=State.UNMATCHED, reason=reason)

    def returned(self, note: str, now: datetime) -> "Payment":
        """Return the payment after a person gave the money back."""
        back = replace(self, state=State.REFUNDED, reason=note[:200], owed=None)
        return replace(back, decided_at=now)

    def concluded(self, done: "Payment") -> "Payment":
        """Return the payment after the outcome it had as `done` was carried out.

        An outcome that changed meanwhile, as a late success does, still has to be carried out. A
        phone that did not answer may have paid all the same, a moment later, and the word of that
        been lost: it is asked about once more.
        """
        same = self.state is done.state and self.voucher_id == done.voucher_id
        if not same or self.owed is None or self.owed.kind is not Kind.CONCLUDE:
            return self
        silent = self.state is State.FAILED and self.reason == NO_ANSWER
        if not silent or self.checkout_request_id is None:
            return replace(self, owed=None)
        failed_at = self.decided_at or self.created_at
        return replace(self, owed=Owed(Kind.ASK, failed_at + LATE_ASKS[0]))

    def given_up(self) -> "Payment":
        """Return the payment owing no question any more."""
        asks = self.owed is not None and self.owed.kind is Kind.ASK
        return replace(self, owed=None) if asks else self

    def _paid(self, evidence: Evidence, now: datetime) -> "Payment":
        right = evidence.amount is None or evidence.amount == self.amount
        received = None if right else str(evidence.amount)
        if self.state is State.MERGED:
            raise SecondPayment
        if self.state in MONEY_CAME:
            if evidence.receipt is None or evidence.receipt == self.receipt:
                return self
            if self.receipt is not None:
                raise SecondPayment
            return replace(self, receipt=evidence.receipt, received=received)
        known = self.checkout_request_id or evidence.checkout_request_id
        state, reason = (State.PAID, None) if right else (State.DISPUTED, "wrong_amount")
        return replace(
            self._closed(state, reason, now),
            receipt=evidence.receipt,
            received=received,
            checkout_request_id=known,
            paid_at=now,
        )

    def _failed(self, evidence: Evidence, now: datetime) -> "Payment":
        if self.state not in UNDECIDED:
            return self
        state = State.CANCELLED if evidence.verdict is Verdict.CANCELLED else State.FAILED
        known = self.checkout_request_id or evidence.checkout_request_id
        return replace(self._closed(state, evidence.reason, now), checkout_request_id=known)

    def _closed(self, state: State, reason: str | None, now: datetime) -> "Payment":
        owed = owing(Kind.CONCLUDE, now)
        closed = replace(self, state=state, reason=reason, open_phone=None, owed=owed)
        return replace(closed, decided_at=now)

    def _is_of_another(self, evidence: Evidence) -> bool:
        ours, theirs = self.checkout_request_id, evidence.checkout_request_id
        return ours is not None and theirs is not None and ours != theirs


def _next_question(payment: Payment, now: datetime) -> dict[str, Any]:
    """Return what changes when the answer proved nothing: when to ask again, and what to tell."""
    if now < payment.locked_until:
        return {"owed": Owed(Kind.ASK, now + _ASK_EVERY)}
    changes = {"state": State.UNKNOWN, "reason": "checking", "open_phone": None, "owed": None}
    nth = payment.late_asks + 1
    if nth > len(LATE_ASKS):
        return changes
    # A box that was off for hours still asks every late question, each as long after the last.
    at = now + pause_before(nth)
    if nth == 1:
        at = max(now + _ASK_EVERY, payment.created_at + LATE_ASKS[0])
    return changes | {"late_asks": nth, "owed": Owed(Kind.ASK, at)}


def pause_before(late_ask: int) -> timedelta:
    """Return how long after the one before it the n-th late question is asked."""
    return LATE_ASKS[late_ask - 1] - (LATE_ASKS[late_ask - 2] if late_ask > 1 else timedelta())


def until_next_prompt(newest: list["Payment"], now: datetime) -> timedelta:
    """Return how long another prompt has to wait, by the purchases of a phone, the newest first.

    Who mistypes a PIN or cancels tries again at once; nobody is rung up all day long. What is paid
    was wanted, and starts the count again. What a clock that was ahead dated does not count.
    """
    by_now = (payment for payment in newest if payment.created_at <= now + BETWEEN_BOXES)
    unpaid = takewhile(lambda payment: payment.state not in MONEY_CAME, by_now)
    rang_at = [p.created_at for p in unpaid if p.rang and now - p.created_at < _FORGIVEN_AFTER]
    if len(rang_at) < PROMPTS_AT_ONCE:
        return timedelta()
    return min(max(timedelta(), rang_at[0] + _THEN_EVERY - now), _THEN_EVERY)


def awaiting(paybill_number: str, amount: int) -> str:
    """Return the name under which purchases wait for the receipt of this much on this account."""
    return f"{paybill_number}/{amount}"


def first_ask(now: datetime) -> Owed:
    """Return the debt every purchase is born with: if nothing is heard, find out."""
    return Owed(Kind.ASK, now + _FIRST_ASK)
