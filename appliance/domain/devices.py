"""Devices and people on the hotspot, as the router itself sees them."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Device:
    """A customer's device: the MAC comes from the router's host table, never from a URL."""

    mac: str
    ip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HotspotUser:
    """The account a voucher becomes on the router; its code is both name and password."""

    name: str
    profile: str
    limit_uptime: timedelta
    limit_bytes_total: int | None = None
    rate_limit: str | None = None
    shared_users: int = 1


@dataclass(frozen=True, slots=True)
class Session:
    """One device that is online now."""

    user: str
    mac: str
    ip: str
    uptime: timedelta
