"""What a customer's phone shows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from appliance.sandbox.daraja.accounts import Merchant

Action = Literal["pay", "cancel", "ignore"]
WALLET = 500_000
"""What every phone starts with, in shillings: M-Pesa's own ceiling."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request for the PIN."""

    id: str
    phone: str = field(repr=False)
    amount: int
    account: str
    business: str

    def shown(self) -> dict[str, str | int]:
        """Return the prompt in JSON's own types."""
        return {
            "id": self.id,
            "phone": self.phone,
            "amount": self.amount,
            "account": self.account,
            "business": self.business,
        }


def receipt_sms(merchant: Merchant, prompt: Prompt, receipt: str, at: datetime, left: int) -> str:
    """Return M-Pesa's message after a payment; `left` is the new balance."""
    day, hour = f"{at.day}/{at.month}/{at:%y}", f"{at.hour % 12 or 12}:{at:%M %p}"
    whom = f"paid to {prompt.business}."
    if merchant.type == "paybill":
        whom = f"sent to {prompt.business} for account {prompt.account}"
    return (
        f"{receipt} Confirmed. Ksh{prompt.amount:,}.00 {whom} on {day} at {hour}. "
        f"New M-PESA balance is Ksh{left:,}.00. Transaction cost, Ksh0.00."
    )
