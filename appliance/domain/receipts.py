"""What somebody means by what they typed or pasted: a voucher's code, an M-Pesa receipt, or either.

A receipt is known by its shape alone: Safaricom's have ten letters and digits so far.
"""

import re
from dataclasses import dataclass

from appliance.domain import ids

LONGEST_MESSAGE = 480
"""Of a pasted SMS more is never read; its receipt comes first."""

_PLAUSIBLE = re.compile("(?=.*[A-Z])[A-Z0-9]{8,12}")
_WORD = re.compile("[A-Z0-9]+")
_MIXED = re.compile("(?=.*[A-Z])(?=.*[0-9])[A-Z0-9]{10}")
_CONFIRMED = re.compile(r"(?<![A-Z0-9])([A-Z0-9]{8,12})\W{1,3}(?:CONFIRMED|IMETHIBITISHWA)\b")
_ACCOUNT = re.compile(r"\b(?:ACCOUNT|AKAUNTI)\W{1,3}([A-Z0-9]{10})(?![A-Z0-9])")
# Copying brings along marks that nobody sees.
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")


@dataclass(frozen=True, slots=True)
class Typed:
    """`code` is to be tried first, then `receipt`; an empty one is not meant."""

    code: str
    receipt: str

    @property
    def certain(self) -> bool:
        """Say whether the receipt is one for sure, whatever the code is."""
        return self.receipt not in {"", self.code}


def plausible(receipt: str) -> bool:
    """Say whether this can be a receipt at all, as Safaricom writes them."""
    return _PLAUSIBLE.fullmatch(receipt) is not None


def meant(text: str) -> Typed:
    """Return the code or the receipt that was typed, or that is in a pasted SMS.

    The SMS of a payment names our code as its account; an SMS of our own names nothing else.
    """
    said = _UNSEEN.sub("", text[:LONGEST_MESSAGE]).upper()
    confirmed = _CONFIRMED.search(said)
    if confirmed is not None and plausible(confirmed[1]):
        account = _ACCOUNT.search(said)
        code = account[1] if account is not None and account[1] != confirmed[1] else ""
        return Typed(code if plausible(code) else "", confirmed[1])
    bare = ids.typed_voucher_code(said)
    if len(bare) > ids.CODE_LENGTH:
        words = (word for word in _WORD.findall(said) if _MIXED.fullmatch(word))
        bare = next(words, bare)
    return Typed(bare, bare if plausible(bare) else "")
