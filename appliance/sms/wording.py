"""What messages say: one catalogue a language, each sentence in one SMS wherever it can be."""

import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from importlib.resources import files

from appliance.sms.gsm7 import SEGMENT, plain, septets

LANGUAGES = ("en", "sw")
_NAIROBI = timezone(timedelta(hours=3))
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))
_GIVES_WAY = ("plan", "brand")
"""What is cut short, in this order, where a sentence is too long: an operator chose these."""


class Catalogues:
    """The sentences of every language, read once."""

    def __init__(self) -> None:
        self._sentences = {language: dict(_read(language)) for language in LANGUAGES}

    def text(self, language: str, key: str, **values: object) -> str:
        """Return a sentence with its blanks filled, in the GSM alphabet."""
        spoken = language if language in self._sentences else LANGUAGES[0]
        sentence = self._sentences[spoken][key]
        said = {name: plain(self._said(spoken, value)) for name, value in values.items()}
        for name in _GIVES_WAY:
            excess = (septets(sentence.format_map(said)) or 0) - SEGMENT
            if excess > 0 and name in said:
                said[name] = said[name][: max(1, len(said[name]) - excess)].rstrip()
        return sentence.format_map(said)

    def _said(self, language: str, value: object) -> str:
        match value:
            case timedelta():
                return self._length(language, int(value.total_seconds()))
            case datetime():
                return f"{value.astimezone(_NAIROBI):%H:%M}"
            case _:
                return str(value)

    def _length(self, language: str, seconds: int) -> str:
        """Say a length of time in its one or two largest units, rounded to minutes."""
        rest, parts = max(60, round(seconds / 60) * 60), list[str]()
        for unit, size in _UNITS:
            count, rest = divmod(rest, size)
            if count:
                name = f"unit.{unit}" if count == 1 else f"unit.{unit}s"
                parts.append(self._sentences[language][name].format(count=count))
        return " ".join(parts[:2])


def _read(language: str) -> Iterator[tuple[str, str]]:
    text = files("appliance.sms").joinpath(f"{language}.toml").read_text("utf-8")
    return _flat(tomllib.loads(text), "")


def _flat(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


# Read while importing: nothing may block once the loop runs.
CATALOGUES = Catalogues()
