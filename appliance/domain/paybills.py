"""Whose account the money goes to, in the shape the owner's other programs share."""

import re
from collections.abc import Iterator
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime
from typing import Literal, get_args

from appliance.domain import ids
from appliance.domain.flaws import Flaw

_NUMBER = re.compile("[0-9]{5,7}", re.ASCII)
_PASS_KEY = re.compile("[0-9a-fA-F]{64}", re.ASCII)
_SANDBOX_NUMBER = "174379"

Environment = Literal["sandbox", "production"]
Status = Literal["active", "inactive"]
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

    def without_token(self) -> "Credentials":
        """Return them as before any token; who fetches one just now keeps it to himself."""
        return replace(
            self,
            access_token=None,
            token_expires_at=None,
            last_token_refresh=None,
            refresh_holder=None,
            refresh_lease_until=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """When Safaricom was told where to tell of payments, and of which of our addresses."""

    at: datetime
    url: str
    """Without what is secret in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaybillConfig:
    """Which Daraja it lives on, and its callback URLs."""

    environment: Environment = "sandbox"
    webhook_url: str | None = None
    confirmation_url: str | None = None
    c2b_short_code: str | None = None
    """What RegisterURL takes for it, where that is not the number customers pay to."""
    pull: bool = False
    """Whether Safaricom lets this account list its own payments."""
    reversal: bool = False
    """Whether its initiator may give payments back."""
    c2b_registered: Registration | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paybill:
    """One paybill or till; `user_id` is None for the company's own."""

    id: str
    paybill_info: PaybillInfo
    credentials: Credentials
    config: PaybillConfig = PaybillConfig()
    user_id: str | None = None
    status: Status = "active"
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

    @property
    def edition(self) -> str:
        """Return what changes with everything but its token, which no person writes."""
        written = replace(self, credentials=self.credentials.without_token(), version=0)
        return ids.fingerprint(repr(astuple(written)))[:16]


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


def flaws(paybill: Paybill, pass_key: str) -> Iterator[Flaw]:
    """Yield everything that is wrong with a paybill; its pass key is given in clear."""
    for name, value, allowed in (
        ("type", paybill.paybill_info.type, get_args(PaybillType)),
        ("environment", paybill.config.environment, get_args(Environment)),
        ("status", paybill.status, get_args(Status)),
    ):
        if value not in allowed:
            yield Flaw(name, f"its {name} must be {' or '.join(allowed)}")
    yield from _number_flaws(paybill)
    yield from _store_flaws(paybill.paybill_info)
    if not all(paybill.credentials.secrets):
        yield Flaw("consumerKey", "its consumer key, consumer secret and pass key must be set")
    if not _PASS_KEY.fullmatch(pass_key):
        yield Flaw("passKey", "its pass key is not 64 hex digits as Safaricom's are", grave=False)


def _number_flaws(paybill: Paybill) -> Iterator[Flaw]:
    number, config = paybill.paybill_info.number, paybill.config
    if not _NUMBER.fullmatch(number):
        yield Flaw("number", "Safaricom's numbers have 5 to 7 digits")
    if config.environment == "production" and number == _SANDBOX_NUMBER:
        yield Flaw("number", "this is Safaricom's number for tests, not yours")
    if config.c2b_short_code is not None and not _NUMBER.fullmatch(config.c2b_short_code):
        yield Flaw("c2bShortCode", "the number for C2B has 5 to 7 digits")


def _store_flaws(info: PaybillInfo) -> Iterator[Flaw]:
    if info.type == "till" and info.store_number is None:
        yield Flaw(
            "storeNumber",
            "it has no store number: a till's prompt goes out under it, and Safaricom refuses it "
            "otherwise. It is the head office number of the Go-Live mail",
        )
    elif info.store_number is not None and not _NUMBER.fullmatch(info.store_number):
        yield Flaw("storeNumber", "a store number has 5 to 7 digits")
    if info.type == "till" and info.store_number == info.number:
        yield Flaw("storeNumber", "its store number is the till's own number", grave=False)
    if info.type == "paybill" and info.store_number not in {None, info.number}:
        yield Flaw(
            "storeNumber", "it has a store number, as tills have: is its type right?", grave=False
        )
