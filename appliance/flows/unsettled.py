"""The money that somebody has to be told of, wherever it is told."""

from appliance.domain.errors import Invalid
from appliance.domain.payments import GIVEN_AND_REVERSED, NEEDS_A_PERSON, UNSETTLED, Payment
from appliance.domain.queries import Cursor
from appliance.ports import Payments

_PAGE = 200
KEYS: tuple[tuple[str, str], ...] = (
    *(("status", state.value) for state in sorted(UNSETTLED)),
    ("awaits", GIVEN_AND_REVERSED),
)
"""The declared indexes and their values that it is found by."""


async def unsettled(payments: Payments, most: int) -> list[Payment]:
    """Return money that waits for a person or is on its way back; never reads more than `most`."""
    found = list[Payment]()
    for index, value in KEYS:
        before = None
        while left := most - len(found):
            limit = min(left, _PAGE)
            page = await payments.page(index, value, limit, before=before)
            found += page
            if len(page) < limit:
                break
            before = Cursor(page[-1].created_at, page[-1].id)
    return found


def to_decide(payment: Payment) -> Payment:
    """Return a payment that a person may decide about; raise `Invalid` in words."""
    if payment.state not in NEEDS_A_PERSON:
        raise Invalid(f"this payment is {payment.state}: there is nothing to decide")
    return payment
