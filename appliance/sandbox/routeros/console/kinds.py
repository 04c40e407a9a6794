"""Values of the script language, and how each is written."""

import json
import re
from dataclasses import dataclass
from typing import Any, Self

from appliance.sandbox.routeros import values

_IDENTITY = re.compile(r"\*[0-9A-Fa-f]+")
_PREFIX = re.compile(r"\d+\.\d+\.\d+\.\d+/\d+")
_TIME = re.compile(r"(?:\d+[wdhms])+|(?:\d+w)?(?:\d+d)?\d+:\d\d:\d\d")
_NUMBERS = re.compile(r"-?\d{1,19}", re.ASCII)
_WORDS = {"yes": True, "true": True, "no": False, "false": False}
_TIMES = frozenset(
    {
        "uptime",
        "limit-uptime",
        "session-time-left",
        "session-timeout",
        "idle-time",
        "idle-timeout",
        "keepalive-timeout",
        "login-timeout",
        "status-autorefresh",
        "expires-in",
        "expires-after",
        "mac-cookie-timeout",
        "http-cookie-lifetime",
        "lease-time",
        "ttl",
    }
)
_COUNTS = re.compile(
    r"(?:bytes|packets)-(?:in|out)|limit-bytes-(?:in|out|total)|shared-users|port|max-sessions"
    r"|free-.*|total-.*|cpu-(?:count|load)|write-sect-total|code|size|addresses-per-mac"
)


@dataclass(frozen=True, slots=True, order=True)
class Time:
    """A length of time, in seconds."""

    seconds: int

    def __str__(self) -> str:
        """Return it as a script prints it: `1d02:03:04`."""
        days, rest = divmod(self.seconds, 86400)
        weeks, days = divmod(days, 7)
        hours, minutes = divmod(rest // 60, 60)
        long = (f"{weeks}w" if weeks else "") + (f"{days}d" if days else "")
        return f"{long}{hours:02}:{minutes:02}:{rest % 60:02}"


class Identity(str):
    """A row's id."""

    __slots__ = ()


class Code(str):
    """What `:parse` read; printed, it is text."""

    __slots__ = ("body",)

    def __new__(cls, text: str, body: tuple[Any, ...]) -> Self:
        """Keep the statements beside the text."""
        made = super().__new__(cls, text)
        made.body = body
        return made

    body: tuple[Any, ...]


class Prefix(str):
    """An address with its prefix length: never equal to the text of one."""

    __slots__ = ()


Value = bool | int | str | Time | list["Value"] | dict[str, "Value"] | None
"""Nothing is None; rows are dicts."""


_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "bool"),
    (int, "num"),
    (Time, "time"),
    ((list, dict), "array"),
    (Identity, "id"),
    (Prefix, "ip-prefix"),
    (Code, "code"),
    (str, "str"),
)


def read(text: str) -> Value:
    """Return what a word without quotes is."""
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBERS.fullmatch(text):
        return int(text)
    if _IDENTITY.fullmatch(text):
        return Identity(text)
    if _PREFIX.fullmatch(text):
        return Prefix(text)
    length = values.seconds(text) if _TIME.fullmatch(text) else None
    return text if length is None else Time(length)


def of_property(name: str, text: str, *, clock: bool) -> Value:
    """Return a property's value with its type; `clock` makes lengths of time `01:00:00`."""
    if name == ".id":
        return Identity(text)
    if text in {"true", "false"}:
        return text == "true"
    if name in _TIMES:
        length = values.seconds(text)
        return text if length is None or not clock else Time(length)
    if _COUNTS.fullmatch(name) and _NUMBERS.fullmatch(text):
        return int(text)
    return text


def written(value: Value) -> str:
    """Return a value as text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return ";".join(written(item) for item in value)
        case dict():
            return ";".join(f"{name}={written(item)}" for name, item in value.items())
        case _:
            return str(value)


def kind(value: Value) -> str:
    """Return the word for a value's type."""
    return next((word for of, word in _KINDS if isinstance(value, of)), "nothing")


def truth(value: Value) -> bool | None:
    """Return yes or no; None where it is neither."""
    if isinstance(value, bool):
        return value
    return _WORDS.get(value) if isinstance(value, str) else None


def as_json(value: Value, *, strings_stay: bool, pretty: bool) -> str:
    """Return a value as JSON; text that looks like a number becomes one unless it must stay."""
    plain = _plain(value, strings_stay=strings_stay)
    if pretty:
        return json.dumps(plain, indent=4, ensure_ascii=False)
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Value, *, strings_stay: bool) -> object:
    match value:
        case list():
            return [_plain(item, strings_stay=strings_stay) for item in value]
        case dict():
            return {name: _plain(item, strings_stay=strings_stay) for name, item in value.items()}
        case Time():
            return str(value)
        case str() if not strings_stay and _NUMBERS.fullmatch(value):
            return int(value)
        case str():
            return str(value)
        case _:
            return value
