"""The canary: a free minute for nobody, to see that the router still takes vouchers."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appliance.domain.debts import Kind, Owed
from appliance.domain.devices import Device
from appliance.domain.plans import ClockKind, Plan
from appliance.domain.vouchers import State, Voucher, drawn_up

CANARY = "canary"
"""The plan of every canary; no payment belongs to it, so it is no sale."""
LASTS = timedelta(minutes=1)
ABSENT = "the device is not in the network"
IN_USE = "the device has time of its own, and is left alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one canary."""

    at: datetime
    seconds: float
    """From its birth until the router had forgotten it again, or until it failed."""
    granted_seconds: float | None = None
    """From its birth until it was read back from the router."""
    way: str | None = None
    """How the router was told: `api` or `ssh`."""
    online_seconds: float | None = None
    """From its birth until its device was online; None where no device was logged in."""
    left_alone: str | None = None
    """Why not, where one is named; that is no trouble."""
    trouble: str | None = None
    """What went wrong; None when all went well."""


def hatched(like: Plan, router_id: str, now: datetime, device: Device | None = None) -> Voucher:
    """Return a canary with a plan's speed and devices; one with a device is for that one alone.

    It owes its end from birth: whoever made it may die at any moment.
    """
    plan = replace(
        like,
        id=CANARY,
        name=CANARY,
        price=0,
        duration=LASTS,
        data_limit_bytes=None,
        devices=like.devices if device is None else 1,
        clock=ClockKind.WALL,
        account_word=None,
    )
    ends = now + LASTS
    canary = drawn_up(plan, router_id=router_id, payment_id=None, now=now, device=device)
    return replace(
        canary, state=State.PAID, paid_at=now, expires_at=ends, owed=Owed(Kind.END, ends)
    )


def forgotten(canary: Voucher) -> Voucher:
    """Return it as nobody's: what its device has bought is not looked for among canaries."""
    return replace(canary, device=None)
