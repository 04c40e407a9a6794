"""What payments, vouchers and messages are called on the operator's pages."""

from appliance.domain.debts import Kind, Owed
from appliance.domain.payments import Payment, State
from appliance.domain.records import WebhookLog

STATES = {
    State.INITIATING: "being sent",
    State.PENDING: "waiting for the PIN",
    State.UNKNOWN: "being checked",
    State.PAID: "paid",
    State.FAILED: "failed",
    State.CANCELLED: "cancelled",
    State.DISPUTED: "wrong amount",
    State.UNMATCHED: "unmatched",
    State.MERGED: "merged",
    State.REVERSING: "going back",
    State.REFUNDED: "refunded",
}
_REASONS = {
    "insufficient_balance": "The payer's balance was too low.",
    "amount_limits": "M-Pesa does not allow this amount.",
    "daily_limit": "The payer reached M-Pesa's daily limit.",
    "merchant_full": "Your M-Pesa account has reached its own limit.",
    "same_amount_wait": "M-Pesa wants two minutes between equal payments.",
    "mpesa_busy": "M-Pesa was busy.",
    "prompt_open": "Another prompt was open on the phone.",
    "expired": "The prompt ended before an answer.",
    "prompt_failed": "The phone could not be reached.",
    "cancelled": "The customer cancelled.",
    "no_answer": "The phone did not answer.",
    "wrong_pin": "The PIN was wrong.",
    "pin_locked": "The payer's PIN is locked.",
    "not_mpesa_number": "The number has no M-Pesa.",
    "merchant_config": "M-Pesa refuses this paybill's settings: see Paybills.",
    "not_completed": "M-Pesa did not complete it.",
    "gateway_unreachable": "M-Pesa could not be reached, and nothing was sent.",
    "checking": "M-Pesa has not said yet how it ended.",
    "wrong_amount": "The amount is not the price.",
    "underpaid": "Less than the price of what it names.",
    "overpaid": "More than anything it could be for.",
    "no_plan_at_this_price": "No plan has this price.",
    "unknown_account": "The account that was typed is nothing of ours.",
    "unknown_shortcode": "It went to a number that is none of your paybills.",
    "several_fit": "It fits several purchases.",
    "perhaps_known": "It may be the money of a purchase that was paid and served already.",
    "doubted": "It was told of by a caller that may not be Safaricom.",
    "paid_already": "What it names was paid already.",
    "unreadable": "It names a record that cannot be read.",
    "reversed": "M-Pesa gave it back.",
    "reversal_refused": "M-Pesa did not give it back.",
    "reversal_unsent": "M-Pesa could not be reached to give it back: nothing was ordered.",
    "reversal_undone": "It did not go back, by M-Pesa's own books.",
    "given_and_reversed": "It went back after it was given: its voucher is good, and not paid for.",
    "returned_twice": "It went back twice: by hand, and through M-Pesa.",
    "let_stand": "It went back though it was given or returned, and you have seen that.",
    "voucher_missing": "Its voucher is gone.",
}
_KINDS = {
    "stk_callback": "M-Pesa told how the prompt ended",
    "c2b_confirmation": "M-Pesa told that money came in",
    "c2b_validation": "M-Pesa asked whether to let money in",
    "status_result": "M-Pesa answered about a receipt",
    "status_timeout": "M-Pesa did not answer about a receipt",
    "reversal_result": "M-Pesa told whether the money went back",
    "reversal_timeout": "M-Pesa did not carry out our order in time",
}
_DEBTS = {
    Kind.SETTLE: "to be read and decided about",
    Kind.ASK: "M-Pesa is to be asked how it ended",
    Kind.CONCLUDE: "its outcome is to reach its voucher",
    Kind.GRANT: "its device is to be let through the router",
    Kind.END: "its time ends, and the device is to be cut off",
}
_ERRORS = {
    "router_away": "the router did not answer",
    "router_refused": "the router refused",
    "device_absent": "the device is not on the hotspot",
    "clock_in_doubt": "the time was not certain",
    "gateway_unreachable": "M-Pesa could not be reached",
    "outcome_unknown": "M-Pesa did not answer",
    "unreadable": "it cannot be read",
}
_WAYS = {"api": "the API", "ssh": "SSH, since the API was out"}


def state(payment: Payment) -> str:
    """Return a payment's state for reading."""
    return STATES[payment.state]


def reason(payment: Payment) -> str:
    """Return why it is as it is; a person's own note as it was written."""
    return _REASONS.get(payment.reason or "", payment.reason or "")


def kind(message: WebhookLog) -> str:
    """Return what a message is about."""
    return _KINDS.get(message.type, message.type)


def debt(owed: Owed) -> str:
    """Return what is owed."""
    return _DEBTS[owed.kind]


def error(owed: Owed) -> str:
    """Return what went wrong at the last try."""
    return _ERRORS.get(owed.last_error or "", owed.last_error or "")


def way(granted_by: str | None) -> str:
    """Return how the router was told."""
    return _WAYS.get(granted_by or "", "a sign-in at the router itself")
