"""The truth at M-Pesa: who was prompted, and what money moved."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from appliance.domain.errors import GatewayUnavailable, OutcomeUnknown
from appliance.domain.evidence import Evidence, Received, Source, StatusResult, Verdict
from appliance.domain.payments import Payment
from appliance.domain.reversals import Result
from appliance.mpesa import reversal, status, wire


def named(phone: str, how: str) -> str:
    """Return a payer as Safaricom may name them."""
    return {
        "whole": phone,
        "local": f"0{phone[3:]}",
        "hashed": hashlib.sha256(phone.encode()).hexdigest(),
        "masked": f"2547 ***** {phone[-3:]}",
        "nobody": "",
        "unreadable": "N/A",
    }[how]


@dataclass
class Prompt:
    """What M-Pesa knows of one push."""

    checkout: str
    phone: str
    amount: int
    reference: str
    token: str
    result: int | None = None
    receipt: str | None = None
    moved: int = 0
    """What was paid, which is not always what was asked for."""


@dataclass
class Mpesa:
    """The truth: who was prompted, and what money moved."""

    short_code: str
    prompts: list[Prompt] = field(default_factory=list)
    money: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """Receipt to phone, amount and reference."""
    questions: list[tuple[str, str, str]] = field(default_factory=list)
    """What we asked about single receipts: account, receipt and token."""
    reversals: list[tuple[str, str, int, str]] = field(default_factory=list)
    """What we ordered back: account, receipt, amount and token."""
    queries: int = 0
    lose_answers: bool = False
    away: bool = False

    async def push(self, payment: Payment, token: str, not_after: float) -> tuple[str, str]:
        if self.away:
            raise GatewayUnavailable("away")
        checkout = f"ws_CO_{len(self.prompts)}"
        prompt = Prompt(checkout, payment.phone, payment.amount, payment.voucher_code, token)
        self.prompts.append(prompt)
        if self.lose_answers:
            raise OutcomeUnknown("lost")
        return checkout, f"merchant-{checkout}"

    async def query(self, payment: Payment) -> Evidence:
        self.queries += 1
        if self.away:
            raise GatewayUnavailable("away")
        for prompt in self.prompts:
            if prompt.checkout == payment.checkout_request_id and prompt.result is not None:
                return wire.query_evidence(
                    {"ResultCode": str(prompt.result), "CheckoutRequestID": prompt.checkout}
                )
        return Evidence(
            source=Source.STK_QUERY, verdict=Verdict.UNDECIDED, code="4999", reason="checking"
        )

    async def pull(
        self, paybill_number: str, start: datetime, end: datetime, payer: str = "whole"
    ) -> list[Received]:
        return [
            Received(
                source=Source.PULL,
                receipt=receipt,
                amount=Decimal(amount),
                short_code=paybill_number,
                reference=reference,
                msisdn=named(phone, payer),
            )
            for receipt, (phone, amount, reference) in self.money.items()
        ]

    def read_callback(self, body: str) -> tuple[Evidence, dict[str, object]]:
        return wire.callback_evidence(body)

    def read_confirmation(self, body: str) -> tuple[Received, dict[str, object]]:
        return wire.received(body)

    async def ask_status(self, paybill_number: str, receipt: str, token: str) -> None:
        self.questions.append((paybill_number, receipt, token))

    def read_status(self, body: str) -> tuple[StatusResult, dict[str, object]]:
        return status.result(body)

    async def reverse(self, paybill_number: str, receipt: str, amount: int, token: str) -> None:
        if self.away:
            raise GatewayUnavailable("away")
        self.reversals.append((paybill_number, receipt, amount, token))
        if self.lose_answers:
            raise OutcomeUnknown("lost")

    def read_reversal(self, body: str) -> tuple[Result, dict[str, object]]:
        return reversal.result(body)

    def pays(self, phone: str, amount: int, reference: str) -> str:
        receipt = f"UKN{len(self.money):07d}"
        self.money[receipt] = (phone, amount, reference)
        return receipt
