"""What is typed at RouterOS's console, and what its answers prove. Valid on 6.49 and on 7.

The console ends with status 0 whatever happened and prints refusals like answers. So a command
stands between two lines with a number that nobody could guess: with both, it was carried out; with
the first alone, what follows is the router's refusal; with neither, nobody knows.
"""

import re

from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router import wire
from appliance.router.way import Values, Wanted

_LONGEST = 30_000
"""What the console takes as one line."""
# Each stands right after the number, where no value can put anything.
_BEGINS, _ENDS, _ROW, _VALUE, _ROW_ENDS = "begins.", "ends.", "row.", "value.", "done."
_PLAIN = re.compile(rb"[A-Za-z0-9 .:,_/@+-]")
_ID = re.compile(r"\*[0-9A-F]+", re.ASCII)
_NAME = re.compile(r"\.?[a-z][a-z-]*", re.ASCII)
_MENU = re.compile(r"[a-z-]+(?:/[a-z-]+)*", re.ASCII)
_NOT_UNDERSTOOD = re.compile(r"\(line \d+ column \d+\)$", re.ASCII)


def quoted(text: str) -> str:
    """Return a value as the console takes it, whatever is in it: one string, and nothing runs.

    Every byte that is not known to be harmless goes by its number. Raises `ValueError` for what no
    string of the console can hold.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise ValueError("a value with a zero byte")
    shown = (chr(byte) if _PLAIN.match(bytes((byte,))) else f"\\{byte:02X}" for byte in raw)
    return f'"{"".join(shown)}"'


def telling(menu: str, verb: str, values: Values, row_id: str | None = None) -> str:
    """Return a command of a menu; the router refuses empty values, so what is empty is left out."""
    words = [_path(menu), _name(verb)]
    if row_id is not None:
        words.append(_id(row_id))
    words += [f"{_name(name)}={quoted(value)}" for name, value in values.items() if value]
    return " ".join(words)


def listing(nonce: str, wanted: Wanted) -> str:
    """Return what prints the rows of a menu, to be read by `rows`.

    A row that goes away while it is read is not printed; one that cannot be read is a refusal.
    """
    menu = _path(wanted.menu)
    joint = " || " if wanted.either else " && "
    tests = joint.join(f"{_name(name)}={quoted(value)}" for name, value in wanted.where)
    which = f"find where {tests}" if tests else "find"
    got = {
        name: "$i" if name == ".id" else f"[{menu} get $i {_name(name)}]" for name in wanted.read
    }
    row = _printed(nonce, got)
    still = f':if ([:len [{menu} find where .id=$i]] > 0) do={{:error "unreadable row"}}'
    return f":foreach i in=[{menu} {which}] do={{:do {{{row}}} on-error={{{still}}}}}"


def single(nonce: str, menu: str, names: tuple[str, ...]) -> str:
    """Return what prints the one row of a menu, to be read by `rows`."""
    return _printed(nonce, {name: f"[{_path(menu)} get {_name(name)}]" for name in names})


def proving(nonce: str, command: str) -> str:
    """Return the line that carries a command out and proves it."""
    line = f':put "{nonce}{_BEGINS}"; {command}; :put "{nonce}{_ENDS}"'
    if len(line) > _LONGEST:
        raise RouterRefused("more than the console takes as one line")
    return line


def proved(nonce: str, said: str, *, complete: bool) -> str:
    """Return what a proved command printed; raise its refusal, or `RouterUnreachable`.

    `complete` says that the router itself ended what it said.
    """
    begun, began, rest = said.partition(nonce + _BEGINS)
    body, ended, after = rest.partition(nonce + _ENDS)
    if began and begun.strip():
        raise RouterUnreachable("the console proved nothing")
    if began and ended and not after.strip():
        return body.strip("\r\n")
    lines = [line.strip() for line in (rest if began else said).splitlines() if line.strip()]
    if not complete or not lines or ended or nonce in lines[-1]:
        raise RouterUnreachable("the console proved nothing")
    # Without a beginning the line was not read to its end: then only that can be the refusal.
    if began or (len(lines) == 1 and _NOT_UNDERSTOOD.search(lines[0])):
        raise wire.refused(lines[-1])
    raise RouterUnreachable("the console proved nothing")


def rows(nonce: str, names: tuple[str, ...], printed: str) -> list[wire.Row]:
    """Return the rows that were printed; a property that is empty is absent."""
    before, *parts = printed.split(nonce + _ROW)
    if before.strip():
        raise RouterUnreachable("the console printed what it was not asked for")
    return [_row(nonce, names, part) for part in parts]


def _row(nonce: str, names: tuple[str, ...], part: str) -> wire.Row:
    printed, ended, after = part.partition(nonce + _ROW_ENDS)
    before, *found = printed.split(nonce + _VALUE)
    if not ended or before or after.strip("\r\n") or len(found) != len(names):
        raise RouterUnreachable("the console printed half a row")
    return {name: value for name, value in zip(names, found, strict=True) if value}


def _printed(nonce: str, values: dict[str, str]) -> str:
    """Return what prints one row."""
    pieces = [f'"{nonce}{_VALUE}" . [:tostr {value}]' for value in values.values()]
    return f':put ("{nonce}{_ROW}" . {" . ".join(pieces)} . "{nonce}{_ROW_ENDS}")'


def _path(menu: str) -> str:
    if not _MENU.fullmatch(menu):
        raise ValueError("not a menu")
    return f"/{menu.replace('/', ' ')}"


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("not a name")
    return name


def _id(row_id: str) -> str:
    if not _ID.fullmatch(row_id):
        raise RouterUnreachable("an id that is none")
    return row_id
