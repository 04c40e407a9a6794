"""What can go wrong, named by its consequence."""

import math
from typing import ClassVar


class ApplianceError(Exception):
    """Anything this product expects to go wrong."""

    code: ClassVar[str] = "unexpected"


class Invalid(ApplianceError):
    """What a person sent cannot be used; `field` names the part, `reason` the sentence to show."""

    code = "invalid"

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.field = field


class Locked(ApplianceError):
    """An earlier payment of this phone is still undecided: asking for money again must wait."""

    code = "first_payment_checking"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"{seconds} s left")
        self.seconds = seconds


class TooMany(ApplianceError):
    """Somebody did too much of this lately; after so many `seconds` they may again.

    `field` and `reason` are as those of `Invalid`.
    """

    code = "too_many"

    def __init__(self, seconds: float, field: str = "", reason: str = "too_many") -> None:
        super().__init__(f"{seconds:.0f} s left")
        self.seconds = max(1, math.ceil(seconds))
        self.field = field
        self.reason = reason


class SalesClosed(ApplianceError):
    """Nothing can be sold now; the text says why, for the operator."""

    code = "sales_closed"


class Duplicate(ApplianceError):
    """A document with this unique key is already stored."""

    code = "duplicate"

    def __init__(self, collection: str, key: str) -> None:
        super().__init__(f"{collection}.{key}")
        self.key = key


class Conflict(ApplianceError):
    """The document moved on since it was read: load it and decide again."""

    code = "conflict"


class StoreUnavailable(ApplianceError):
    """The database did not answer; a write may or may not have happened: read before writing."""

    code = "database_away"


class Unstorable(StoreUnavailable):
    """The database takes other documents, but not this one."""


class Unreadable(ApplianceError):
    """A stored document is not of a shape that this version knows."""

    code = "unreadable"


class GatewayRefused(ApplianceError):
    """M-Pesa said no and nothing was started; `reason` names the customer's sentence."""

    code = "gateway_refused"

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class GatewayUnavailable(ApplianceError):
    """M-Pesa was never reached: asking again is safe."""

    code = "gateway_unreachable"


class OutcomeUnknown(ApplianceError):
    """The request left us and no clear answer came: query, never resend.

    `answered` when there was an answer, but one that proves nothing.
    """

    code = "outcome_unknown"

    def __init__(self, detail: str, *, answered: bool = False) -> None:
        super().__init__(detail)
        self.answered = answered


class SmsRefused(ApplianceError):
    """The provider will never send this message; nothing was sent, `reason` says why."""

    code = "sms_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SmsUnavailable(ApplianceError):
    """Nothing was sent, and the same may be taken later; `reason` says why not now."""

    code = "sms_not_taken"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RouterUnreachable(ApplianceError):
    """The router did not answer; a change may or may not have been made: look before adding."""

    code = "router_away"


class RouterRefused(ApplianceError):
    """The router answered no, in its own words; `used_up` when the user's time or data is spent."""

    code = "router_refused"

    def __init__(self, message: str, *, used_up: bool = False) -> None:
        super().__init__(message)
        self.used_up = used_up


class DeviceAbsent(ApplianceError):
    """The customer's device is not on the hotspot now; its time has not started."""

    code = "device_absent"


class ClockInDoubt(ApplianceError):
    """Nobody knows what time it is: nothing may expire until somebody does."""

    code = "clock_in_doubt"
