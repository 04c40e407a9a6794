"""The portal's pages: templates and sentences, with an operator's own laid over ours."""

import re
import secrets
import tomllib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from string import Formatter

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
)

from appliance.domain import colours

_RECENT = 64
_TEMPLATES = ("html", "css", "js")
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_RATE = re.compile(r"(\d+)([kMG]?)")
_NO_BREAK = "\N{NO-BREAK SPACE}"
PAGE = {"light": "#eef2ee", "dark": "#0b120f"}
CARD = {"light": "#ffffff", "dark": "#16211c"}
"""As in `style.css`: what a brand's colour has to be read on."""
_THOUSANDS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What an operator sets: the name on the pages, how they look, and the number to call."""

    brand: str
    support_phone: str = ""
    colour: str = ""
    """As `#rrggbb`; without one it is ours."""
    logo: str = ""
    """A `data:` address; without one it is ours."""

    @property
    def themes(self) -> dict[str, dict[str, str]]:
        """Return what the colour makes of our style sheet, by scheme; nothing without one."""
        if not self.colour:
            return {}
        return {
            scheme: colours.theme(
                self.colour, page=PAGE[scheme], card=CARD[scheme], dark=scheme == "dark"
            )
            for scheme in PAGE
        }


class Pages:
    """Renders the portal in every language it speaks; a broken catalogue refuses to start.

    `overlay` is the operator's own folder. A template there replaces ours of the same name, and
    may extend it as `shipped/<name>`; a sentence in its `<language>.toml` replaces ours.
    """

    languages: tuple[str, ...] = ("en", "sw")

    def __init__(self, look: Look, *, overlay: Path | None = None) -> None:
        self._sentences = {lang: _catalogue(lang, overlay) for lang in self.languages}
        self._speech = {lang: self._spoken(lang) for lang in self.languages}
        self._environment = _environment(overlay)
        self._environment.globals |= {"look": look, "themes": look.themes}
        self._recent: OrderedDict[tuple[str, str, str], list[bytes]] = OrderedDict()
        # Stands where the nonce goes: every answer has its own, so it cannot be kept.
        self._blank = secrets.token_hex(12)

    def render(self, template: str, lang: str, *, nonce: str, **context: object) -> bytes:
        """Return one whole page; a name missing from the context raises at once.

        Rendering costs more than all the rest of a request, and most visitors see the same plans:
        what was rendered lately from the same context is not rendered again.
        """
        key = (template, lang, repr(context))
        parts = self._recent.pop(key, None)
        if parts is None:
            found = self._environment.get_template(template)
            page = found.render(lang=lang, nonce=self._blank, **self._speech[lang], **context)
            parts = page.encode().split(self._blank.encode())
        self._recent[key] = parts
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)
        return nonce.encode().join(parts)

    def text(self, lang: str, key: str, **values: object) -> str:
        """Return one sentence as plain text; raise `KeyError` for an unknown key."""
        return self._sentences[lang][key].format_map(values)

    def duration(self, lang: str, seconds: int) -> str:
        """Return a length of time in its one or two largest units, rounded down."""
        index = next((i for i, (_, size) in enumerate(_UNITS) if seconds >= size), len(_UNITS) - 1)
        unit, size = _UNITS[index]
        count, rest = divmod(max(0, seconds), size)
        if unit in {"minute", "second"}:
            return self._count(lang, f"unit.{unit}", count)
        lesser, lesser_size = _UNITS[index + 1]
        if rest < lesser_size:
            return self._count(lang, f"unit.{unit}", count)
        if unit == "day":
            lead = self._count(lang, "unit.day", count)
        else:
            lead = self.text(lang, f"unit.{unit}_short", count=count)
        return f"{lead} {self.text(lang, f'unit.{lesser}_short', count=rest // lesser_size)}"

    def data(self, lang: str, byte_count: int) -> str:
        """Return an amount of data; whole mebibytes are counted as people buy them, by 1024."""
        del lang  # written alike in all our languages
        step = 1_000 if byte_count % (1 << 20) else 1 << 10
        if byte_count >= step**3:
            return f"{_short(byte_count / step**3)} GB"
        return f"{_short(byte_count / step**2)} MB"

    def price(self, lang: str, shillings: int) -> str:
        """Return an amount of money."""
        return self.text(lang, "price", amount=f"{shillings:,}")

    def facts(self, lang: str, plan: Mapping[str, object]) -> str:
        """Return what a plan gives, in one line; a duration that is its name is not repeated."""
        facts: list[str] = []
        if isinstance(seconds := plan["duration_seconds"], int):
            facts.append(self.duration(lang, seconds))
        if facts and facts[0].casefold() == str(plan["name"]).strip().casefold():
            facts.clear()
        if isinstance(limit := plan["data_limit_bytes"], int):
            facts.append(self.data(lang, limit))
        if speed := _speed(str(plan["rate_limit"] or "")):
            facts.append(speed)
        if isinstance(devices := plan["devices"], int) and devices > 1:
            facts.append(self._count(lang, "plan.device", devices))
        return " · ".join(fact.replace(" ", _NO_BREAK) for fact in facts)

    def _count(self, lang: str, key: str, count: int) -> str:
        return self.text(lang, key if count == 1 else f"{key}s", count=count)

    def _spoken(self, lang: str) -> dict[str, Callable[..., str]]:
        return {
            "t": partial(self.text, lang),
            "duration": partial(self.duration, lang),
            "data": partial(self.data, lang),
            "price": partial(self.price, lang),
            "facts": partial(self.facts, lang),
        }


def _environment(overlay: Path | None) -> Environment:
    """Return an environment with every template compiled: no visitor waits for the disk."""
    shipped = DictLoader(_shipped())
    loaders: list[BaseLoader] = [shipped]
    if overlay is not None:
        loaders = [FileSystemLoader(overlay), shipped, PrefixLoader({"shipped": shipped})]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    for name in environment.list_templates(extensions=_TEMPLATES):
        environment.get_template(name)
    return environment


def _shipped() -> dict[str, str]:
    """Return our templates without the white space that no browser needs."""
    found: dict[str, str] = {}
    for resource in files("portal_templates").iterdir():
        kind = resource.name.rpartition(".")[2]
        if kind not in _TEMPLATES:
            continue
        spare = r"\s*\n\s*" if kind == "css" else r"(?m)^[ \t]+"
        found[resource.name] = re.sub(spare, "", resource.read_text("utf-8"))
    return found


def _catalogue(lang: str, overlay: Path | None) -> dict[str, str]:
    name = f"{lang}.toml"
    ours = dict(_sentences(files("portal_templates").joinpath(name).read_text("utf-8")))
    if overlay is None or not (overlay / name).is_file():
        return ours
    try:
        return ours | dict(_replacements((overlay / name).read_text("utf-8"), ours))
    except ValueError as error:
        raise ValueError(f"{overlay / name}: {error}") from error


def _replacements(toml: str, ours: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield an operator's sentences; one with a blank that is never filled raises `ValueError`."""
    for key, sentence in _sentences(toml):
        strange = _blanks(sentence) - _blanks(ours.get(key, sentence))
        if strange:
            raise ValueError(f"{key}: nothing fills {', '.join(sorted(strange))}")
        yield key, sentence


def _sentences(toml: str) -> Iterator[tuple[str, str]]:
    """Yield every sentence of a catalogue with its `table.key`."""
    return _flat(tomllib.loads(toml), "")


def _flat(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        match value:
            case dict():
                yield from _flat(value, f"{prefix}{key}.")
            case str():
                yield f"{prefix}{key}", value
            case _:
                raise ValueError(f"{prefix}{key} is not a sentence")


def _blanks(sentence: str) -> set[str]:
    """Return the names in braces; raise `ValueError` for a brace that is not closed."""
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def _speed(rate_limit: str) -> str:
    """Return the download speed of a RouterOS rate limit, which names the upload first."""
    first = rate_limit.partition(" ")[0]
    found = _RATE.fullmatch(first.rpartition("/")[2])
    if found is None:
        return ""
    bits = int(found[1]) * _THOUSANDS[found[2]]
    if bits >= _THOUSANDS["M"]:
        return f"{_short(bits / _THOUSANDS['M'])} Mbps"
    return f"{_short(bits / _THOUSANDS['k'])} kbps" if bits else ""


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
