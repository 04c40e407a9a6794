"""What may go wrong with messages."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

from appliance.sandbox.daraja.faults import WrongFault

_SENDS = ("accept", "away", "lost_answer", "insufficient_balance", "gateway_error", "crash")
_LONGEST = 600.0
_PHONE = re.compile(r"254[17][0-9]{8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults in force; the defaults are a good day."""

    send: str = "accept"
    """`lost_answer` delivers and hangs up; `away` and `crash` deliver nothing."""
    slow_seconds: float = 0.0
    refuses: tuple[str, ...] = ()
    """Numbers that want no messages."""


@dataclass(slots=True)
class Menu:
    """Holds the faults."""

    now: Faults = field(default_factory=Faults)

    def set(self, given: object) -> None:
        """Replace them; raise `WrongFault` and change nothing if they are none."""
        if not isinstance(given, dict):
            raise WrongFault("the menu is a JSON object")
        strange = given.keys() - asdict(Faults()).keys()
        if strange:
            raise WrongFault(f"no {min(strange)!r}, only: {', '.join(asdict(Faults()))}")
        self.now = _checked(given)

    def shown(self) -> dict[str, Any]:
        """Return them in the form that `set` takes."""
        return asdict(self.now) | {"refuses": list(self.now.refuses)}


def _checked(given: dict[str, Any]) -> Faults:
    send, slow = given.get("send", "accept"), given.get("slow_seconds", 0.0)
    refuses = given.get("refuses", [])
    if send not in _SENDS:
        raise WrongFault(f"send is one of: {', '.join(_SENDS)}")
    number = isinstance(slow, int | float) and not isinstance(slow, bool)
    if not number or not 0 <= slow <= _LONGEST:
        raise WrongFault(f"slow_seconds is a number of seconds from 0 to {_LONGEST:.0f}")
    listed = isinstance(refuses, list) and all(isinstance(one, str) for one in refuses)
    if not listed or not all(map(_PHONE.fullmatch, refuses)):
        raise WrongFault("refuses is a list of numbers like 254712345678")
    return Faults(send=send, slow_seconds=float(slow), refuses=tuple(refuses))
