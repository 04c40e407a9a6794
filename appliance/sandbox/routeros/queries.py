"""The API's query words: a stack of truths about one row, joined by `?#` operations."""

import re
from collections.abc import Iterable, Mapping

from appliance.sandbox.routeros import traps, values

Row = Mapping[str, str]
_OPERATIONS = re.compile(r"\d+|[!&|.]", re.ASCII)


def matches(row: Row, queries: Iterable[str]) -> bool:
    """Say whether the row satisfies every value left on the stack; no query takes every row."""
    stack: list[bool] = []
    for query in queries:
        if query.startswith("#"):
            _operate(stack, query[1:])
        else:
            stack.append(_truth(row, query))
    return all(stack)


def _truth(row: Row, query: str) -> bool:
    if query.startswith("-"):
        return query[1:] not in row
    if query.startswith("<"):
        return _order(row, query[1:]) < 0
    if query.startswith(">"):
        return _order(row, query[1:]) > 0
    name, equals, value = query.removeprefix("=").partition("=")
    return row.get(name) == value if equals else name in row


def _order(row: Row, query: str) -> int:
    """Return -1, 0 or 1 for the row's value against the given one; 0 where it has none."""
    name, _, given = query.partition("=")
    mine = row.get(name)
    if mine is None:
        return 0
    left, right = values.seconds(mine), values.seconds(given)
    if left is None or right is None:
        return (mine > given) - (mine < given)
    return (left > right) - (left < right)


def _operate(stack: list[bool], operations: str) -> None:
    parts = _OPERATIONS.findall(operations)
    if "".join(parts) != operations:
        raise traps.Trap("invalid query operation")
    try:
        for place, part in enumerate(parts):
            _apply(stack, part, parts[place - 1] if place else "", last=place == len(parts) - 1)
    except IndexError:
        raise traps.Trap("query stack underflow") from None


def _apply(stack: list[bool], part: str, before: str, *, last: bool) -> None:
    if part.isdecimal():
        value = stack[-1 - int(part)]
        if last:
            stack.clear()
        stack.append(value)
    elif part == "!":
        stack.append(not stack.pop())
    elif part == ".":
        if not before.isdecimal():
            stack.append(stack[-1])
    else:
        right, left = stack.pop(), stack.pop()
        stack.append((left and right) if part == "&" else (left or right))
