"""“I already paid”: the receipt and the phone together find the purchase."""

from dataclasses import dataclass

from appliance.domain import phones
from appliance.domain.devices import Device
from appliance.domain.errors import Invalid
from appliance.domain.payments import Payment, State
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import load
from appliance.flows.redeem import Redeem
from appliance.ports import Payments, Vouchers

_LONGEST_RECEIPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Find a purchase again without its page or its code."""

    payments: Payments
    vouchers: Vouchers
    redeem: Redeem

    async def find(
        self, receipt: str, phone: str, device: Device | None, *, move: bool = False
    ) -> Voucher:
        """Return the voucher this receipt paid for, on its way to this device.

        `move` is as for a typed code.

        One answer for every miss: nobody learns whether a phone or a receipt is known here.
        """
        number = phones.normalise(phone)
        code = "".join(receipt[:64].upper().split())
        known = code.isascii() and code.isalnum() and len(code) <= _LONGEST_RECEIPT
        payment = await self.payments.find("mpesaReceiptNumber", code) if known else None
        if payment is None or payment.state is not State.PAID or not _paid_by(payment, number):
            raise Invalid("receipt_unknown", "receipt")
        voucher = await load(self.vouchers, payment.voucher_id)
        return await self.redeem.by_code(voucher.code, device, move=move)


def _paid_by(payment: Payment, phone: str) -> bool:
    if payment.phone:
        return payment.phone == phone
    return payment.msisdn is not None and phones.fits(phone, payment.msisdn)
