"""The appliance's `Gateway`, made of `MpesaService` and this payment's own callback URL."""

from dataclasses import dataclass
from datetime import datetime

from appliance.domain.errors import GatewayRefused, GatewayUnavailable, OutcomeUnknown
from appliance.domain.evidence import Evidence, Received, Source, StatusResult, Verdict
from appliance.domain.payments import Payment
from appliance.domain.reversals import Result
from appliance.mpesa import reversal, status, wire
from appliance.mpesa.service import MpesaService


@dataclass(frozen=True, slots=True)
class MpesaGateway:
    """STK push and query, with a secret callback path for every single payment."""

    service: MpesaService
    hooks_url: str
    """`<webhooks.public_url>/hooks/<path_secret>`; a token ends every path."""

    async def push(
        self, payment: Payment, callback_token: str, not_after: float
    ) -> tuple[str, str]:
        """Prompt the customer's phone once."""
        answer = await self.service.initiate_stk_push(
            paybill_number=payment.paybill_number,
            phone_number=payment.phone,
            amount=payment.amount,
            account_reference=payment.voucher_code,
            description="Internet time",
            callback_url=f"{self.hooks_url}/stk/{callback_token}",
            not_after=not_after,
        )
        return answer.checkout_request_id, answer.merchant_request_id

    async def query(self, payment: Payment) -> Evidence:
        """Ask what became of a push; no answer at all is raised, every other one is evidence."""
        nothing = Evidence(
            source=Source.STK_QUERY, verdict=Verdict.UNDECIDED, code="", reason="checking"
        )
        if payment.checkout_request_id is None:
            return nothing
        try:
            return await self.service.query_stk_push_status(
                payment.paybill_number, payment.checkout_request_id
            )
        except GatewayRefused as error:
            if error.reason == "mpesa_busy":  # the question was not even looked at
                raise GatewayUnavailable(str(error)) from error
            return nothing
        except OutcomeUnknown as error:
            if not error.answered:
                raise
            return nothing

    def read_callback(self, body: str) -> tuple[Evidence, dict[str, object]]:
        """Return what a callback says, and its payload for the log; raise `Invalid`."""
        return wire.callback_evidence(body)

    async def pull(self, paybill_number: str, start: datetime, end: datetime) -> list[Received]:
        """List the payments that this account received in a time, whoever asked for them."""
        return await self.service.pull_transactions(paybill_number, start, end)

    def read_confirmation(self, body: str) -> tuple[Received, dict[str, object]]:
        """Return what a C2B message says, and its payload for the log; raise `Invalid`."""
        return wire.received(body)

    async def ask_status(self, paybill_number: str, receipt: str, token: str) -> None:
        """Ask what became of a receipt; the answer comes to this question's own address."""
        address = f"{self.hooks_url}/status/{token}"
        await self.service.query_transaction_status(
            paybill_number, receipt, f"{address}/result", f"{address}/timeout"
        )

    def read_status(self, body: str) -> tuple[StatusResult, dict[str, object]]:
        """Return what a result says, and its payload for the log; raise `Invalid`."""
        return status.result(body)

    async def reverse(self, paybill_number: str, receipt: str, amount: int, token: str) -> None:
        """Order a payment back; the answer comes to this order's own address."""
        address = f"{self.hooks_url}/reversal/{token}"
        await self.service.reverse_transaction(
            paybill_number, receipt, amount, f"{address}/result", f"{address}/timeout"
        )

    def read_reversal(self, body: str) -> tuple[Result, dict[str, object]]:
        """Return how an order ended, and its payload for the log; raise `Invalid`."""
        return reversal.result(body)
