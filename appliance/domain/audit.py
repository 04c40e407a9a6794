"""The audit log: who did what, each entry naming the one before it by its hash; all of it pure.

Whoever changes an entry, or takes one out, breaks the chain from there on. The last entries can be
cut off unseen, and who may write the database may forge all of it: keep an export elsewhere.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

_PHONE = re.compile(
    r"(?<![0-9A-Za-z])(?:\+?254|0)?[ .-]?[17](?:[ .-]?\d){8}(?![0-9A-Za-z])", re.ASCII
)
_LONGEST = 200
Detail = str | int | bool
FAILED = "failed"
"""What is done by a deed that came to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One deed of a person, written down before it was done."""

    id: str
    """The box and the place: so nobody else can take it."""
    box: str
    place: int
    """Counts the entries of the box from 1."""
    at: datetime
    who: str
    did: str
    subject: str
    detail: dict[str, Detail]
    previous: str
    """The hash of the entry before; empty of the first."""
    hash: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class Broken:
    """The first link of a chain that does not hold."""

    place: int
    why: str


def following(  # noqa: PLR0913 # what an entry is made of
    last: Entry | None,
    *,
    box: str,
    at: datetime,
    who: str,
    did: str,
    subject: str,
    detail: Mapping[str, Detail],
) -> Entry:
    """Return the entry after the last one; what looks like a phone number is not in it."""
    place = 1 if last is None else last.place + 1
    entry = Entry(
        id=f"{box}:{place:09d}",
        box=box,
        place=place,
        at=at,
        who=_clean(who),
        did=_clean(did),
        subject=_clean(subject),
        detail={
            name: _clean(value) if isinstance(value, str) else value
            for name, value in detail.items()
        },
        previous="" if last is None else last.hash,
        hash="",
    )
    return _hashed(entry)


@dataclass(slots=True)
class Chain:
    """A box's entries, held to one another as they are read: the newest first."""

    length: int = 0
    head: Entry | None = None
    """The newest; whoever keeps its hash knows later that nothing was cut off."""
    _newer: Entry | None = None
    _broken: Broken | None = None

    def goes_on(self, entries: Iterable[Entry]) -> None:
        """Take the next entries, each older than the one before."""
        for entry in entries:
            self._link(entry)
            self.head = self.head or entry
            self._newer = entry
            self.length += 1

    def broken(self) -> Broken | None:
        """Return the first link that does not hold, once all were taken; None where all do."""
        oldest = self._newer
        if oldest is not None and oldest.place != 1:
            return _gap(oldest, 0)
        if oldest is not None and oldest.previous:
            return Broken(1, "does not name the entry before it")
        return self._broken

    def _link(self, entry: Entry) -> None:
        newer = self._newer
        if newer is not None and newer.place != entry.place + 1:
            self._broken = _gap(newer, entry.place)
        elif newer is not None and newer.previous != entry.hash:
            self._broken = Broken(newer.place, "does not name the entry before it")
        if _hashed(entry).hash != entry.hash:
            self._broken = Broken(entry.place, "is not what was written")


def _gap(after: Entry, before: int) -> Broken:
    return Broken(before + 1, f"is not there: {after.place} follows {before}")


def canonical(entry: Entry) -> str:
    """Return the text that is hashed: everything but the hash, the same from any store."""
    said = {
        "at": entry.at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "box": entry.box,
        "detail": entry.detail,
        "did": entry.did,
        "id": entry.id,
        "place": entry.place,
        "previous": entry.previous,
        "subject": entry.subject,
        "who": entry.who,
    }
    return json.dumps(said, sort_keys=True, separators=(",", ":"))


def _hashed(entry: Entry) -> Entry:
    return replace(entry, hash=hashlib.sha256(canonical(entry).encode()).hexdigest())


def _clean(text: str) -> str:
    """Return a text that any database holds, without phone numbers, and not endless."""
    whole = text.encode("utf-8", "replace").decode().replace("\0", "")
    return _PHONE.sub("•••", whole)[:_LONGEST]
