"""Attribute values: checked, then kept as the router itself prints them."""

import ipaddress
import re
from collections.abc import Callable, Iterable

from appliance.sandbox.routeros import traps

Kind = Callable[[str, str], str | None]
"""From an argument's name and text to the printed value; None takes the property away."""

_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PARTS = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(\d+):([0-5]\d):([0-5]\d)", re.ASCII)
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:.-]){5}[0-9A-Fa-f]{2}", re.ASCII)
_PORTS = re.compile(r"!?\d{1,5}(?:-\d{1,5})?(?:,\d{1,5}(?:-\d{1,5})?)*", re.ASCII)
_LARGEST = 2**64
_LONGEST_TIME, _MOST_DIGITS = 30, 20
_YES, _NO = frozenset({"yes", "true"}), frozenset({"no", "false"})


def seconds(text: str) -> int | None:
    """Return the seconds meant by `7200`, `1d2h`, `2h30m` or `01:00:00`; None if it is no time."""
    if len(text) > _LONGEST_TIME:
        return None
    if text.isascii() and text.isdecimal():
        return int(text)
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        weeks, days, hours, minutes, rest = (int(part or 0) for part in clock.groups())
        return ((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + rest
    parts = _PARTS.fullmatch(text)
    if parts is None or not text:
        return None
    sizes = _UNITS.values()
    return sum(int(part or 0) * size for part, size in zip(parts.groups(), sizes, strict=True))


def time_text(length: float) -> str:
    """Return a time as the device prints it: `1w2d3h4m5s`, zero units left out."""
    left, shown = int(length), ""
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        shown += f"{count}{unit}" if count else ""
    return shown or "0s"


def text(_: str, value: str) -> str | None:
    """Take any text."""
    return value


def time(name: str, value: str) -> str | None:
    """Take a time."""
    found = seconds(value)
    if found is None:
        raise traps.bad_time(name)
    return time_text(found)


def limit_time(name: str, value: str) -> str | None:
    """Take a time whose zero means no limit, and so no property."""
    shown = time(name, value)
    return None if shown == "0s" else shown


def time_or_none(name: str, value: str) -> str | None:
    """Take a time or the word `none`."""
    return value if value == "none" else time(name, value)


def boolean(name: str, value: str) -> str | None:
    """Take yes/no and true/false; it reads back as true or false."""
    if value in _YES | _NO:
        return "true" if value in _YES else "false"
    raise traps.bad_value(name)


def whole_number(name: str, value: str) -> str | None:
    """Take an unsigned 64-bit number."""
    if not (value.isascii() and value.isdecimal()) or len(value) > _MOST_DIGITS:
        raise traps.bad_value(name)
    if int(value) >= _LARGEST:
        raise traps.bad_value(name)
    return str(int(value))


def count_or_unlimited(name: str, value: str) -> str | None:
    """Take a number or the word `unlimited`."""
    return value if value == "unlimited" else whole_number(name, value)


def mac(name: str, value: str) -> str | None:
    """Take a MAC address; it reads back in capitals with colons."""
    if not _MAC.fullmatch(value):
        raise traps.bad_value(name)
    return value.upper().replace("-", ":").replace(".", ":")


def address(name: str, value: str) -> str | None:
    """Take an IPv4 address."""
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise traps.bad_value(name) from None


def addresses(name: str, value: str) -> str | None:
    """Take an address, a network or a range, or with `!` everything else."""
    first, _, last = value.removeprefix("!").partition("-")
    try:
        for part in filter(None, (first, last)):
            ipaddress.IPv4Network(part, strict=False)
    except ValueError:
        raise traps.bad_value(name) from None
    return value.removesuffix("/32")


def ports(name: str, value: str) -> str | None:
    """Take ports and ranges of ports, or with `!` all others."""
    if value and not _PORTS.fullmatch(value):
        raise traps.bad_value(name)
    return value


def address_list(name: str, value: str) -> str | None:
    """Take addresses, comma-separated."""
    return ",".join(address(name, part) or "" for part in value.split(",")) if value else ""


def one_of(*allowed: str) -> Kind:
    """Return the kind that takes one of these words, or an unambiguous beginning of one."""
    return lambda name, value: resolved(name, value, allowed)


def several_of(*allowed: str) -> Kind:
    """Return the kind that takes these words, comma-separated."""

    def kind(name: str, value: str) -> str | None:
        return ",".join(resolved(name, word, allowed) for word in value.split(",")) if value else ""

    return kind


def resolved(name: str, value: str, allowed: Iterable[str]) -> str:
    """Return the one allowed value that this text names, in full or by its beginning."""
    known = list(allowed)
    if value in known:
        return value
    meant = [one for one in known if value and one.startswith(value)]
    if len(meant) > 1:
        raise traps.Trap(
            f"ambiguous value of {name}, more than one possible value matches input", traps.ARGUMENT
        )
    if not meant:
        raise traps.Trap(f"input does not match any value of {name}", traps.ARGUMENT)
    return meant[0]
