"""`MpesaService`: tokens, pushes and questions for every paybill and till in `paybills`."""

import math
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx

from appliance.domain.errors import GatewayRefused, GatewayUnavailable, OutcomeUnknown
from appliance.domain.evidence import Evidence, Received
from appliance.domain.paybills import Paybill
from appliance.domain.secrets import InClear
from appliance.mpesa import client, reversal, status, values, wire
from appliance.mpesa.refresh import Refresh, TokenReport
from appliance.mpesa.tokens import Tokens, Trouble
from appliance.ports import Cipher, Clock, Paybills

_IN_CLEAR = InClear()
_MOST_PULLED = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PushAnswer:
    """Safaricom's two names for an accepted push. The first ends with the payer's number."""

    checkout_request_id: str = field(repr=False)
    merchant_request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """Safaricom's two names for a question that it answers later, at our own address."""

    originator_conversation_id: str
    conversation_id: str


class MpesaService:
    """Daraja for any number of paybills; credentials and cached tokens live in `paybills`."""

    def __init__(
        self,
        paybills: Paybills,
        http: httpx.AsyncClient,
        clock: Clock,
        *,
        base_url: str | None = None,
        cipher: Cipher = _IN_CLEAR,
    ) -> None:
        """Take a `base_url` for a pretend Safaricom, and a cipher where secrets are sealed."""
        self._http = http
        self._clock = clock
        self._cipher = cipher
        self._tokens = Tokens(paybills, http, clock, cipher, base_url)
        self._refresh = Refresh(paybills, self._tokens, clock)

    async def generate_access_token(self, paybill_number: str) -> str:
        """Fetch a new token and cache it in the paybill; it may kill the one before.

        All who ask at once, here and on other boxes, share one new token.
        """
        await self._tokens.active(paybill_number)
        return await self.try_keys(paybill_number)

    async def try_keys(self, paybill_number: str) -> str:
        """Fetch a new token also for a paybill that sells nothing yet, or no longer."""
        paybill = await self._tokens.paybill(paybill_number)
        return await self._tokens.renewed(paybill_number, stale=self._tokens.remembered(paybill))

    def token_trouble(self, paybill_number: str) -> Trouble | None:
        """Return why this process got no new token at its latest try; None where it did."""
        return self._tokens.troubles.get(paybill_number)

    async def get_valid_access_token(self, paybill_number: str) -> str:
        """Return the cached token while it is good for five minutes more, else a new one.

        Raises `SalesClosed` where the paybill is missing or inactive, as a push does.
        """
        return await self._tokens.valid(await self._tokens.active(paybill_number))

    async def refresh_access_tokens(self, *, force: bool = False) -> list[TokenReport]:
        """Renew every active paybill's token that has under ten minutes left, or all by force."""
        return await self._refresh.run(force=force)

    async def token_status(self) -> list[TokenReport]:
        """Return how every active paybill's token stands; nothing is sent."""
        return await self._refresh.status()

    async def initiate_stk_push(  # noqa: PLR0913 # what a push is made of
        self,
        *,
        paybill_number: str,
        phone_number: str,
        amount: int,
        account_reference: str,
        description: str,
        callback_url: str,
        not_after: float = math.inf,
    ) -> PushAnswer:
        """Prompt the phone, once. Amount in whole shillings, phone as 254….

        Nothing leaves once the clock's `monotonic` is past `not_after`.

        Raises `GatewayRefused` or `GatewayUnavailable` when nothing was started, and
        `OutcomeUnknown` on silence: then query, never push again.
        """
        paybill = self._signing(await self._tokens.active(paybill_number))
        body = wire.stk_push(
            paybill,
            phone=phone_number,
            amount=amount,
            reference=account_reference,
            description=description,
            callback_url=callback_url,
            now=self._clock.now(),
        )
        path = "/mpesa/stkpush/v1/processrequest"
        answer = await self._call(paybill, path, body, not_after)
        checkout = values.text(answer.get("CheckoutRequestID"))
        code = values.text(answer.get("ResponseCode"))
        if code is not None and code != "0":
            raise GatewayRefused("not_completed", code)
        if code is None or checkout is None:
            raise OutcomeUnknown("an acceptance without a name")
        merchant = values.text(answer.get("MerchantRequestID")) or ""
        return PushAnswer(checkout_request_id=checkout, merchant_request_id=merchant)

    async def query_stk_push_status(
        self, paybill_number: str, checkout_request_id: str
    ) -> Evidence:
        """Ask what became of a push. No answer names a receipt; an error proves nothing."""
        paybill = await self._paybill(paybill_number)
        body = wire.stk_query(paybill, checkout_request_id, self._clock.now())
        answer = await self._call(paybill, "/mpesa/stkpushquery/v1/query", body)
        return wire.query_evidence(answer)

    async def query_transaction_status(
        self, paybill_number: str, receipt: str, result_url: str, timeout_url: str
    ) -> Acknowledged:
        """Ask what became of a receipt; this answer says no more than that the question was taken.

        Raises `GatewayRefused`, also where the paybill has no initiator, and what every call
        raises.
        """
        asking = await self._with_initiator(paybill_number)
        body = status.question(asking, receipt, result_url, timeout_url)
        return await self._ordered(asking, "/mpesa/transactionstatus/v1/query", body)

    async def reverse_transaction(
        self, paybill_number: str, receipt: str, amount: int, result_url: str, timeout_url: str
    ) -> Acknowledged:
        """Order a payment back, once; this answer says no more than that the order was taken.

        Raises `GatewayRefused` or `GatewayUnavailable` when nothing was ordered, and
        `OutcomeUnknown` on silence: then look, never order again.
        """
        ordering = await self._with_initiator(paybill_number)
        body = reversal.order(ordering, receipt, amount, result_url, timeout_url)
        return await self._ordered(ordering, "/mpesa/reversal/v1/request", body)

    async def _with_initiator(self, number: str) -> Paybill:
        """Return a paybill with what its API operator signs with in clear."""
        paybill = await self._paybill(number)
        credential = paybill.credentials.security_credential
        if not paybill.has_initiator or credential is None:
            raise GatewayRefused("merchant_config", "no initiatorName and securityCredential")
        opened = replace(paybill.credentials, security_credential=self._cipher.open(credential))
        return replace(paybill, credentials=opened)

    async def _ordered(self, paybill: Paybill, path: str, body: dict[str, str]) -> Acknowledged:
        """Send what is answered later by itself."""
        answer = await self._call(paybill, path, body)
        code = values.text(answer.get("ResponseCode"))
        if code is None:
            raise OutcomeUnknown("an acknowledgement without a code")
        if code != "0":
            raise GatewayRefused("not_completed", code)
        return Acknowledged(
            originator_conversation_id=values.text(answer.get("OriginatorConversationID")) or "",
            conversation_id=values.text(answer.get("ConversationID")) or "",
        )

    async def register_c2b_urls(
        self, paybill_number: str, confirmation_url: str, validation_url: str, version: str
    ) -> None:
        """Tell Safaricom where to tell of payments; in production this works once.

        Raises `GatewayRefused`, or `OutcomeUnknown` with the code where there are URLs already.
        """
        paybill = await self._paybill(paybill_number)
        body = wire.register_urls(paybill.c2b_short_code, confirmation_url, validation_url)
        answer = await self._call(paybill, f"/mpesa/c2b/{version}/registerurl", body)
        if values.text(answer.get("ResponseCode")) != "0":
            raise GatewayRefused("merchant_config", "the URLs were not taken")

    async def pull_transactions(
        self, paybill_number: str, start: datetime, end: datetime
    ) -> list[Received]:
        """Return every payment to this account in a time of at most 48 hours, STK's among them.

        Raises `GatewayRefused` where the account has no right to it, and what every call raises.
        """
        paybill = await self._paybill(paybill_number)
        found: dict[str, Received] = {}
        offset = 0
        while offset < _MOST_PULLED:
            body = wire.pull_query(paybill.c2b_short_code, start, end, offset)
            answer = await self._call(paybill, "/pulltransactions/v1/query", body)
            rows, listed = wire.pulled(answer, paybill_number)
            news = {money.receipt: money for money in listed if money.receipt not in found}
            if not rows or (listed and not news):  # the end, or the same page again
                break
            found |= news
            offset += rows
        return list(found.values())

    async def _call(
        self, paybill: Paybill, path: str, body: dict[str, str], not_after: float = math.inf
    ) -> dict[str, Any]:
        """Send once; only a refused token, which starts nothing, earns one second sending."""
        token = await self._tokens.valid(paybill)
        url = self._tokens.base(paybill) + path
        try:
            return await self._send(url, token, body, not_after)
        except client.InvalidToken:
            number = paybill.paybill_info.number
            fresh = await self._tokens.renewed(number, stale=token, dead=True)
        try:
            return await self._send(url, fresh, body, not_after)
        except client.InvalidToken as error:
            raise GatewayRefused("merchant_config", "token refused twice") from error

    async def _send(
        self, url: str, token: str, body: dict[str, str], not_after: float
    ) -> dict[str, Any]:
        if self._clock.monotonic() > not_after:
            raise GatewayUnavailable("too late to be sent")
        return await client.send(self._http, url, token, body)

    async def _paybill(self, number: str) -> Paybill:
        """Return a paybill with what it signs with in clear: one that no longer sells may ask."""
        return self._signing(await self._tokens.paybill(number))

    def _signing(self, paybill: Paybill) -> Paybill:
        pass_key = self._cipher.open(paybill.credentials.pass_key)
        return replace(paybill, credentials=replace(paybill.credentials, pass_key=pass_key))
