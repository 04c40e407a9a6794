"""The page of somebody whose receipt is being asked about: what it repeats, and until when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appliance.domain import phones

# Safaricom answers a question about a receipt within seconds, or it does not answer.
_CHECK_SECONDS = 60


def began(form: Mapping[str, str], now: datetime) -> int | None:
    """Return when this search began, by the page's own word; None once it has lasted enough.

    Whoever writes something else there shortens or renews only their own waiting.
    """
    seconds, told = int(now.timestamp()), form.get("since", "")
    if not (told.isascii() and told.isdecimal() and len(told) <= len(str(seconds))):
        return seconds
    age = seconds - int(told)
    if age < 0:  # the clock was set back meanwhile
        return seconds
    return int(told) if age < _CHECK_SECONDS else None


def shown(form: Mapping[str, str], since: int) -> dict[str, Any]:
    """Return what the page shows and sends again: never in an address, only in a form."""
    phone = form.get("phone", "")[:32]
    return {
        "receipt": form.get("receipt", "")[:64].strip().upper(),
        "phone": phone,
        "phone_masked": phones.masked(phones.normalise(phone)),
        "since": since,
    }
