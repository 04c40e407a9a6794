"""A text with blanks for a number and a message, filled so that neither can break out of it."""

import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

_BLANK = re.compile(r"\{(to|text)\}")
BLANKS = frozenset({"to", "text"})
JSON, XML, FORM = "application/json", "application/xml", "application/x-www-form-urlencoded"


def blanks(template: str) -> set[str]:
    """Return which blanks a template has."""
    return set(_BLANK.findall(template))


def content_type(body: str) -> str:
    """Return what a body is, by how it begins."""
    return {"{": JSON, "[": JSON, "<": XML}.get(body.lstrip()[:1], FORM)


def filled_url(template: str, to: str, text: str) -> str:
    """Return an address with both in it."""
    return _filled(template, to, text, lambda value: quote(value, safe=""))


def filled_body(template: str, to: str, text: str) -> str:
    """Return a body with both in it, each as the body's own kind writes it."""
    return _filled(template, to, text, _ENCODED[content_type(template)])


def _filled(template: str, to: str, text: str, encoded: Callable[[str], str]) -> str:
    values = {"to": to, "text": text}
    return _BLANK.sub(lambda blank: encoded(values[blank[1]]), template)


def _in_json(value: str) -> str:
    """Return a value as it stands between the quotes of a JSON text."""
    return json.dumps(value)[1:-1]


def _in_xml(value: str) -> str:
    return escape(value, {'"': "&quot;", "'": "&apos;"})


_ENCODED: dict[str, Callable[[str], str]] = {JSON: _in_json, XML: _in_xml, FORM: quote_plus}


def check(url: str, body: str | None) -> None:
    """Raise `ValueError` in words unless both blanks are there, and the body is what it seems."""
    missing = BLANKS - blanks(url) - blanks(body or "")
    if missing:
        named = " and ".join(f"{{{name}}}" for name in sorted(missing))
        raise ValueError(f"url or body must hold {named}")
    if body is not None and content_type(body) == JSON:
        try:
            json.loads(filled_body(body, "254700000000", 'a "word"\n'))
        except ValueError:
            raise ValueError('body must be JSON, its blanks between quotes: "{text}"') from None
