"""How the router writes values, and how a script must: two spellings of one value are the same."""

import re
from collections.abc import Mapping

SETS = frozenset({"login-by", "policy", "address", "dst-address", "servers", "dhcp-option"})
"""Attributes that hold several words, in any order."""
_YES, _NO = frozenset({"yes", "true"}), frozenset({"no", "false"})
_PLAIN = re.compile(r"[A-Za-z0-9 ._@:/,!*=+<>#%&;'(){}\[\]|~^-]", re.ASCII)
_NAMED = {'"': '\\"', "\\": "\\\\", "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def same(attribute: str, left: str, right: str) -> bool:
    """Say whether two texts mean the same value of this attribute."""
    return _meant(attribute, left) == _meant(attribute, right)


def _meant(attribute: str, text: str) -> object:
    if text in _YES | _NO:
        return text in _YES
    if attribute in SETS:
        parts = (part.strip().removesuffix("/32") for part in text.split(","))
        return frozenset(part for part in parts if part and not part.startswith("!"))
    return text.strip() if attribute != "contents" else text


def quoted(text: str) -> str:
    """Return a string literal of a script, good for 6.49 and 7 and on a terminal.

    A question mark is a terminal's key for help, so it is written as its code; every byte that is
    not plain ASCII is too.
    """
    return '"' + "".join(_NAMED.get(char) or _coded(char) for char in text) + '"'


def _coded(char: str) -> str:
    if _PLAIN.fullmatch(char):
        return char
    return "".join(f"\\{byte:02X}" for byte in char.encode("utf-8", "replace"))


def arguments(values: Mapping[str, str]) -> str:
    """Return `name="value"` pairs; the names are ours, the values may be anybody's."""
    return " ".join(f"{name}={quoted(value)}" for name, value in values.items())


def path(menu: str) -> str:
    """Return a menu's path as both versions take it: with blanks."""
    return "/" + menu.strip("/").replace("/", " ")
