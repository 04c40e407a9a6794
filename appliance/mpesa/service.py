"""`MpesaService`: tokens, STK push and STK query for every paybill and till in `paybills`."""

import asyncio
import logging
import math
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import httpx

from appliance.domain.clock import whole_milliseconds
from appliance.domain.errors import (
    Conflict,
    GatewayRefused,
    GatewayUnavailable,
    OutcomeUnknown,
    SalesClosed,
)
from appliance.domain.evidence import Evidence
from appliance.domain.paybills import Paybill
from appliance.mpesa import client, wire
from appliance.ports import Clock, Paybills

log = logging.getLogger(__name__)

_STILL_GOOD = timedelta(minutes=5)
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PushAnswer:
    """Safaricom's two names for an accepted push. The first ends with the payer's number."""

    checkout_request_id: str = field(repr=False)
    merchant_request_id: str


class MpesaService:
    """Daraja for any number of paybills; credentials and cached tokens live in `paybills`."""

    def __init__(
        self,
        paybills: Paybills,
        http: httpx.AsyncClient,
        clock: Clock,
        *,
        base_url: str | None = None,
    ) -> None:
        self._paybills = paybills
        self._http = http
        self._clock = clock
        self._base_url = base_url
        self._refreshing: dict[str, asyncio.Future[str]] = {}

    async def generate_access_token(self, paybill_number: str) -> str:
        """Fetch a new token and cache it in the paybill; it may kill the one before."""
        return await self._fetch_token(await self._paybill(paybill_number))

    async def get_valid_access_token(self, paybill_number: str) -> str:
        """Return the cached token while it is good for five minutes more, else a new one."""
        paybill = await self._paybill(paybill_number)
        return self._cached(paybill) or await self._refreshed(paybill_number, stale=None)

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
        paybill = await self._paybill(paybill_number)
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
        checkout = wire.text(answer.get("CheckoutRequestID"))
        code = wire.text(answer.get("ResponseCode"))
        if code is not None and code != "0":
            raise GatewayRefused("not_completed", code)
        if code is None or checkout is None:
            raise OutcomeUnknown("an acceptance without a name")
        merchant = wire.text(answer.get("MerchantRequestID")) or ""
        return PushAnswer(checkout_request_id=checkout, merchant_request_id=merchant)

    async def query_stk_push_status(
        self, paybill_number: str, checkout_request_id: str
    ) -> Evidence:
        """Ask what became of a push. No answer names a receipt; an error proves nothing."""
        paybill = await self._paybill(paybill_number)
        body = wire.stk_query(paybill, checkout_request_id, self._clock.now())
        answer = await self._call(paybill, "/mpesa/stkpushquery/v1/query", body)
        return wire.query_evidence(answer)

    async def _call(
        self, paybill: Paybill, path: str, body: dict[str, str], not_after: float = math.inf
    ) -> dict[str, Any]:
        """Send once; only a refused token, which starts nothing, earns one second sending."""
        number = paybill.paybill_info.number
        token = self._cached(paybill) or await self._refreshed(number, stale=None)
        url = self._base(paybill) + path
        try:
            return await self._send(url, token, body, not_after)
        except client.InvalidToken:
            fresh = await self._refreshed(number, stale=token)
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

    async def _refreshed(self, number: str, stale: str | None) -> str:
        """Return a token other than `stale`; all who ask at once share one fetch and its fate."""
        under_way = self._refreshing.get(number)
        if under_way is None:
            under_way = asyncio.ensure_future(self._refresh(number, stale))
            self._refreshing[number] = under_way
            under_way.add_done_callback(lambda done: self._refreshed_or_not(number, done))
        token = await asyncio.shield(under_way)
        return token if token != stale else await self._refreshed(number, stale)

    def _refreshed_or_not(self, number: str, done: "asyncio.Future[str]") -> None:
        del self._refreshing[number]
        if not done.cancelled() and done.exception() is not None:
            log.warning("no token paybill=%s why=%s", number, done.exception())

    async def _refresh(self, number: str, stale: str | None) -> str:
        paybill = await self._paybill(number)
        cached = self._cached(paybill)
        if cached is not None and cached != stale:
            return cached
        return await self._fetch_token(paybill)

    def _cached(self, paybill: Paybill) -> str | None:
        credentials = paybill.credentials
        expires = credentials.token_expires_at
        if expires is None or expires - self._clock.now() < _STILL_GOOD:
            return None
        return credentials.access_token

    async def _fetch_token(self, paybill: Paybill) -> str:
        credentials = paybill.credentials
        try:
            answer = await self._http.get(
                self._base(paybill) + "/oauth/v1/generate",
                params={"grant_type": "client_credentials"},
                auth=(credentials.consumer_key, credentials.consumer_secret),
            )
        except httpx.HTTPError as error:  # a token request never moves money: always safe to repeat
            raise GatewayUnavailable(type(error).__name__) from error
        found = client.json_of(answer)
        token = wire.text(found.get("access_token"))
        if answer.status_code != _OK or token is None:
            log.error("token refused paybill=%s status=%d", paybill.id, answer.status_code)
            raise GatewayRefused("merchant_config", f"token: HTTP {answer.status_code}")
        lifetime = wire.text(found.get("expires_in")) or ""
        await self._remember(paybill, token, int(lifetime) if lifetime.isdecimal() else 0)
        return token

    async def _remember(self, paybill: Paybill, token: str, lifetime: int) -> None:
        now = whole_milliseconds(self._clock.now())
        credentials = replace(
            paybill.credentials,
            access_token=token,
            token_expires_at=now + timedelta(seconds=lifetime),
            last_token_refresh=now,
        )
        try:
            await self._paybills.change(paybill, replace(paybill, credentials=credentials))
        except Conflict:
            log.info("token not cached, the paybill changed meanwhile paybill=%s", paybill.id)

    async def _paybill(self, number: str) -> Paybill:
        paybill = await self._paybills.find("paybillInfo.number", number)
        if paybill is None or paybill.status != "active":
            raise SalesClosed(f"paybill {number} is {'inactive' if paybill else 'missing'}")
        return paybill

    def _base(self, paybill: Paybill) -> str:
        return self._base_url or client.BASE_URLS[paybill.config.environment]
