"""What was written while the clock was ahead, put right once the time is known.

A debt that lies beyond everything that is ever planned would wait until that wrong time comes.
The end of a voucher's time is planned as far ahead as was sold, and stays.
"""

from dataclasses import replace
from datetime import datetime

from appliance.domain.debts import LONGEST_PUT_OFF, Kind
from appliance.domain.messages import HELPS_FOR, Message
from appliance.domain.payments import BETWEEN_BOXES, Payment, pause_before
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import Voucher


def webhook(log: WebhookLog, now: datetime) -> WebhookLog:
    """Return the webhook as due now where it waits for a time that nobody planned."""
    if log.owed is None:
        return log
    return replace(log, owed=log.owed.brought_back(now, now + LONGEST_PUT_OFF))


def voucher(voucher: Voucher, now: datetime) -> Voucher:
    """Return the voucher with the access it owes due now, where nobody planned it so late."""
    if voucher.owed is None or voucher.owed.kind is Kind.END:
        return voucher
    return replace(voucher, owed=voucher.owed.brought_back(now, now + LONGEST_PUT_OFF))


def message(message: Message, now: datetime) -> Message:
    """Return the message as written by now, so that it is sent in time or not at all."""
    if message.created_at > now + BETWEEN_BOXES:
        message = replace(message, created_at=now, until=now + HELPS_FOR[message.kind])
    if message.owed is None:
        return message
    return replace(message, owed=message.owed.brought_back(now, now + LONGEST_PUT_OFF))


def payment(payment: Payment, now: datetime) -> Payment:
    """Return the payment as bought by now, so that its phone is free in time, and asked about."""
    if payment.created_at > now + BETWEEN_BOXES:
        payment = replace(payment, created_at=now)
    if payment.asked_early_at is not None and payment.asked_early_at > now + BETWEEN_BOXES:
        payment = replace(payment, asked_early_at=None)
    if payment.owed is None:
        return payment
    latest = now + LONGEST_PUT_OFF
    if payment.owed.kind is Kind.ASK and payment.late_asks:
        latest = max(latest, now + pause_before(payment.late_asks))
    return replace(payment, owed=payment.owed.brought_back(now, latest))
