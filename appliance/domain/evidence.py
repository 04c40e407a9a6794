"""News about a payment, whatever path it came by."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Verdict(StrEnum):
    """What a piece of news says of the money."""

    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDECIDED = "undecided"
    """Still under way, or an answer that proves nothing: ask again."""


class Source(StrEnum):
    """The path the news came by."""

    STK_CALLBACK = "stk_callback"
    STK_QUERY = "stk_query"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was heard; absent means the source does not say (a query never names a receipt)."""

    source: Source
    verdict: Verdict
    code: str
    """Safaricom's result code, always text."""
    reason: str
    """The key of the customer's sentence."""
    checkout_request_id: str | None = None
    merchant_request_id: str | None = None
    receipt: str | None = None
    amount: Decimal | None = None
    phone: str | None = None
