"""News about a payment, whatever path it came by."""

from dataclasses import dataclass
from datetime import datetime
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
    C2B = "c2b"
    PULL = "pull"
    STATUS = "transaction_status"
    STATEMENT = "statement"
    """Safaricom's books, as a person read them."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Money that Safaricom says has arrived, whoever sent it and for whatever."""

    source: Source
    receipt: str
    amount: Decimal
    short_code: str
    reference: str = ""
    """The account: typed by the payer, or our code where it came by our push; a till has none."""
    msisdn: str = ""
    """The payer as given: a number, its SHA-256, or a mask. It is compared, never reversed."""
    at: datetime | None = None

    def about(self, checkout_request_id: str | None) -> Evidence:
        """Return the same news about one push of ours."""
        return Evidence(
            source=self.source,
            verdict=Verdict.PAID,
            code="0",
            reason="paid",
            checkout_request_id=checkout_request_id,
            receipt=self.receipt,
            amount=self.amount,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResult:
    """What Safaricom found about a receipt that we asked for; absent where it does not say."""

    code: str
    """Safaricom's result code, always text; only `0` found anything."""
    status: str = ""
    receipt: str | None = None
    amount: Decimal | None = None
    payer: str = ""
    payee: str = ""
    """The short code that got the money. Recorded answers name none."""
    at: datetime | None = None

    @property
    def completed(self) -> bool:
        """Say whether the money has moved."""
        return self.code == "0" and self.status.casefold() == "completed"

    def money(self, account: str) -> Received | None:
        """Return it as money to this account; None where receipt, amount or payer is missing."""
        if self.receipt is None or self.amount is None or not self.payer:
            return None
        return Received(
            source=Source.STATUS,
            receipt=self.receipt,
            amount=self.amount,
            short_code=account,
            msisdn=self.payer,
            at=self.at,
        )
