"""The hotspot user that a voucher becomes, with limits that hold while the box is off."""

from dataclasses import replace
from datetime import datetime, timedelta

from appliance.domain.devices import Entry, HotspotUser, Reading
from appliance.domain.plans import ClockKind
from appliance.domain.vouchers import Voucher

# Less is no reason to write to the router's flash.
_SLACK = timedelta(minutes=1)
_SLACK_BYTES = 1_000_000


def fresh(voucher: Voucher, now: datetime) -> HotspotUser:
    """Return the user for a router that has counted nothing of it: it may use what is left.

    A limit of zero would be none at all.
    """
    sold = voucher.bytes_sold
    unused = int(voucher.length.total_seconds()) - voucher.used_seconds
    left = voucher.seconds_left(now) or unused  # nothing by a clock in doubt
    return HotspotUser(
        name=voucher.code,
        profile=voucher.plan.profile,
        limit_uptime=timedelta(seconds=max(1, left)),
        limit_bytes_total=None if sold is None else max(1, sold - voucher.used_bytes),
        rate_limit=voucher.plan.rate_limit,
        shared_users=voucher.plan.devices,
    )


def after(voucher: Voucher, now: datetime, reading: Reading) -> HotspotUser:
    """Return the user for a router that had counted so much then: its limits go on from there."""
    user = fresh(voucher, now)
    data = user.limit_bytes_total
    # What was counted belongs to the reading that it was counted from, perhaps a later one.
    seconds = voucher.router_seconds if voucher.expires_at is None else reading.seconds
    return replace(
        user,
        limit_uptime=user.limit_uptime + timedelta(seconds=seconds),
        limit_bytes_total=None if data is None else data + voucher.router_bytes,
    )


def fits(entry: Entry, voucher: Voucher, now: datetime, reading: Reading) -> bool:
    """Say whether the router's user neither stops its holder early nor gives more than was sold.

    The clock runs on while a device is away, so a limit by the clock may be anything up to all.
    """
    wanted = after(voucher, now, reading)
    limit, data = entry.limit_uptime, wanted.limit_bytes_total
    if entry.disabled or limit is None or limit < wanted.limit_uptime - _SLACK:
        return False
    by_clock = voucher.plan.clock is ClockKind.WALL
    most = max(voucher.length, wanted.limit_uptime) if by_clock else wanted.limit_uptime
    if limit > most + _SLACK:
        return False
    return data is None or abs((entry.limit_bytes_total or 0) - data) <= _SLACK_BYTES
