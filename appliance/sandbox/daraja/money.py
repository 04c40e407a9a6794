"""Money as it moves between wallets and merchants."""

from dataclasses import dataclass
from datetime import datetime

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.ledger import Ledger, Paid, Reversed, Sms
from appliance.sandbox.daraja.phone import WALLET, receipt_sms, reversal_sms


@dataclass(frozen=True, slots=True)
class Money:
    """Every wallet and every merchant's account, as the ledger has them."""

    ledger: Ledger

    def balance(self, phone: str) -> int:
        """Return what is left in this phone's wallet."""
        spent = sum(paid.amount for paid in self.ledger.payments if paid.phone == phone)
        back = sum(back.amount for back in self.ledger.reversals if back.phone == phone)
        return WALLET - spent + back

    def account(self, merchant: Merchant, until: datetime) -> int:
        """Return what the merchant had at a moment, payments of that moment included."""
        payments, reversals = self.ledger.payments, self.ledger.reversals
        mine = merchant.short_code
        came = sum(p.amount for p in payments if p.short_code == mine and p.at <= until)
        went = sum(r.amount for r in reversals if r.short_code == mine and r.at <= until)
        return came - went

    def take(self, merchant: Merchant, paid: Paid) -> None:
        """Move a payment and tell the customer."""
        self.ledger.write(paid)
        self.tell(paid.phone, receipt_sms(merchant, paid, self.balance(paid.phone)))

    def paid(self, merchant: Merchant, receipt: str) -> Paid | None:
        """Return the merchant's payment of this receipt."""
        mine = merchant.short_code
        found = [p for p in self.ledger.payments if (p.short_code, p.receipt) == (mine, receipt)]
        return found[0] if found else None

    def was_reversed(self, paid: Paid) -> bool:
        """Tell whether a payment went back."""
        return any(back.original == paid.receipt for back in self.ledger.reversals)

    def give_back(self, paid: Paid) -> Reversed:
        """Move a payment back and tell the customer."""
        at = names.now()
        back = Reversed(
            phone=paid.phone,
            receipt=names.receipt(at),
            original=paid.receipt,
            amount=paid.amount,
            short_code=paid.short_code,
            at=at,
        )
        self.ledger.write(back)
        self.tell(paid.phone, reversal_sms(back, self.balance(paid.phone)))
        return back

    def tell(self, phone: str, text: str) -> None:
        """Send a customer a message."""
        self.ledger.write(Sms(phone=phone, text=text, at=names.now()))
