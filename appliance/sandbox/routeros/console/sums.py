"""What the signs between two values mean."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.console import kinds
from appliance.sandbox.routeros.console.kinds import Identity, Prefix, Time, Value

_LEAST, _MOST = -(2**63), 2**63
_REPEATS, _GROUP_REPEATS = re.compile(r"[*+?{]"), re.compile(r"\)[*+?{]")
_MOST_WORK, _MOST_REPEATS = 10**8, 30
_ORDERS = {"<": -1, ">": 1}
T = TypeVar("T", int, str)


def joined(sign: str, left: Value, right: Value) -> Value:
    """Return the value of two sides with this sign between them."""
    return _SIGNS[sign](left, right)


def yes_or_no(value: Value) -> bool:
    """Return a condition's answer."""
    found = kinds.truth(value)
    if found is None:
        raise traps.Trap("conditional not boolean")
    return found


def opposite(value: Value) -> bool:
    """Return what `!` makes of a value."""
    return not yes_or_no(value)


def negative(value: Value) -> Value:
    """Return what `-` makes of a value."""
    if isinstance(value, int) and not isinstance(value, bool):
        return -value
    raise traps.Trap(f"cannot apply unary minus to {kinds.kind(value)}")


def same(left: Value, right: Value) -> bool:
    """Say whether two values are equal; a prefix without quotes equals no text."""
    if isinstance(left, Prefix) != isinstance(right, Prefix):
        return False
    if isinstance(left, Time) or isinstance(right, Time):
        return _seconds(left) == _seconds(right)
    if isinstance(left, Identity) or isinstance(right, Identity):
        return kinds.written(left).upper() == kinds.written(right).upper()
    if isinstance(left, bool) or isinstance(right, bool):
        return kinds.truth(left) == kinds.truth(right)
    return kinds.written(left) == kinds.written(right)


def _seconds(value: Value) -> int | None:
    if isinstance(value, Time):
        return value.seconds
    found = kinds.read(value) if isinstance(value, str) else value
    return found.seconds if isinstance(found, Time) else None


def _ordered(sign: str, left: Value, right: Value) -> bool:
    if left is None or right is None:
        return False
    first, second = _number(left), _number(right)
    if first is None or second is None:
        return _compared(sign, kinds.written(left), kinds.written(right))
    return _compared(sign, first, second)


def _compared(sign: str, first: T, second: T) -> bool:
    order = (first > second) - (first < second)
    return order == 0 if sign in {"<=", ">="} and order == 0 else order == _ORDERS[sign[0]]


def _number(value: Value) -> int | None:
    if isinstance(value, Time):
        return value.seconds
    if isinstance(value, str):
        value = kinds.read(value)
        return value.seconds if isinstance(value, Time) else _number_only(value)
    return _number_only(value)


def _number_only(value: Value) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _reckoned(sign: str, left: Value, right: Value) -> Value:
    first, second = _number(left), _number(right)
    if first is None or second is None:
        verb = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}.get(sign, "divide")
        raise traps.Trap(f"cannot {verb} {kinds.kind(right)} and {kinds.kind(left)}")
    if sign in {"/", "%"} and second == 0:
        raise traps.Trap("division by zero")
    found = {
        "+": lambda: first + second,
        "-": lambda: first - second,
        "*": lambda: first * second,
        "/": lambda: first // second,
        "%": lambda: first % second,
    }[sign]()
    if not _LEAST <= found < _MOST:
        raise traps.Trap("number out of range")
    both = isinstance(left, Time) or isinstance(right, Time)
    return Time(found) if both else found


def _listed(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _item(left: Value, right: Value) -> Value:
    if isinstance(left, dict):
        return left.get(kinds.written(right))
    if not isinstance(left, list):
        return None
    if isinstance(right, int):
        return left[right] if 0 <= right < len(left) else None
    return _item(left[0], right) if len(left) == 1 else None


def _matching(left: Value, right: Value) -> Value:
    text, pattern = kinds.written(left), kinds.written(right)
    if _work(pattern, len(text)) > _MOST_WORK:
        raise traps.Trap("interrupted", 2)
    return re.search(_pattern(pattern), text) is not None


def _work(pattern: str, length: int) -> int:
    """Return how many ways there may be to match: Python would try each of them."""
    if _GROUP_REPEATS.search(pattern):
        return 1 << min(length, 64)
    ways = 1
    for _ in _REPEATS.findall(pattern)[:_MOST_REPEATS]:
        ways *= length + 1
    return ways


def _pattern(text: str) -> "re.Pattern[str]":
    try:
        return re.compile(text)
    except re.error:
        raise traps.Trap("invalid regular expression") from None


_SIGNS: Mapping[str, Callable[[Value, Value], Value]] = {
    "=": same,
    "!=": lambda left, right: not same(left, right),
    "~": _matching,
    "in": lambda left, right: any(same(left, item) for item in _listed(right)),
    ".": lambda left, right: kinds.written(left) + kinds.written(right),
    ",": lambda left, right: [*_listed(left), *_listed(right)],
    "->": _item,
    **{sign: partial(_ordered, sign) for sign in ("<", ">", "<=", ">=")},
    **{sign: partial(_reckoned, sign) for sign in ("+", "-", "*", "/", "%")},
}
