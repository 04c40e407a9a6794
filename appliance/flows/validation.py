"""Safaricom asks before money that was typed by hand comes in, and is answered."""

from dataclasses import dataclass

from appliance.domain.evidence import Received
from appliance.domain.payments import State
from appliance.flows.lookup import Lookup


@dataclass(frozen=True, slots=True)
class Validation:
    """What no sale fits is better kept by the payer; in doubt the money may come."""

    lookup: Lookup

    async def against(self, money: Received) -> str | None:
        """Return what speaks against letting this money in: shortcode, account, amount, or None."""
        if await self.lookup.account(money) is None:
            return "shortcode"
        if not money.reference:
            return None  # a till's money names nothing: afterwards its payer and amount may
        prices = await self._prices(money)
        if not prices:
            return "account"
        return None if money.amount in prices else "amount"

    async def _prices(self, money: Received) -> set[int]:
        """Return what may be paid under this reference; nothing where it is paid or unknown."""
        payment = await self.lookup.named(money.reference)
        if payment is not None:
            paid = payment.receipt is not None or payment.state is State.PAID
            return set() if paid else {payment.amount}
        voucher = await self.lookup.unpaid_voucher(money.reference)
        if voucher is not None:
            return {voucher.plan.price}
        return {plan.price for plan in await self.lookup.sold_by_hand(money)}
