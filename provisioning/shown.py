"""A plan as a person reads it, and as a program does. Passwords are in neither."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from provisioning.rows import FILES, Change, Kind
from provisioning.trouble import Trouble

_SIGNS = {Kind.ADD: "+", Kind.CHANGE: "~", Kind.REMOVE: "-"}
_NOTHING = '""'
NOTHING_TO_DO = "Nothing to do: the router is as it should be."


def lines(changes: Iterable[Change]) -> Iterator[str]:
    """Yield the changes one after another, and their number."""
    steps = list(changes)
    for change in steps:
        yield headline(change)
        for name, value in _values(change).items():
            old = _value(change, name, change.before.get(name, ""))
            new = _value(change, name, value)
            yield f"      {name}: {old} → {new}" if _is_change(change) else f"      {name}: {new}"
    yield f"{summary(steps)}." if steps else NOTHING_TO_DO


def headline(change: Change) -> str:
    """Return what happens to which row."""
    whose = "   (was there before us: remembered)" if change.foreign and not change.put_back else ""
    again = "   (put back)" if change.put_back else ""
    return f"  {_SIGNS[change.kind]} {change.menu} {change.name}".rstrip() + whose + again


def summary(changes: Iterable[Change]) -> str:
    """Return how many rows there are of each kind."""
    count = Counter(change.kind for change in changes)
    return (
        f"{count[Kind.ADD]} to add, {count[Kind.CHANGE]} to change, {count[Kind.REMOVE]} to remove"
    )


def trouble_lines(troubles: Iterable[Trouble]) -> Iterator[str]:
    """Yield each trouble with what mends it."""
    for trouble in troubles:
        yield f"  {trouble.level.upper()}: {trouble.what}"
        yield f"      {trouble.fix}"


def as_json(changes: Iterable[Change], troubles: Iterable[Trouble]) -> dict[str, Any]:
    """Return the plan for a program; of files, their size."""
    steps = list(changes)
    count = Counter(change.kind for change in steps)
    return {
        "changes": [_change(change) for change in steps],
        "summary": {str(kind): count[kind] for kind in Kind},
        "troubles": [
            {"level": str(trouble.level), "what": trouble.what, "fix": trouble.fix}
            for trouble in troubles
        ],
    }


def _change(change: Change) -> dict[str, Any]:
    values = _values(change)
    before = {name: change.before.get(name, "") for name in values} if _is_change(change) else {}
    return {
        "action": str(change.kind),
        "menu": change.menu,
        "name": change.name,
        "foreign": change.foreign,
        "before": {name: _value(change, name, value) for name, value in before.items()},
        "after": {name: _value(change, name, value) for name, value in values.items()},
    }


def _is_change(change: Change) -> bool:
    return change.kind is Kind.CHANGE


def _values(change: Change) -> dict[str, str]:
    name = dict([change.key]) if change.key and change.kind is Kind.ADD else {}
    return {key: value for key, value in change.after.items() if key not in name}


def _value(change: Change, name: str, value: str) -> str:
    if change.menu == FILES and name == "contents":
        return f"{len(value.encode())} bytes"
    return _printable(value) or _NOTHING


def _printable(text: str) -> str:
    """Return text that a terminal cannot be made to obey."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
