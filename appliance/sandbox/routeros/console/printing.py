"""What `print` shows: tables, details and single rows, as each version lays them out."""

import re
from collections.abc import Iterable, Mapping, Sequence

from appliance.sandbox.routeros.tables import Row

_FLAGS = {
    "default": ("*", "default"),
    "disabled": ("X", "disabled"),
    "dynamic": ("D", "dynamic"),
    "blocked": ("B", "blocked"),
    "authorized": ("A", "authorized"),
    "bypassed": ("P", "bypassed"),
    "radius": ("R", "radius"),
    "mac-cookie": ("M", "mac-cookie"),
}
_COLUMNS: Mapping[str, Sequence[str]] = {
    "/ip/hotspot": ("name", "interface", "address-pool", "profile", "idle-timeout"),
    "/ip/hotspot/user": ("server", "name", "address", "profile", "uptime"),
    "/ip/hotspot/user/profile": ("name", "shared-users", "rate-limit"),
    "/ip/hotspot/active": ("user", "address", "uptime", "session-time-left", "idle-time"),
    "/ip/hotspot/host": ("mac-address", "address", "to-address", "server", "idle-time"),
    "/ip/hotspot/cookie": ("user", "domain", "mac-address", "expires-in"),
    "/ip/hotspot/ip-binding": ("mac-address", "address", "to-address", "server", "type"),
    "/ip/address": ("address", "network", "interface"),
    "/ip/pool": ("name", "ranges"),
    "/ip/service": ("name", "port", "address", "certificate"),
    "/log": ("time", "topics", "message"),
    "/file": ("name", "type", "size", "creation-time"),
    "/user": ("name", "group", "address", "last-logged-in"),
}
_WORDS = re.compile(r"[A-Za-z0-9_./:-]+")
_ALWAYS_QUOTED = frozenset({"name", "password", "comment", "user", "contents", "value"})
_YES_NO = {"true": "yes", "false": "no"}


def table(path: str, rows: Sequence[Row], *, seven: bool) -> list[str]:
    """Return rows under their headings, each with its number."""
    if seven and not rows:
        return []
    columns = [name for name in _COLUMNS.get(path, _seen(rows)) if not seven or _used(name, rows)]
    body = [
        [str(number), _marks(row), *(_shown(row, column) for column in columns)]
        for number, row in enumerate(rows)
    ]
    headings = ["#", "", *(column.upper() for column in columns)]
    widths = [max(len(cell) for cell in cells) for cells in zip(headings, *body, strict=True)]
    lines = [_legend(rows, seven=seven)]
    if seven:
        lines.append("Columns: " + ", ".join(headings[2:]))
    lines.append(_line(headings, widths))
    for row, cells in zip(rows, body, strict=True):
        if "comment" in row:
            lines.append(f";;; {row['comment']}")
        lines.append(_line(cells, widths))
    return [line for line in lines if line]


def details(rows: Sequence[Row], *, seven: bool, terse: bool) -> list[str]:
    """Return rows with every property by name."""
    lines = [] if terse else [_legend(rows, seven=seven)]
    for number, row in enumerate(rows):
        words = [f"{name}={_valued(name, value, terse=terse)}" for name, value in _plain(row)]
        comment = "" if terse or "comment" not in row else f";;; {row['comment']}\n     "
        if terse and "comment" in row:
            words.insert(0, f"comment={row['comment']}")
        lines.append(f"{number:>2} {_marks(row):<2} {comment}{' '.join(words)}")
    return [line for line in lines if line]


def single(row: Row) -> list[str]:
    """Return the one row of a menu that has no numbers."""
    shown = [(name, value) for name, value in row.items() if name != ".id"]
    width = max((len(name) for name, _ in shown), default=0) + 2
    return [f"{name:>{width}}: {_YES_NO.get(value, value)}" for name, value in shown]


def _seen(rows: Iterable[Row]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if name not in {".id", "comment"} and name not in _FLAGS]


def _used(column: str, rows: Sequence[Row]) -> bool:
    return any(row.get(column) for row in rows)


def _marks(row: Row) -> str:
    return "".join(mark for name, (mark, _) in _FLAGS.items() if row.get(name) == "true")


def _legend(rows: Sequence[Row], *, seven: bool) -> str:
    named = [_FLAGS[name] for name in _FLAGS if any(name in row for row in rows)]
    if not named:
        return ""
    if seven:
        return "Flags: " + "; ".join(f"{mark} - {word.upper()}" for mark, word in named)
    return "Flags: " + ", ".join(f"{mark} - {word}" for mark, word in named)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
    return f" {'  '.join(padded)}"


def _shown(row: Row, column: str) -> str:
    value = row.get(column, "")
    return _YES_NO.get(value, value)


def _plain(row: Row) -> Iterable[tuple[str, str]]:
    for name, value in row.items():
        if name not in {".id", "comment"} and name not in _FLAGS:
            yield name, _YES_NO.get(value, value)


def _valued(name: str, value: str, *, terse: bool) -> str:
    if not terse and (name in _ALWAYS_QUOTED or not _WORDS.fullmatch(value)):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
        return f'"{escaped}"'
    return value
