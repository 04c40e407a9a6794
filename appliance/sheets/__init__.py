"""Vouchers on paper: A4 sheets to cut, strips of a thermal printer, and rows for a spreadsheet.

The libraries that draw are loaded when something is drawn: a box that prints nothing has no use
for them in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Paper(StrEnum):
    """What is printed on."""

    A4 = "a4"
    """24 to a sheet, with cut marks."""
    NARROW = "58mm"
    """A strip for each."""
    WIDE = "80mm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What is printed of one voucher, in the words of its reader."""

    brand: str
    plan: str
    price: str
    facts: str
    """What the plan gives, where its name does not say it."""
    code: str
    address: str
    """What a scan opens."""
    how_to: str
    help: str
    """Whom to call; nothing where nobody is named."""


def pdf(tickets: Sequence[Ticket], paper: Paper) -> bytes:
    """Return a document with every ticket on this paper."""
    from appliance.sheets import a4, strips  # noqa: PLC0415

    if paper is Paper.A4:
        return a4.drawn(tickets)
    return strips.drawn(tickets, strips.ROLLS[paper])
