"""Devices and people on the hotspot, as the router itself sees them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
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
    up: int = 0
    """Bytes from the device."""
    down: int = 0

    @property
    def moved(self) -> int:
        """Return the bytes, up and down."""
        return self.up + self.down


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A hotspot user of ours as the router has it; its counters leave out running sessions."""

    name: str
    uptime: timedelta = timedelta()
    moved: int = 0
    """Bytes, up and down."""
    limit_uptime: timedelta | None = None
    limit_bytes_total: int | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What the router has counted for one user, running sessions included."""

    seconds: int
    moved: int
    """Bytes, up and down."""

    @classmethod
    def of(cls, entry: Entry, sessions: Iterable[Session]) -> "Reading":
        """Return the sum of what the user's entry and its sessions say."""
        running = list(sessions)
        uptime = sum((session.uptime for session in running), entry.uptime)
        moved = entry.moved + sum(session.moved for session in running)
        return cls(int(uptime.total_seconds()), moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Remembers which voucher a device shares with others; `id` is from `seat_id`."""

    id: str
    voucher_id: str
    version: int = 0

    def taken_for(self, voucher_id: str) -> "Seat":
        """Return the seat on another voucher."""
        return replace(self, voucher_id=voucher_id)

    def given_up(self) -> "Seat":
        """Return the seat on no voucher: its device was logged out by another one."""
        return replace(self, voucher_id="")


def seat_id(router_id: str, mac: str) -> str:
    """Return the one name of a device on one hotspot."""
    return f"{router_id}/{mac}"
