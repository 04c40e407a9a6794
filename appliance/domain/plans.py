"""What is for sale."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class ClockKind(StrEnum):
    """How a plan's time runs once it has started."""

    WALL = "wall"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A price for a time; a voucher keeps a copy, so later edits change no one's purchase."""

    id: str
    name: str
    price: int
    """Whole shillings."""
    duration: timedelta
    data_limit_bytes: int | None = None
    rate_limit: str | None = None
    """RouterOS form, the customer's upload first: `2M/5M`."""
    devices: int = 1
    clock: ClockKind = ClockKind.WALL
    order: int = 0
    active: bool = True
    account_word: str | None = None
    """The account somebody may type at the M-Pesa menu to buy this without the portal."""
    version: int = 0

    @property
    def profile(self) -> str:
        """Return the router profile with this plan's speed and devices.

        RouterOS takes any prefix of a profile's name for the profile, so the name ends in a dot
        that occurs nowhere else: none is the beginning of another.
        """
        speed = re.sub(r"[^A-Za-z0-9]", "_", self.rate_limit or "full")
        return f"appliance-{self.devices}x-{speed}."
