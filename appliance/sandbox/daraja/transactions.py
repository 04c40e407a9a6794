"""A push that was accepted, until nothing more will be heard of it."""

from dataclasses import dataclass, field
from datetime import datetime

from appliance.sandbox.daraja.checks import Order
from appliance.sandbox.daraja.ledger import Paid
from appliance.sandbox.daraja.phone import Prompt


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transaction ended; a receipt means that money moved."""

    code: str
    at: datetime
    receipt: str | None = None


@dataclass(slots=True)
class Transaction:
    """One accepted push."""

    order: Order
    merchant_request_id: str
    checkout_request_id: str = field(repr=False)
    prompt: Prompt
    outcome: Outcome | None = None
    """What a query may say by now."""
    queries: int = 0
    paid: Paid | None = None
    """The money, once it moved."""

    @property
    def ids(self) -> dict[str, str]:
        """Return both names as every message carries them."""
        return {
            "MerchantRequestID": self.merchant_request_id,
            "CheckoutRequestID": self.checkout_request_id,
        }
