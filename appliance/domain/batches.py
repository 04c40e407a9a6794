"""Vouchers made many at a time, to be sold on paper for cash."""

from dataclasses import dataclass

from appliance.domain import ids

MOST = 500
"""Vouchers in one batch."""
LONGEST_NOTE = 200
_ID_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Which batch a voucher is of, and where in it."""

    id: str
    number: int
    """From 1."""
    size: int
    """How many were asked for."""
    note: str | None = None


def batch_id(key: str) -> str:
    """Return the id of the batch that a request makes: always the same one for the same key."""
    return ids.fingerprint(key)[:_ID_LENGTH]


def voucher_id(batch: str, number: int) -> str:
    """Return the id of a batch's voucher of this number: always the same one."""
    return ids.fingerprint(f"{batch} {number}")[:24]
