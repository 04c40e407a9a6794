"""Rows of the router: what is wanted, what differs, and what a foreign row was before."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote

from provisioning.values import SETS, same

TAG = "hotspot-appliance"
"""Marks what is ours: a row's comment begins with it, or is its name where there is no comment."""
NOTES = "/ip/hotspot/walled-garden"
"""Where the router itself keeps what foreign rows were: as comments of rows that are disabled."""
FILES = "/file"

Row = Mapping[str, str]
Tables = Mapping[str, list[dict[str, str]]]

_NOTE = f"{TAG} before "
_WAS = " was ="  # the router may cut blanks off the end of a comment


_PARTS = 4
_SAID = {"true": "yes", "false": "no"}


class Kind(StrEnum):
    """What happens to a row."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A row that must be there, or a foreign one in which some values must stand."""

    menu: str
    key: tuple[str, str] | None
    """The property that identifies the row, and its value; None in a menu of one row."""
    values: Mapping[str, str] = field(default_factory=dict)
    once: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Given when the row is made and never compared: it cannot be read back."""
    ours: bool = True
    """Whether we make the row and may take it away."""

    @property
    def name(self) -> str:
        """Return what a person calls the row."""
        return "" if self.key is None else self.key[1]

    def found(self, rows: Iterable[dict[str, str]]) -> dict[str, str] | None:
        """Return the row that stands there now."""
        if self.key is None:
            return next(iter(rows), None)
        name, value = self.key
        return next((row for row in rows if row.get(name) == value), None)

    def differing(self, row: Row) -> dict[str, str]:
        """Return what the row must be told."""
        return {n: v for n, v in self.values.items() if not stands(self.menu, row, n, v)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What one value of a foreign row was before, and everything that we made of it since."""

    menu: str
    name: str
    attribute: str
    ours: tuple[str, ...]
    before: str
    row_id: str | None = None

    @property
    def about(self) -> tuple[str, str, str]:
        """Return which value this is about."""
        return self.menu, self.name, self.attribute

    @property
    def head(self) -> str:
        """Return the comment up to what was before; no blanks are in its parts."""
        ours = "|".join(map(noted, self.ours))
        return f"{_NOTE}{' '.join(map(noted, self.about))} {ours}{_WAS}"

    def is_ours(self, value: str) -> bool:
        """Say whether a value is one that we set."""
        return any(same(self.attribute, value, own) for own in self.ours)

    @property
    def row(self) -> dict[str, str]:
        """Return the row that keeps this."""
        return {**self.blank(), "comment": self.head + self.before}

    @staticmethod
    def blank() -> dict[str, str]:
        """Return the row without its comment: it lets nobody reach anything."""
        return {"dst-host": f"note.{TAG}.invalid", "disabled": "yes"}

    @staticmethod
    def read(row: Row) -> "Note | None":
        """Return the note that a row keeps, if it is one."""
        comment = row.get("comment", "")
        head, was, before = comment.removeprefix(_NOTE).partition(_WAS)
        parts = head.split(" ")
        if not comment.startswith(_NOTE) or not was or len(parts) != _PARTS:
            return None
        menu, name, attribute = map(_read, parts[:-1])
        return Note(
            menu=menu,
            name=name,
            attribute=attribute,
            ours=tuple(map(_read, parts[-1].split("|"))),
            before=before.replace(";", ",") if attribute in SETS else before,
            row_id=row.get(".id"),
        )


def noted(part: str) -> str:
    """Return a part of a note's head: without blanks, and never empty."""
    return quote(part, safe="/,") or "-"


def _read(part: str) -> str:
    return "" if part == "-" else unquote(part)


def notes(tables: Tables) -> dict[tuple[str, str, str], Note]:
    """Return every note that the router keeps."""
    found = (Note.read(row) for row in tables.get(NOTES, []))
    return {note.about: note for note in found if note is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step towards what is wanted."""

    kind: Kind
    menu: str
    name: str
    row_id: str | None = None
    key: tuple[str, str] | None = None
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    once: Mapping[str, str] = field(default_factory=dict, repr=False)
    foreign: bool = False
    """The row was there before us: what it was is noted first, and put back by `remove`."""
    notes: tuple[Note, ...] = ()
    """To be written before, where it is changed; to be forgotten after, where it is put back."""
    put_back: bool = False

    @property
    def told(self) -> dict[str, str]:
        """Return what the router is told.

        It shows `true` and takes `yes`; of a group it keeps what is not taken away by name.
        """
        told = {name: _SAID.get(value, value) for name, value in self.after.items()}
        if self.menu == "/user/group" and "policy" in told and self.kind is Kind.CHANGE:
            held = set(self.before.get("policy", "").split(","))
            extra = sorted(
                p for p in held - set(told["policy"].split(",")) if p[:1] not in {"!", ""}
            )
            told["policy"] = ",".join([told["policy"], *(f"!{policy}" for policy in extra)])
        return told


def stands(menu: str, row: Row, attribute: str, value: str) -> bool:
    """Say whether this value stands in the row; a long file shows its size alone."""
    if menu == FILES and attribute == "contents" and "contents" not in row:
        return row.get("size") == str(len(value.encode()))
    return same(attribute, row.get(attribute, ""), value)
