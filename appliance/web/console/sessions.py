"""Who is signed in: kept here and nowhere else, so a restart or a word of the operator ends all."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime

from appliance.domain import ids
from appliance.ports import Clock

IDLE_SECONDS = 12 * 3600.0
LONGEST_SECONDS = 7 * 86_400.0
"""However busy, somebody shows the password once a week."""
_MOST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser that is signed in."""

    id: str
    """Names it on the page where it can be ended; opens nothing."""
    csrf: str = field(repr=False)
    """Stands in every form of it, so that no other site can fill one in."""
    began: datetime
    address: str
    browser: str
    started: float
    seen: float
    """When somebody last asked for something with it, by the clock that only grows."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """All of them, by the fingerprint of the secret in their cookie."""

    clock: Clock
    _open: OrderedDict[str, Session] = field(default_factory=OrderedDict, repr=False)

    def begin(self, address: str, browser: str) -> str:
        """Sign a browser in and return the secret for its cookie."""
        token, now = secrets.token_urlsafe(32), self.clock.monotonic()
        self._open[ids.fingerprint(token)] = Session(
            id=secrets.token_hex(6),
            csrf=secrets.token_urlsafe(24),
            began=self.clock.now(),
            address=address,
            browser=browser[:200],
            started=now,
            seen=now,
        )
        if len(self._open) > _MOST:
            self._open.popitem(last=False)
        return token

    def find(self, token: str, *, by_itself: bool = False) -> Session | None:
        """Return the session with this secret, as seen now; None for one that has idled away.

        What a page asks `by_itself` says nothing of anybody who sits before it.
        """
        key, now = ids.fingerprint(token), self.clock.monotonic()
        session = self._open.pop(key, None)
        if session is None or not self._lasts(session):
            return None
        self._open[key] = session if by_itself else replace(session, seen=now)
        return self._open[key]

    def is_open(self, session_id: str) -> bool:
        """Say whether this session has neither been ended nor idled away."""
        return any(session.id == session_id for session in self.all())

    def _lasts(self, session: Session) -> bool:
        now = self.clock.monotonic()
        return now - session.seen <= IDLE_SECONDS and now - session.started <= LONGEST_SECONDS

    def all(self) -> list[Session]:
        """Return those that are open, the latest to ask first."""
        return [session for session in reversed(self._open.values()) if self._lasts(session)]

    def end(self, session_id: str) -> None:
        """Sign one out."""
        for key in [key for key, session in self._open.items() if session.id == session_id]:
            del self._open[key]

    def end_all(self) -> None:
        """Sign everybody out."""
        self._open.clear()
