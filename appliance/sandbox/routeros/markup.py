"""The servlet's page language: `$(name)`, `$(name-esc)` and `$(if …)$(elif …)$(else)$(endif)`.

Two of its conditions do not ask but set: `$(if http-status == 302)` gives the answer that status,
`$(if http-header == "Location")` gives it that header, and the text between is the value.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

_TAG = re.compile(r"\$\(([^)]*)\)")
_CONDITION = re.compile(
    r"(?P<name>[\w-]+)\s*(?:(?P<op>==|!=)\s*(?P<q>[\"']?)(?P<value>.*?)(?P=q))?\s*", re.ASCII
)


@dataclass(slots=True)
class Page:
    """An answer in the making."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


def rendered(source: str, variables: Mapping[str, str]) -> Page:
    """Return the answer that a page of this text makes; an unknown variable is empty."""
    page = Page()
    page.body = _text(_pieces(source), variables, page, taken=True)[0]
    return page


def _pieces(source: str) -> Iterator[tuple[str, bool]]:
    """Yield texts and tags in turn; True marks a tag."""
    end = 0
    for found in _TAG.finditer(source):
        yield source[end : found.start()], False
        yield found[1].strip(), True
        end = found.end()
    yield source[end:], False


def _text(
    pieces: Iterator[tuple[str, bool]], variables: Mapping[str, str], page: Page, *, taken: bool
) -> tuple[str, str]:
    """Return the text up to the end of this branch, and the tag that ended it."""
    shown: list[str] = []
    for piece, is_tag in pieces:
        if not is_tag:
            shown.append(piece)
        elif piece.startswith("if "):
            shown.append(_choice(piece[3:], pieces, variables, page, taken=taken))
        elif piece in {"else", "endif"} or piece.startswith("elif "):
            return "".join(shown), piece
        else:
            shown.append(_value(piece, variables))
    return "".join(shown), "endif"


def _choice(
    condition: str,
    pieces: Iterator[tuple[str, bool]],
    variables: Mapping[str, str],
    page: Page,
    *,
    taken: bool,
) -> str:
    """Return the text of the first branch whose condition holds; read past all the others."""
    chosen, done, tag = "", not taken, f"elif {condition}"
    while tag != "endif":
        asked = tag.removeprefix("elif ")
        holds = not done and (tag == "else" or _holds(asked, variables))
        text, following = _text(pieces, variables, page, taken=holds)
        if holds:
            done, chosen = True, "" if _sets(asked, text, page) else text
        tag = following
    return chosen


def _sets(condition: str, text: str, page: Page) -> bool:
    found = _CONDITION.fullmatch(condition)
    if found is None or found["op"] != "==":
        return False
    if found["name"] == "http-status":
        page.status = int(found["value"])
        return True
    if found["name"] == "http-header":
        page.headers[found["value"]] = text.strip()
        return True
    return False


def _holds(condition: str, variables: Mapping[str, str]) -> bool:
    found = _CONDITION.fullmatch(condition)
    if found is None:
        return False
    if found["name"] in {"http-status", "http-header"}:
        return True
    value = _value(found["name"], variables)
    if found["op"] is None:
        return value not in {"", "no", "false", "0"}
    return (value == found["value"]) is (found["op"] == "==")


def _value(name: str, variables: Mapping[str, str]) -> str:
    if name.endswith("-esc"):
        return quote(variables.get(name.removesuffix("-esc"), ""), safe="")
    return variables.get(name, "")
