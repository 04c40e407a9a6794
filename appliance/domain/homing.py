"""A voucher sold by hand belongs where its holder turns up: unused, it moves there, once.

It moves at once: who paid stands at the second hotspot, and the box of the first may be off for
long. Until that box has taken it off, its code is good at that router's own page too, for as much
as was sold and no more: each router holds that limit. So one voucher gives at most twice its time,
and only where that box is away. What was used there counts when it is back, and is warned about.
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
    """Return the voucher after the counters of the router that it left; over, when that is all.

    What they showed before counts once; of one that has ended it is only written down.
    """
    seconds = max(0, reading.seconds - voucher.left_seconds)
    moved_bytes = max(0, reading.moved - voucher.left_bytes)
    used = replace(
        voucher,
        used_seconds=voucher.used_seconds + seconds,
        used_bytes=voucher.used_bytes + moved_bytes,
        left_seconds=voucher.left_seconds + seconds,
        left_bytes=voucher.left_bytes + moved_bytes,
    )
    if used.ended:
        return used
    if used.expires_at is not None:
        share = timedelta(seconds=seconds // max(1, used.plan.devices))
        used = replace(used, expires_at=used.expires_at - share)
    if used.used_up:
        return used.over(now).due_at(now)
    ends = used.owed is not None and used.owed.kind is Kind.END
    return replace(used, owed=used.end_owed(now)) if ends else used


def taken_off(voucher: Voucher, now: datetime) -> Voucher:
    """Return the voucher as no longer known to the router that it left."""
    return voucher if voucher.left_at is not None else replace(voucher, left_at=now)
