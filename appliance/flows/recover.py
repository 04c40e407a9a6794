"""“I already paid”: the receipt and the phone together find the purchase."""

from dataclasses import dataclass

from appliance.domain import phones, receipts
from appliance.domain.devices import Device
from appliance.domain.errors import Invalid
from appliance.domain.payments import Payment, State
from appliance.domain.vouchers import State as VoucherState
from appliance.domain.vouchers import Voucher
from appliance.flows.evolve import load
from appliance.flows.inquiry import Inquiry
from appliance.flows.redeem import Redeem
from appliance.ports import Payments, Vouchers

_LONGEST_RECEIPT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Recover:
    """Find a purchase again without its page or its code."""

    payments: Payments
    vouchers: Vouchers
    redeem: Redeem
    inquiry: Inquiry

    async def find(
        self, receipt: str, phone: str, device: Device | None, *, move: bool = False
    ) -> Voucher:
        """Return the voucher this receipt paid for, on its way to this device.

        `move` is as for a typed code.

        One answer for every miss: nobody learns whether a phone or a receipt is known here.
        """
        number = phones.normalise(phone)
        code = _typed(receipt)
        known = code.isascii() and code.isalnum() and len(code) <= _LONGEST_RECEIPT
        payment = await self.payments.find("mpesaReceiptNumber", code) if known else None
        if payment is not None and payment.state is State.PAID and _paid_by(payment, number):
            voucher = await load(self.vouchers, payment.voucher_id)
        else:
            found = await self._without_receipt(number, device) if known else None
            if found is None:
                raise Invalid("receipt_unknown", "receipt")
            voucher = found
        if voucher.state is VoucherState.UNPAID:  # it is about to be paid
            raise Invalid("receipt_unknown", "receipt")
        return await self.redeem.by_code(voucher.code, device, move=move)

    def ask(self, receipt: str, phone: str, device: Device) -> bool:
        """Have Safaricom asked about what was not found; say whether it can be a receipt at all.

        Whether anything is known of either is not to be read from the answer.
        """
        code = _typed(receipt)
        if not receipts.plausible(code):  # not worth a question
            return False
        self.inquiry.begin(code, phones.normalise(phone), device)
        return True

    async def _without_receipt(self, phone: str, device: Device | None) -> Voucher | None:
        """Return what this device bought with this phone and a query said is paid.

        No query names a receipt, so nothing can be held against the one that was typed.
        """
        if device is None:
            return None
        for voucher in self.redeem.usable(await self.redeem.known(device)):
            payment = await self.payments.get(voucher.payment_id) if voucher.payment_id else None
            if payment is not None and payment.receipt is None and payment.phone == phone:
                return voucher
        return None


def _typed(receipt: str) -> str:
    return "".join(receipt[:64].upper().split())


def _paid_by(payment: Payment, phone: str) -> bool:
    if payment.phone:
        return payment.phone == phone
    return payment.msisdn is not None and phones.fits(phone, payment.msisdn)
