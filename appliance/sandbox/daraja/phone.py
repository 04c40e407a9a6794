"""What a customer's phone shows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.ledger import Paid, Reversed

Action = Literal["pay", "cancel", "ignore"]
WALLET = 500_000
"""What every phone starts with, in shillings: M-Pesa's own ceiling."""
WRONG_PIN = "0000"
_REFUSED = {
    "C2B00011": "your phone number was not accepted",
    "C2B00012": "the account number is not valid",
    "C2B00013": "the amount is not valid",
    "C2B00014": "your registration details were not accepted",
    "C2B00015": "the business number is not valid",
    "C2B00016": "the business did not accept it",
}


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


def receipt_sms(merchant: Merchant, paid: Paid, left: int) -> str:
    """Return M-Pesa's message after a payment; `left` is the new balance."""
    whom = f"paid to {merchant.name}."
    if merchant.type == "paybill":
        whom = f"sent to {merchant.name} for account {paid.account}"
    return (
        f"{paid.receipt} Confirmed. Ksh{paid.amount:,}.00 {whom} {_when(paid.at)}. "
        f"New M-PESA balance is Ksh{left:,}.00. Transaction cost, Ksh0.00."
    )


def reversal_sms(back: Reversed, left: int) -> str:
    """Return M-Pesa's message after a reversal."""
    return (
        f"{back.receipt} Confirmed. Transaction {back.original} has been reversed "
        f"{_when(back.at)} and Ksh{back.amount:,}.00 is back in your M-PESA account. "
        f"New M-PESA balance is Ksh{left:,}.00."
    )


def refused_sms(merchant: Merchant, paid: Paid, code: str) -> str:
    """Return M-Pesa's message when the merchant's validation refused, with this code."""
    why = _REFUSED.get(code, "it could not be completed. Please try again later")
    return (
        f"Failed. Payment of Ksh{paid.amount:,}.00 to {merchant.name} was not made: {why}. "
        "No money has left your M-PESA account."
    )


def _when(at: datetime) -> str:
    return f"on {at.day}/{at.month}/{at:%y} at {at.hour % 12 or 12}:{at:%M %p}"
