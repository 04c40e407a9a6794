"""The numbers and names that Safaricom makes up, and the time it lives in."""

import secrets
import string
from datetime import datetime, timedelta, timezone

# Kenya keeps no summer time.
EAST_AFRICA = timezone(timedelta(hours=3))
_DAYS = "123456789" + string.ascii_uppercase
_CAPITALS = string.digits + string.ascii_uppercase
_TOKEN = string.digits + string.ascii_letters
_YEAR_OF_Q = 2022
_FIRST_NAMES = ("NICHOLAS", "BRIAN", "ACHIENG", "WANJIKU", "KIPROTICH", "MWENDE", "FATUMA")


def now() -> datetime:
    """Return Nairobi's time."""
    return datetime.now(EAST_AFRICA)


def stamp(moment: datetime) -> str:
    """Return the moment as Daraja writes it: `20261123093000`."""
    return moment.astimezone(EAST_AFRICA).strftime("%Y%m%d%H%M%S")


def receipt(moment: datetime) -> str:
    """Return a receipt like `UKN4M1Z119`: year, month and day, then seven at random."""
    year = chr(ord("A") + (ord("Q") - ord("A") + moment.year - _YEAR_OF_Q) % 26)
    month = string.ascii_uppercase[moment.month - 1]
    return year + month + _DAYS[moment.day - 1] + _chosen(_CAPITALS, 7)


def access_token() -> str:
    """Return 28 letters and digits."""
    return _chosen(_TOKEN, 28)


def request_id() -> str:
    """Return a name like `29115-34620561-1`, for a request or as a MerchantRequestID."""
    return f"{10000 + secrets.randbelow(90000)}-{10000000 + secrets.randbelow(90000000)}-1"


def conversation_id(moment: datetime) -> str:
    """Return a name like `AG_20210709_1234409f86436c583e3f`."""
    return f"AG_{moment:%Y%m%d}_{secrets.token_hex(10)}"


def first_name(phone: str) -> str:
    """Return the first name of whoever has this phone."""
    return _FIRST_NAMES[int(phone[-2:]) % len(_FIRST_NAMES)]


def checkout_request_id(moment: datetime, phone: str) -> str:
    """Return `ws_CO_`, the moment to the millisecond, and the payer's nine digits."""
    return f"ws_CO_{moment:%d%m%Y%H%M%S}{moment.microsecond // 1000:03d}{phone[-9:]}"


def _chosen(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))
