"""How one user on the router differs from its voucher in the books."""

from datetime import datetime
from enum import StrEnum

from appliance.domain import accounts
from appliance.domain.devices import Entry, Reading
from appliance.domain.vouchers import Voucher


class Fault(StrEnum):
    """What is to be put right."""

    MISSING = "missing"
    """It was paid for and is not there."""
    LIMITS = "limits"
    """It is there with other limits than what is left of it."""
    ENDED = "ended"
    """It is there and its time is over, or was taken away."""
    LEFT = "left"
    """It is there and its voucher has moved to another hotspot."""
    UNKNOWN = "unknown"
    """It has our mark and no voucher of this name: left alone, a person must look."""


def of_voucher(
    voucher: Voucher,
    router_id: str,
    certain: datetime | None,
    entry: Entry | None,
    reading: Reading | None,
    at: datetime,
) -> Fault | None:
    """Return how the router stands to a voucher that it should know; None where it is well."""
    if voucher.router_id != router_id:
        return Fault.LEFT
    if not voucher.usable(certain):
        return Fault.ENDED
    if entry is None:
        return Fault.MISSING
    if reading is not None and not accounts.fits(entry, voucher, at, reading):
        return Fault.LIMITS
    return None


def of_user(voucher: Voucher | None, router_id: str) -> Fault | None:
    """Return what is wrong with a user of ours that the books do not expect on the router."""
    if voucher is None:
        return Fault.UNKNOWN
    if voucher.router_id != router_id:
        # Others may be of this very router, as a box called it that is no longer there.
        return Fault.LEFT if voucher.moved_from == router_id else Fault.UNKNOWN
    return Fault.ENDED if voucher.ended else None
