"""A voucher sold by hand belongs where its holder turns up: unused, it moves there, once.

Its code may be in use at the router's own page of the hotspot that it left, until that one's box
has taken it off there. What was used until then counts.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from appliance.domain.debts import Kind, Owed
from appliance.domain.devices import Device, Reading
from appliance.domain.vouchers import State, Voucher


def movable(voucher: Voucher) -> bool:
    """Say whether nobody has used the voucher or been promised access with it yet."""
    return voucher.state in {State.PAID, State.READY} and voucher.device is None


def moved(voucher: Voucher, router_id: str, device: Device, now: datetime) -> Voucher:
    """Return the voucher at another hotspot, where it owes this device access.

    It has a device from then on, so nothing moves twice.
    """
    if not movable(voucher):
        return voucher
    return replace(
        voucher,
        router_id=router_id,
        moved_from=voucher.router_id,
        state=State.PAID,
        device=device,
        owed=Owed(Kind.GRANT, now, since=now),
    )


def used_elsewhere(voucher: Voucher, reading: Reading, now: datetime) -> Voucher:
    """Return the voucher after what was used of it where it had left; over, when that is all."""
    if voucher.ended:
        return voucher
    used = replace(
        voucher,
        used_seconds=voucher.used_seconds + reading.seconds,
        used_bytes=voucher.used_bytes + reading.moved,
    )
    if used.expires_at is not None:
        share = timedelta(seconds=reading.seconds // max(1, used.plan.devices))
        used = replace(used, expires_at=used.expires_at - share)
    if used.used_up:
        return used.over(now).due_at(now)
    ends = used.owed is not None and used.owed.kind is Kind.END
    return replace(used, owed=used.end_owed(now)) if ends else used
