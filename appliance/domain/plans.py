"""What is for sale."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from appliance.domain import ids
from appliance.domain.flaws import Flaw

LARGEST_PRICE = 250_000
LONGEST = timedelta(days=366)
LONGEST_NAME = 40
MOST_BYTES = 10**13
MOST_DEVICES = 100
LARGEST_ORDER = 9_999
# As RouterOS has it: speeds, then bursts and their times, a priority, guaranteed speeds.
_RATE = re.compile(
    r"\d{1,12}[kMG]?(/\d{1,12}[kMG]?)?"
    r"( \d{1,12}[kMG]?/\d{1,12}[kMG]?( \d{1,12}[kMG]?/\d{1,12}[kMG]?( [\dkMGs/]{1,40}){0,3})?)?",
    re.ASCII,
)
_WORD = re.compile("[A-Za-z0-9]{1,20}", re.ASCII)


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
    def place(self) -> tuple[int, int, str]:
        """Return what puts plans in the order in which customers see them."""
        return self.order, self.price, self.id

    @property
    def profile(self) -> str:
        """Return the router profile with this plan's speed and devices.

        RouterOS takes any prefix of a profile's name for the profile, so the name ends in a dot
        that occurs nowhere else: none is the beginning of another.
        """
        speed = re.sub(r"[^A-Za-z0-9]", "_", self.rate_limit or "full")
        return f"appliance-{self.devices}x-{speed}."


def trial(like: Plan | None) -> Plan:
    """Return what a shilling buys that tries a paybill: a minute, at the speed of this plan."""
    usual = like or Plan(id="", name="", price=1, duration=timedelta(minutes=1))
    return Plan(
        id="trial-of-a-paybill",
        name="Trial of a paybill",
        price=1,
        duration=timedelta(minutes=1),
        rate_limit=usual.rate_limit,
        devices=usual.devices,
    )


def flaws(plan: Plan) -> Iterator[Flaw]:
    """Yield everything that is wrong with a plan, by the names that its fields are stored under."""
    if not 0 < len(plan.id) <= ids.LONGEST:
        yield Flaw("id", f"it needs an id of at most {ids.LONGEST} characters")
    if not 0 < len(plan.name.strip()) <= LONGEST_NAME or not plan.name.isprintable():
        yield Flaw("name", f"its name must be 1 to {LONGEST_NAME} characters")
    if not timedelta(seconds=1) <= plan.duration <= LONGEST:
        yield Flaw("durationSeconds", f"its time must be 1 second to {LONGEST.days} days")
    for name, what, value, least, most in (
        ("price", "price in whole shillings", plan.price, 1, LARGEST_PRICE),
        ("dataLimitBytes", "data in bytes", plan.data_limit_bytes or 1, 1, MOST_BYTES),
        ("devices", "number of devices", plan.devices, 1, MOST_DEVICES),
        ("order", "place in the shop", plan.order, 0, LARGEST_ORDER),
    ):
        if type(value) is not int or not least <= value <= most:
            yield Flaw(name, f"its {what} must be {least} to {most}")
    if plan.rate_limit is not None and not _RATE.fullmatch(plan.rate_limit):
        yield Flaw("rateLimit", "its speed must be as RouterOS writes it, such as 2M/5M")
    if plan.account_word is not None and not _WORD.fullmatch(plan.account_word):
        yield Flaw("accountWord", "its account word must be 1 to 20 letters and digits, no spaces")
