"""Money on its way back through M-Pesa: ordered once, and believed back only when that is said."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appliance.domain.payments import (
    GIVEN_AND_REVERSED,
    LET_STAND,
    RETURNED_TWICE,
    UNSEEN,
    UNSETTLED,
    Payment,
    State,
)

_DONE, _ALREADY = "0", "R000001"
# Insufficient funds, debit party state, not allowed, bad initiator, invalid id, locked. Any other
# code proves nothing: somebody looks at M-Pesa's own books.
_REFUSED = frozenset({"1", "11", "21", "2001", "8006", "R000002"})
_TEXT = re.compile(r"reversal (\w{1,40}) (\d{1,6})", re.ASCII)
_GIVEN = frozenset({State.PAID, State.MERGED})
UNHEARD = timedelta(hours=1)
"""After so long without a word, a person may say that nothing went back."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order to give one payment back; its text is the end of the address of its answer."""

    payment_id: str
    attempt: int

    def __str__(self) -> str:
        """Return the text, which names no phone and no receipt."""
        return f"reversal {self.payment_id} {self.attempt}"

    @classmethod
    def read(cls, text: str) -> "Order | None":
        """Return the order that a text names; None for the text of any other question."""
        found = _TEXT.fullmatch(text)
        return None if found is None else cls(found[1], int(found[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How Safaricom says that an order ended; absent where it does not say."""

    code: str
    """Its result code, always text."""
    original: str | None = None
    """The receipt of what went back."""

    def went_back(self, payment: Payment) -> bool | None:
        """Say whether this money went back; None where that is not proved either way."""
        if self.original not in {None, payment.receipt}:
            return None
        if self.code in {_DONE, _ALREADY}:
            return True
        return False if self.code in _REFUSED else None


def let_stand(payment: Payment) -> Payment:
    """Return money that went back though it was given, once a person has seen that."""
    return replace(payment, reason=LET_STAND) if payment.reason in UNSEEN else payment


def by_hand(payment: Payment, note: str, now: datetime) -> Payment:
    """Return money that a person gave back himself, not by an order to M-Pesa."""
    back = payment.returned(note, now)
    return replace(back, returned_by_hand=back.reason)


def ordered(payment: Payment, now: datetime) -> Payment:
    """Return money that waits for a person as about to be ordered back, once more counted."""
    ordered_at = replace(payment, state=State.REVERSING, reason=None, decided_at=now)
    return replace(ordered_at, reversals=payment.reversals + 1)


def stayed(payment: Payment, attempt: int, reason: str) -> Payment:
    """Return the payment after this order came to nothing: it waits for a person again."""
    if payment.state is not State.REVERSING or payment.reversals != attempt:
        return payment
    return replace(payment, state=State.UNMATCHED, reason=reason, decided_at=None)


def heard(payment: Payment, attempt: int, result: Result, now: datetime) -> Payment:
    """Return the payment after the answer to this order; what proves nothing changes nothing.

    Money that a person believed to have stayed, and that has gone back after all, is gone; what
    was given for it stays given, or was returned by hand, and somebody is told.
    """
    went_back = result.went_back(payment)
    if went_back and payment.state in UNSETTLED:
        back = replace(payment, state=State.REFUNDED, reason="reversed", owed=None)
        return replace(back, decided_at=now)
    if went_back and payment.reason == LET_STAND:
        return payment
    if went_back and payment.state in _GIVEN:
        return replace(payment, reason=GIVEN_AND_REVERSED)
    if went_back and payment.returned_by_hand is not None:
        return replace(payment, reason=RETURNED_TWICE)
    return stayed(payment, attempt, "reversal_refused") if went_back is False else payment
