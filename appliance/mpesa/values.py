"""Single values of Daraja's messages: what they may be, and nothing where they are not."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from appliance.domain.errors import Invalid

# Daraja's timestamps are East African Time in both directions; Kenya keeps no summer time.
EAST_AFRICA = timezone(timedelta(hours=3))
_RECEIPT = re.compile(r"[A-Za-z0-9]{6,20}", re.ASCII)
_TEXT = re.compile(r"[\x20-\x7e]{1,128}", re.ASCII)
# No account holds more; what says so is no amount, and as a whole number would not fit a database.
_LARGEST = 10**12


def parsed(body: str) -> Any:
    """Return what a body holds; raise `Invalid` where it is no JSON."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Invalid("callback_malformed") from error


def text(value: object) -> str | None:
    """Return a short printable value as text; Daraja mixes numbers and strings freely."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    shown = str(value).strip()
    return shown if _TEXT.fullmatch(shown) else None


def code(value: object) -> str | None:
    """Return a result code; `0.0` and `0e0` are none, whatever they equal."""
    return None if isinstance(value, Decimal) else text(value)


def receipt(value: object) -> str | None:
    """Return a receipt; a number is none, however many digits it has."""
    shown = text(value) if isinstance(value, str) else None
    return shown.upper() if shown is not None and _RECEIPT.fullmatch(shown) else None


def amount(value: object) -> Decimal | None:
    """Return an amount of money that somebody could mean."""
    shown = text(value)
    if shown is None:
        return None
    try:
        found = Decimal(shown)
    except InvalidOperation:
        return None
    return found if found.is_finite() and 0 <= found <= _LARGEST else None


def moment(digits: str) -> datetime | None:
    """Return a time written as fourteen digits of Nairobi's."""
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=EAST_AFRICA).astimezone(UTC)
    except (ValueError, OverflowError):  # a year that no zone can shift
        return None


def _refuse(name: str) -> object:
    raise ValueError(name)
