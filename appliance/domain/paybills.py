"""Whose account the money goes to, in the shape the owner's other programs share."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

PaybillType = Literal["paybill", "till"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaybillInfo:
    """What Safaricom calls the account; a till pushes under its store number."""

    number: str
    name: str
    type: PaybillType = "paybill"
    provider: str = "safaricom"
    store_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Secrets and the cached token, sealed or in clear; none of them ever shows in a repr."""

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    pass_key: str = field(repr=False)
    initiator_name: str | None = None
    """The API operator that asks about single receipts; without one nobody asks."""
    security_credential: str | None = field(default=None, repr=False)
    """Its password under Safaricom's certificate. Safaricom ends the password after 90 days."""
    access_token: str | None = field(default=None, repr=False)
    token_expires_at: datetime | None = None
    last_token_refresh: datetime | None = None
    refresh_holder: str | None = None
    """Who fetches a new token just now; everybody else waits for it."""
    refresh_lease_until: datetime | None = None

    @property
    def secrets(self) -> tuple[str, str, str]:
        """Return what nothing can be sold without, as stored."""
        return self.consumer_key, self.consumer_secret, self.pass_key


@dataclass(frozen=True, slots=True, kw_only=True)
class PaybillConfig:
    """Which Daraja it lives on, and its callback URLs."""

    environment: Literal["sandbox", "production"] = "sandbox"
    webhook_url: str | None = None
    confirmation_url: str | None = None
    c2b_short_code: str | None = None
    """What RegisterURL takes for it, where that is not the number customers pay to."""
    pull: bool = False
    """Whether Safaricom lets this account list its own payments."""
    reversal: bool = False
    """Whether its initiator may give payments back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paybill:
    """One paybill or till; `user_id` is None for the company's own."""

    id: str
    paybill_info: PaybillInfo
    credentials: Credentials
    config: PaybillConfig = PaybillConfig()
    user_id: str | None = None
    status: Literal["active", "inactive"] = "active"
    version: int = 0

    @property
    def c2b_short_code(self) -> str:
        """Return the number that Safaricom's C2B messages and lists know it by."""
        return self.config.c2b_short_code or self.paybill_info.number

    @property
    def short_codes(self) -> frozenset[str]:
        """Return every number that Safaricom may call it by."""
        info = self.paybill_info
        return frozenset({info.number, info.store_number or info.number, self.c2b_short_code})

    @property
    def has_initiator(self) -> bool:
        """Say whether it may ask what became of a single receipt."""
        return bool(self.credentials.initiator_name and self.credentials.security_credential)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentSettings:
    """An owner's choice of account."""

    paybill_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An owner of routers."""

    id: str
    payment_settings: PaymentSettings = PaymentSettings()
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterRecord:
    """A router as the database knows it: whose it is decides where its money goes."""

    id: str
    name: str = ""
    user_id: str | None = None
    version: int = 0
