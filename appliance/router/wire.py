"""RouterOS texts: durations, sentences and the meaning of its refusals. Values stay text."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from appliance.domain.devices import Device, Entry, Session
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.domain.hosts import mac

Row = dict[str, str]

_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_PARTS = re.compile(r"(\d+)([wdhms])", re.ASCII)
_CLOCK = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(\d+):(\d\d):(\d\d)", re.ASCII)
_COUNT = re.compile(r"\d{1,20}", re.ASCII)

_EXISTS = "already have user"
_GONE = "no such item"
_USED_UP = ("has reached uptime limit", "has reached traffic limit")
_UNKNOWN = ("action timed out", "interrupted")
"""The router gave up on a command of its own: how far it came, nobody knows."""


def duration(text: str) -> timedelta:
    """Return the time meant by `1w2d3h4m5s`, `02:30:00` or `1w2d02:30:00`; else `ValueError`."""
    try:
        return _duration(text)
    except OverflowError:
        raise ValueError("a time beyond all measure") from None


def _duration(text: str) -> timedelta:
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    parts = _PARTS.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"not a RouterOS time: {text!r}")
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in parts))


def seconds(length: timedelta) -> str:
    """Return a time as the router takes it."""
    return f"{int(length.total_seconds())}s"


def attributes(values: Mapping[str, str | None]) -> list[str]:
    """Return attribute words; the router refuses empty values, so what is empty is left out."""
    return [f"={name}={value}" for name, value in values.items() if value]


def row(words: Iterable[str]) -> Row:
    """Return a reply's attributes; a word of another form (a tag, plain text) is not one."""
    pairs = (word[1:].partition("=") for word in words if word.startswith("="))
    return {name: value for name, _, value in pairs}


def refusal(message: str) -> RouterRefused:
    """Return our error for a trap's text."""
    said = message.lower()
    return RouterRefused(_shown(message), used_up=any(text in said for text in _USED_UP))


def refused(message: str) -> RouterRefused | RouterUnreachable:
    """Return our error for what the router said instead of an answer."""
    if any(text in message.lower() for text in _UNKNOWN):
        return RouterUnreachable(_shown(message))
    return refusal(message)


def _shown(message: str) -> str:
    """Return the router's words as one line that any log takes."""
    return "".join(char if char.isprintable() else " " for char in message[:200])


def already_there(error: RouterRefused) -> bool:
    """Say whether an add was refused because it had been done before."""
    return _EXISTS in str(error).lower()


def gone(error: RouterRefused) -> bool:
    """Say whether a removal was refused because there was nothing left to remove."""
    return _GONE in str(error).lower()


def device(hosts: list[Row]) -> Device | None:
    """Return the device of some host rows: the one that is let in, else the one seen last."""
    let_in = [found for found in hosts if found.get("authorized") == "true"]
    with _understood():
        for found in (let_in or hosts)[-1:]:
            return Device(mac=mac(found["mac-address"]), ip=found["address"])
    return None


def seen_at(host: Row) -> str:
    """Return the address under which others see a host: one-to-one NAT gives it a second one."""
    return host.get("to-address") or host.get("address", "")


def sessions(active: list[Row]) -> list[Session]:
    """Return the sessions of active rows."""
    with _understood():
        return [
            Session(
                user=found["user"],
                mac=mac(found["mac-address"]),
                ip=found["address"],
                uptime=duration(found.get("uptime", "0s")),
                up=int(found.get("bytes-in", "0")),
                down=int(found.get("bytes-out", "0")),
            )
            for found in active
        ]


def entries(users: list[Row]) -> list[Entry]:
    """Return the entries of user rows; a limit that is not set is absent there."""
    with _understood():
        return [
            Entry(
                name=found["name"],
                uptime=duration(found.get("uptime", "0s")),
                moved=_moved(found),
                limit_uptime=duration(found["limit-uptime"]) if "limit-uptime" in found else None,
                limit_bytes_total=int(found["limit-bytes-total"])
                if "limit-bytes-total" in found
                else None,
                disabled=found.get("disabled") == "true",
            )
            for found in users
        ]


def count(text: str) -> int | None:
    """Return a number that a row holds; None where it holds none."""
    return int(text) if _COUNT.fullmatch(text) else None


def ids(rows: list[Row]) -> list[str]:
    """Return the rows' ids, which are good until the router's next restart."""
    with _understood():
        return [found[".id"] for found in rows]


def _moved(found: Row) -> int:
    return int(found.get("bytes-in", "0")) + int(found.get("bytes-out", "0"))


@contextmanager
def _understood() -> Iterator[None]:
    """Turn a row that lacks what it must have into a refusal: nothing may rest on half of one."""
    try:
        yield
    except (KeyError, ValueError) as error:
        raise RouterRefused(f"a row without a usable {error}") from error
