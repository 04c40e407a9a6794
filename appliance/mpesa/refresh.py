"""The refresh job: what is about to end is renewed before a customer has to wait for it."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from appliance.domain.errors import ApplianceError
from appliance.domain.paybills import Paybill
from appliance.mpesa.tokens import Tokens
from appliance.ports import Clock, Paybills

log = logging.getLogger(__name__)

Outcome = Literal["refreshed", "valid", "failed"]
_RENEW_BELOW = timedelta(minutes=10)
_MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReport:
    """How one paybill's token stands; never the token itself."""

    number: str
    type: str
    environment: str
    expires_at: datetime | None
    last_refresh: datetime | None
    valid: bool
    outcome: Outcome | None = None
    """What the job made of it; None where it was only looked at."""
    error: str | None = None

    def shown(self) -> dict[str, object]:
        """Return the report for JSON, in the names of the database."""
        found = {
            "number": self.number,
            "type": self.type,
            "environment": self.environment,
            "valid": self.valid,
            "tokenExpiresAt": _iso(self.expires_at),
            "lastTokenRefresh": _iso(self.last_refresh),
            "outcome": self.outcome,
            "error": self.error,
        }
        optional = {"outcome", "error"}
        return {k: v for k, v in found.items() if v is not None or k not in optional}


@dataclass(frozen=True, slots=True)
class Refresh:
    """Looks after the tokens of every active paybill."""

    paybills: Paybills
    tokens: Tokens
    clock: Clock

    async def run(self, *, force: bool) -> list[TokenReport]:
        """Renew what has under ten minutes left, or all; one paybill's error stops no other."""
        return [await self._one(paybill, force=force) for paybill in await self._active()]

    async def status(self) -> list[TokenReport]:
        """Return how every active paybill's token stands."""
        return [self._report(paybill) for paybill in await self._active()]

    async def _active(self) -> list[Paybill]:
        found = await self.paybills.page("status", "active", _MOST)
        return sorted(found, key=lambda paybill: paybill.paybill_info.number)

    async def _one(self, paybill: Paybill, *, force: bool) -> TokenReport:
        number = paybill.paybill_info.number
        if not force and self._is_good(paybill):
            log.info("token kept paybill=%s", number)
            return self._report(paybill, "valid")
        try:
            await self.tokens.renewed(number, stale=self.tokens.remembered(paybill))
            after = await self.tokens.paybill(number)
        except ApplianceError as error:
            log.error("token not refreshed paybill=%s why=%s", number, error)
            return self._report(paybill, "failed", f"{error.code}: {error}")
        except Exception as error:
            log.exception("token not refreshed, this is a bug paybill=%s", number)
            return self._report(paybill, "failed", f"bug: {type(error).__name__}")
        log.info("token refreshed paybill=%s", number)
        return self._report(after, "refreshed")

    def _is_good(self, paybill: Paybill) -> bool:
        expires = paybill.credentials.token_expires_at
        if expires is None or self.tokens.remembered(paybill) is None:
            return False
        return expires - self.clock.now() >= _RENEW_BELOW

    def _report(
        self, paybill: Paybill, outcome: Outcome | None = None, error: str | None = None
    ) -> TokenReport:
        info, credentials = paybill.paybill_info, paybill.credentials
        return TokenReport(
            number=info.number,
            type=info.type,
            environment=paybill.config.environment,
            expires_at=credentials.token_expires_at,
            last_refresh=credentials.last_token_refresh,
            valid=self.tokens.cached(paybill) is not None,
            outcome=outcome,
            error=error,
        )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
