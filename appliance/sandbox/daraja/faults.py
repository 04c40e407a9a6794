"""The fault menu: what may go wrong, for everybody or for one phone."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

LONGEST = 600.0
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "push": (
        "accept",
        "lost_answer",
        "slow",
        "busy",
        "quota",
        "spike_arrest",
        "html_403",
        "invalid_token_once",
        "no_product",
        "internal",
        "empty_500",
        "empty_200",
        "subscriber_locked",
        "refused_merchant",
        "wrong_credentials",
        "invalid_phone",
    ),
    "callback": (
        "once",
        "never",
        "twice",
        "late",
        "before_answer",
        "wrong_amount",
        "unknown_checkout",
        "forged",
    ),
    "callback_items": ("five", "four", "reordered", "java_balance"),
    "query": (
        "normal",
        "flaky",
        "never",
        "errors_at_200",
        "in_flight_500",
        "in_flight_forever",
        "false_2029",
        "spike_arrest",
    ),
    "token": ("kills_previous", "concurrent"),
    "c2b": ("after", "before", "never", "twice", "late"),
    "c2b_names": ("empty", "full", "null", "absent"),
    "c2b_version": ("v1", "v2"),
    "register": ("once", "again"),
    "till_registers_as": ("either", "store", "till"),
    "till_named": ("registered", "store", "till"),
    "till_words": ("production", "portal"),
    "validation": ("off", "on"),
    "pull_dates": ("utc", "plain", "false_utc"),
    "pull_none": ("text", "list"),
    "initiator_sent": ("once", "twice", "never", "timeout"),
    "initiator_items": ("list", "object", "repeated", "credited"),
}
_SECONDS = (
    "slow_seconds",
    "callback_delay",
    "late_success",
    "prompt_seconds",
    "c2b_delay",
    "validation_seconds",
    "initiator_delay",
)
_RESULTS = ("result", "initiator_result")
_MAY_BE_UNSET = ("late_success", "c2b_version", *_RESULTS)
_NOBODYS_OWN = (
    "token",
    "c2b_version",
    "register",
    "till_registers_as",
    "till_named",
    "validation",
    "validation_seconds",
    "pull_dates",
    "pull_none",
    "initiator_sent",
    "initiator_delay",
    "initiator_items",
    "initiator_result",
)
_RESULT = re.compile(r"[A-Z0-9_]{1,12}", re.ASCII)
_IN_FLIGHT = "4999"
_PHONE = re.compile(r"254[17][0-9]{8}", re.ASCII)


class WrongFault(ValueError):
    """The menu has no such thing; the text says what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What happens to one phone; the defaults are a good day. Times in seconds."""

    push: str = "accept"
    slow_seconds: float = 15.0
    callback: str = "once"
    callback_delay: float = 0.0
    """`late` with no delay of its own waits a minute and a half."""
    callback_items: str = "five"
    query: str = "normal"
    result: str | None = None
    """Every payment ends with this code, whatever the PIN."""
    late_success: float | None = None
    """A paid payment is first called unanswered, and paid only this much later."""
    prompt_seconds: float = 60.0
    token: str = "kills_previous"  # noqa: S105 # what a new token does to the one before
    c2b: str = "after"
    """When the confirmation comes, beside the STK callback."""
    c2b_delay: float = 0.0
    """`late` with no delay of its own waits a minute and a half."""
    c2b_names: str = "empty"
    """Whether a confirmation says more than the first name, or has the keys at all."""
    c2b_version: str | None = None
    """The C2B product of every app, whatever its own."""
    register: str = "once"
    """In production URLs are registered once; in Safaricom's sandbox again and again."""
    till_registers_as: str = "either"
    till_named: str = "registered"
    """Which of its numbers a till's confirmations carry."""
    till_words: str = "production"
    """A till's TransactionType: as captured in production, or as on the portal."""
    validation: str = "off"
    validation_seconds: float = 8.0
    pull_dates: str = "utc"
    """`false_utc` writes Nairobi's time and calls it UTC; `plain` names no zone."""
    pull_none: str = "text"
    initiator_sent: str = "once"
    """The result of a status request or a reversal; `timeout` goes to QueueTimeOutURL."""
    initiator_delay: float = 0.0
    initiator_items: str = "list"
    """`credited` names who got the money of a status request, as no recorded answer does."""
    initiator_result: str | None = None
    """Every status request and reversal ends with this code."""


_KEYS = tuple(one.name for one in fields(Faults))


@dataclass(slots=True)
class Menu:
    """The faults in force."""

    _default: Faults = field(default_factory=Faults)
    _phones: dict[str, dict[str, Any]] = field(default_factory=dict)
    _happened: set[str] = field(default_factory=set)

    def of(self, phone: str | None) -> Faults:
        """Return what applies to this phone, or to what is no phone's."""
        return replace(self._default, **self._phones.get(phone or "", {}))

    def set(self, menu: object) -> None:
        """Replace the whole menu; raise `WrongFault` and change nothing if it is not one."""
        given = _object(menu, "the menu")
        _known(given, ("default", "phones"), "the menu")
        default = _checked(given.get("default", {}), "default")
        phones = {
            phone: _checked(faults, phone)
            for phone, faults in _object(given.get("phones", {}), "phones").items()
        }
        for phone, faults in phones.items():
            if not _PHONE.fullmatch(phone):
                raise WrongFault(f"phones: {phone!r} is not 2547… or 2541… with 12 digits")
            for key in faults.keys() & set(_NOBODYS_OWN):
                raise WrongFault(f"{phone}: {key} is nobody's own, set it in default")
        self._default, self._phones = Faults(**default), phones
        self._happened.clear()

    def shown(self) -> dict[str, Any]:
        """Return the menu in the form that `set` takes."""
        return {"default": asdict(self._default), "phones": self._phones}

    def first_time(self, phone: str) -> bool:
        """Return True once per phone until the menu is replaced."""
        if phone in self._happened:
            return False
        self._happened.add(phone)
        return True


def _checked(faults: object, where: str) -> dict[str, Any]:
    given = _object(faults, where)
    _known(given, _KEYS, where)
    for key, value in given.items():
        if value is None and key in _MAY_BE_UNSET:
            continue
        if key in _SECONDS:
            _check_seconds(value, f"{where}.{key}")
        elif key in _RESULTS:
            _check_result(value, f"{where}.{key}")
        elif value not in _CHOICES[key]:
            raise WrongFault(f"{where}.{key} is one of: {', '.join(_CHOICES[key])}")
    return given


def _check_seconds(value: object, where: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= float(str(value)) <= LONGEST:
        raise WrongFault(f"{where} is a number of seconds from 0 to {LONGEST:.0f}")


def _check_result(value: object, where: str) -> None:
    if not isinstance(value, str) or not _RESULT.fullmatch(value) or value == _IN_FLIGHT:
        raise WrongFault(f'{where} is a result code as text, like "1", "2001" or "SFC_IC0003"')


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise WrongFault(f"{where} is a JSON object")
    return value


def _known(given: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in allowed:
            raise WrongFault(f"{where} has no {key!r}, only: {', '.join(allowed)}")
