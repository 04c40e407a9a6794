"""Access tokens: cached in the paybill, and renewed by one at a time among all who share it.

A new token may kill the one before, so whoever renews first writes a lease into the paybill. The
others wait and read the new token from there. A lease whose holder died is taken over once it has
been seen unchanged for its whole length, whatever anybody's clock says.
"""

import asyncio
import logging
import random
import re
import secrets
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import httpx

from appliance.domain.clock import whole_milliseconds
from appliance.domain.errors import (
    ApplianceError,
    Conflict,
    GatewayRefused,
    GatewayUnavailable,
    SalesClosed,
)
from appliance.domain.paybills import Credentials, Paybill
from appliance.mpesa import client
from appliance.ports import Cipher, Clock, Paybills

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
# Less than the lease: who still fetches when it ends would be the second to do so.
_FETCH_WITHIN = 8.0
# Clocks of two boxes differ: this far past its end a lease is dead without having been watched.
_CLOCKS_DIFFER = timedelta(minutes=1)
_WAIT_AT_MOST = 30.0
_LOOK_EVERY = 0.1
_STILL_GOOD = timedelta(minutes=5)
_SHARED_TRIES = 3
"""Others may have asked for another reason, and got what we have."""
_LONGEST_LIFE = 86_400
_OK = 200
_WRONG_KEYS = frozenset({400, 401, 404})
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there was no new token."""

    at: datetime
    why: str


class Tokens:
    """The tokens of every paybill, for one process of many."""

    def __init__(
        self,
        paybills: Paybills,
        http: httpx.AsyncClient,
        clock: Clock,
        cipher: Cipher,
        base_url: str | None,
    ) -> None:
        """Take a `base_url` only for a pretend Safaricom, which stands in for its sandbox."""
        self._paybills = paybills
        self._http = http
        self._clock = clock
        self._cipher = cipher
        self._base_url = base_url
        self._renewing: dict[str, asyncio.Future[str]] = {}
        self.troubles: dict[str, Trouble] = {}
        """By number, for as long as the latest try was in vain."""

    async def paybill(self, number: str) -> Paybill:
        """Return the paybill as stored; raise `SalesClosed` where there is none."""
        paybill = await self._paybills.find("paybillInfo.number", number)
        if paybill is None:
            raise SalesClosed(f"paybill {number} is missing")
        return paybill

    async def active(self, number: str) -> Paybill:
        """Return the paybill as stored; raise `SalesClosed` unless it is active."""
        paybill = await self.paybill(number)
        if paybill.status != "active":
            raise SalesClosed(f"paybill {number} is inactive")
        return paybill

    def base(self, paybill: Paybill) -> str:
        """Return the address of the Daraja it lives on; a pretence never sees real keys."""
        if self._base_url is None:
            return client.BASE_URLS[paybill.config.environment]
        if paybill.config.environment == "production":
            number = paybill.paybill_info.number
            raise SalesClosed(f"paybill {number} is production, daraja.base_url is a pretence")
        return self._base_url

    def cached(self, paybill: Paybill) -> str | None:
        """Return the cached token while it is good for five minutes more."""
        expires = paybill.credentials.token_expires_at
        if expires is None or expires - self._clock.now() < _STILL_GOOD:
            return None
        return self.remembered(paybill)

    def remembered(self, paybill: Paybill) -> str | None:
        """Return the cached token however old it is; None where there is none to be read."""
        stored = paybill.credentials.access_token
        if not stored:
            return None
        try:
            return self._cipher.open(stored)
        except SalesClosed:
            return None  # sealed with a key that is gone: a new token is all that it takes

    async def valid(self, paybill: Paybill) -> str:
        """Return the cached token, or a new one where it is about to end."""
        return self.cached(paybill) or await self.renewed(paybill.paybill_info.number, stale=None)

    async def renewed(self, number: str, stale: str | None, *, dead: bool = False) -> str:
        """Return a token other than `stale`, which nobody gets again if it is dead.

        All who ask this process at once share one try and its fate. Where Safaricom itself gives
        the stale one again there is no better.
        """
        token = stale or ""
        for _ in range(_SHARED_TRIES):
            token = await asyncio.shield(self._shared_try(number, stale, dead=dead))
            if token != stale:
                break
        return token

    def _shared_try(self, number: str, stale: str | None, *, dead: bool) -> "asyncio.Future[str]":
        under_way = self._renewing.get(number)
        # One that has just ended is still there, and would give everybody the same at once.
        if under_way is None or under_way.done():
            under_way = asyncio.ensure_future(self._renew_in_time(number, stale, dead=dead))
            self._renewing[number] = under_way
            under_way.add_done_callback(lambda done: self._renewed_or_not(number, done))
        return under_way

    def _renewed_or_not(self, number: str, done: "asyncio.Future[str]") -> None:
        if self._renewing.get(number) is done:
            del self._renewing[number]
        if done.cancelled():
            return
        self.troubles.pop(number, None)
        if (error := done.exception()) is not None:
            self.troubles[number] = Trouble(self._clock.now(), str(error))
            log.warning("no token paybill=%s why=%s", number, error)

    async def _renew_in_time(self, number: str, stale: str | None, *, dead: bool) -> str:
        try:
            async with asyncio.timeout(_WAIT_AT_MOST):
                return await self._renew(number, stale, dead=dead)
        except TimeoutError as error:
            raise GatewayUnavailable("no token in time") from error

    async def _renew(self, number: str, stale: str | None, *, dead: bool) -> str:
        seen, since = _NOBODY, self._clock.monotonic()
        while True:
            paybill = await self.paybill(number)
            cached = self.cached(paybill)
            if cached is not None and cached != stale:
                return cached
            lease = _lease(paybill.credentials)
            if lease != seen:
                seen, since = lease, self._clock.monotonic()
            token = None
            if self._is_free(lease, since):
                token = await self._renew_alone(paybill, drop=stale if dead else None)
            if token is not None:
                return token
            await asyncio.sleep(_LOOK_EVERY * random.uniform(0.5, 1))  # noqa: S311 # jitter

    def _is_free(self, lease: tuple[str | None, datetime | None], since: float) -> bool:
        holder, until = lease
        if holder is None or until is None or self._clock.now() >= until + _CLOCKS_DIFFER:
            return True
        return self._clock.monotonic() - since >= LEASE.total_seconds()

    async def _renew_alone(self, paybill: Paybill, drop: str | None) -> str | None:
        """Return a new token; None where somebody else was faster."""
        mine = secrets.token_hex(8)
        credentials = replace(
            paybill.credentials,
            refresh_holder=mine,
            refresh_lease_until=whole_milliseconds(self._clock.now()) + LEASE,
        )
        if drop is not None and self.remembered(paybill) == drop:
            credentials = replace(credentials, access_token=None, token_expires_at=None)
        try:
            leased = await self._changed(paybill, credentials)
        except Conflict:
            return None
        try:
            token, lifetime = await self._fetch(leased)
        except ApplianceError:
            await self._let_go(leased)
            raise
        return await self._remember(leased, mine, token, lifetime)

    async def _fetch(self, paybill: Paybill) -> tuple[str, int]:
        """Return a token and its life in seconds. It moves no money: always safe to repeat."""
        number, keys = paybill.paybill_info.number, paybill.credentials
        auth = (self._cipher.open(keys.consumer_key), self._cipher.open(keys.consumer_secret))
        try:
            async with asyncio.timeout(_FETCH_WITHIN):
                answer = await self._http.get(
                    self.base(paybill) + "/oauth/v1/generate",
                    params={"grant_type": "client_credentials"},
                    auth=auth,
                )
        except (httpx.HTTPError, TimeoutError) as error:
            raise GatewayUnavailable(f"token: {type(error).__name__}") from error
        found = client.json_of(answer)
        token = found.get("access_token")
        if answer.status_code in _WRONG_KEYS:
            log.error("token refused paybill=%s status=%d", number, answer.status_code)
            raise GatewayRefused("merchant_config", f"token: HTTP {answer.status_code}")
        if answer.status_code != _OK or not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise GatewayUnavailable(f"token: HTTP {answer.status_code}")
        return token, _seconds(found.get("expires_in"))

    async def _remember(self, paybill: Paybill, mine: str, token: str, lifetime: int) -> str | None:
        """Store the token if the lease is still ours; None where another's token follows it."""
        now = whole_milliseconds(self._clock.now())
        while True:
            credentials = replace(
                paybill.credentials,
                access_token=self._cipher.seal(token),
                token_expires_at=now + timedelta(seconds=lifetime),
                last_token_refresh=now,
                refresh_holder=None,
                refresh_lease_until=None,
            )
            try:
                await self._changed(paybill, credentials)
            except Conflict:
                paybill = await self.paybill(paybill.paybill_info.number)
                if paybill.credentials.refresh_holder != mine:
                    return None
            else:
                return token

    async def _let_go(self, leased: Paybill) -> None:
        """End the lease, so that nobody waits for a token that does not come."""
        freed = replace(leased.credentials, refresh_holder=None, refresh_lease_until=None)
        with suppress(ApplianceError):  # it runs out by itself
            await self._changed(leased, freed)

    async def _changed(self, paybill: Paybill, credentials: Credentials) -> Paybill:
        return await self._paybills.change(paybill, replace(paybill, credentials=credentials))


_NOBODY: tuple[str | None, datetime | None] = (None, None)


def _lease(credentials: Credentials) -> tuple[str | None, datetime | None]:
    return credentials.refresh_holder, credentials.refresh_lease_until


def _seconds(expires_in: object) -> int:
    """Return a token's life: Daraja writes it as text or as a number."""
    shown = str(expires_in)
    known = shown.isascii() and shown.isdecimal() and len(shown) < len(str(_LONGEST_LIFE)) + 1
    return min(int(shown), _LONGEST_LIFE) if known else 0
