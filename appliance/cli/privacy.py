"""What a terminal shows of people: their numbers are hidden wherever they stand."""

import re
from typing import Any

_PHONE = re.compile(r"(?<!\d)(\+?254|0)?([17]\d{2})\d{3}(\d{3})(?!\d)")
_CHECKOUT = "CheckoutRequestID"  # it ends with the payer's number
_PHONE_DIGITS = 9


def without_phones(name: str, value: Any) -> Any:
    """Return a named value without anybody's phone number; what is nobody's stays as it is."""
    if name == "_id" or name.endswith("Id"):
        return value
    if isinstance(value, dict):
        return {inner: without_phones(inner, one) for inner, one in value.items()}
    if isinstance(value, list):
        return [without_phones(name, one) for one in value]
    if not isinstance(value, str | int) or isinstance(value, bool):
        return value
    if name == _CHECKOUT:
        return f"{str(value)[:-_PHONE_DIGITS]}•••"
    hidden = _PHONE.sub(r"\1\2•••\3", str(value))
    return value if hidden == str(value) else hidden
