"""What a field may hold, and the refusal of the first that holds something else."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from appliance.sandbox.daraja.answers import invalid

Fits = Callable[[str], bool]

MOST = 250_000
"""Shillings in one transaction."""
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_FORBIDDEN = re.compile(
    r"m-?pesa|safaricom|exe|cmd|sql|query|ngrok|mockbin|requestbin", re.ASCII | re.IGNORECASE
)


def checked(fields: Mapping[str, Any], rules: Mapping[str, Fits]) -> dict[str, str]:
    """Return the fields that have a rule, as text; raise `Refusal` at the first that is wrong."""
    found = {name: text(fields.get(name)) for name in rules}
    for name, fits in rules.items():
        if not fits(found[name]):
            raise invalid(name)
    return found


def text(value: object) -> str:
    """Return text or a whole number as text; anything else is as good as nothing."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value)


def matching(pattern: str) -> Fits:
    """Return a test for the whole of a field, in ASCII."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def words_up_to(most: int) -> Fits:
    """Return a test for a line of at least one character and at most so many."""
    return lambda value: 1 <= len(value) <= most and value.isprintable()


def optional(fits: Fits) -> Fits:
    """Return a test that an absent field passes too."""
    return lambda value: not value or fits(value)


def is_amount(value: str) -> bool:
    """Tell whole shillings that M-Pesa moves at once."""
    return re.fullmatch(r"[1-9][0-9]{0,5}", value, re.ASCII) is not None and int(value) <= MOST


def is_url(value: str) -> bool:
    """Tell what would be called: https, or this machine itself, since this is a sandbox.

    A host with capitals was seen refused; nobody knows whether that is the rule.
    """
    if not re.fullmatch(r"[!-~]+", value):
        return False
    try:
        parts = urlsplit(value)
        host = parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}")
    except ValueError:
        return False
    if host in _LOOPBACK:
        return parts.scheme in {"http", "https"}
    named = re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", host) is not None
    return parts.scheme == "https" and named


def is_c2b_url(value: str) -> bool:
    """Tell a URL without any of the words that C2B refuses, wherever they stand."""
    return is_url(value) and not _FORBIDDEN.search(value)


is_phone = matching(r"254[17][0-9]{8}")
is_short_code = matching(r"[0-9]{5,7}")
