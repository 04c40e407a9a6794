"""Kenyan mobile numbers in the one form Safaricom takes: `2547XXXXXXXX` or `2541XXXXXXXX`."""

import hashlib
import re

from appliance.domain.errors import Invalid

_LONGEST = 32
_SEPARATORS = re.compile(r"[\s().-]+")
_HASH = re.compile("[0-9a-f]{64}")
_MASK = re.compile(r"(?:\+?254|0)?([17]\d{0,4})\*+(\d{2,4})", re.ASCII)
_KENYAN_MOBILE = re.compile(r"(?:\+?254|0)?([17][0-9]{8})", re.ASCII)


def normalise(text: str) -> str:
    """Return the 12-digit number meant by 07…, 01…, 7…, 1…, 254… or +254…, spaces allowed.

    The prefix never decides the operator: numbers are portable, and Daraja has the last word.
    """
    if len(text) > _LONGEST:
        raise Invalid("phone_invalid", "phone")
    found = _KENYAN_MOBILE.fullmatch(_SEPARATORS.sub("", text))
    if found is None:
        raise Invalid("phone_invalid", "phone")
    return "254" + found.group(1)


def readable(msisdn: str) -> bool:
    """Say whether a payer is named in a form that can be compared with a number."""
    given = _given(msisdn)
    return any(form.fullmatch(given) for form in (_HASH, _MASK, _KENYAN_MOBILE))


def fits(phone: str, msisdn: str) -> bool:
    """Say whether a payer as Safaricom names them can be this number.

    The name is the number in any form, the SHA-256 of one, or a mask like `2547 ***** 126`.
    """
    given = _given(msisdn)
    if _HASH.fullmatch(given):
        forms = (phone, f"+{phone}", local(phone), phone[3:])
        return any(hashlib.sha256(form.encode()).hexdigest() == given for form in forms)
    mask = _MASK.fullmatch(given)
    if mask is not None:
        return phone[3:].startswith(mask[1]) and phone.endswith(mask[2])
    number = _KENYAN_MOBILE.fullmatch(given)
    return number is not None and phone == "254" + number[1]


def local(phone: str) -> str:
    """Return the number as people here write it: `0712345678`."""
    return f"0{phone[3:]}"


def masked(phone: str) -> str:
    """Return the number as its owner recognises it and a neighbour does not: `0712 ••• 678`."""
    return f"0{phone[3:6]} ••• {phone[-3:]}"


def _given(msisdn: str) -> str:
    return _SEPARATORS.sub("", msisdn).lower()
