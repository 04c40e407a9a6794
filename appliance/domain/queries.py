"""What a reader of many records asks with, and gets: a place in a list, a count of a group."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from appliance.domain.errors import Invalid
from appliance.domain.ids import LONGEST

_TEXT = re.compile(rf"(m?)(\d{{1,14}})-([\w:.-]{{0,{LONGEST}}})", re.ASCII)

Moment = datetime | int
"""What orders a list: when something was, or its running number."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place in a list, newest first, right after this record.

    Without an id it is the place before everything of that moment: what is older follows.
    """

    at: Moment
    id: str = ""

    def __str__(self) -> str:
        """Return it as fits into an address."""
        if isinstance(self.at, datetime):
            return f"m{round(self.at.timestamp() * 1000)}-{self.id}"
        return f"{self.at}-{self.id}"

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Return the place that such a text names; raise `Invalid`."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise Invalid("this list has no such place", "before")
        number = int(found[2])
        try:
            at = datetime.fromtimestamp(number / 1000, UTC) if found[1] else number
        except (OverflowError, ValueError, OSError):
            raise Invalid("this list has no such place", "before") from None
        return cls(at, found[3])


@dataclass(frozen=True, slots=True)
class Slots:
    """Time cut into hours or days by the operator's clocks, which never change theirs."""

    length: timedelta
    offset: timedelta = timedelta()
    """How far those clocks are ahead of UTC."""


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many records of one group there are."""

    group: tuple[object, ...]
    """What they hold at each path that was asked for; None is what is absent."""
    count: int
    total: int = 0
    """What they hold, all together, at the path that was to be added up."""
    slot: datetime | None = None
    """When their hour or day began, in UTC."""
