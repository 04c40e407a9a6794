"""Messages as Safaricom would never send them: made of recorded ones by breaking something."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

RECORDED = Path(__file__).parents[1] / "recorded" / "daraja"
GONE = object()


@dataclass(frozen=True)
class Literal:
    """A value written as it is, though JSON may not know it."""

    text: str


@dataclass(frozen=True)
class Twice:
    """One key that is there twice."""

    first: Any
    second: Any


def recorded(name: str, **fitting: Any) -> dict[str, Any]:
    """Return a recorded message, with what names another shop's payment made ours."""
    message: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    target = message["Body"]["stkCallback"] if "Body" in message else message
    target.update(fitting)
    return message


def written(value: Any) -> str:
    """Return the message as text; half characters are escaped, as a real sender would."""
    if isinstance(value, Literal):
        return value.text
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    if not isinstance(value, dict):
        return json.dumps(value)
    pairs = [
        f"{json.dumps(name)}:{written(one)}"
        for name, inner in value.items()
        for one in ((inner.first, inner.second) if isinstance(inner, Twice) else (inner,))
    ]
    return "{" + ",".join(pairs) + "}"


def paths(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every field, however deep."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, found in inner:
        yield (*before, name)
        if isinstance(found, dict | list):
            yield from paths(found, (*before, name))


def changed(value: Any, path: tuple[Any, ...], to: Any) -> Any:
    """Return the message with another value at this place, or with nothing there."""
    if not path:
        return to
    if not isinstance(value, dict | list):
        return value  # an earlier change took the place away
    head, *rest = path
    known = dict(value.items() if isinstance(value, dict) else enumerate(value))
    if head not in known:
        return value
    known[head] = changed(known[head], tuple(rest), to)
    if known[head] is GONE:
        del known[head]
    return known if isinstance(value, dict) else list(known.values())


_LITERALS = (
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "1e99999999999999999999"),
    *("9" * 18, "9" * 40, "9" * 5000, "-1", "-0", "0.0", "0e0", "1.0", "1.00", "00", "0x0"),
    *("", "tru", "[[[[]]]]", "[" * 20_000, '{"a":' * 5000, "{}", '"\t"', "1" + "0" * 300 + ".0"),
)
_TEXTS = (
    *("", " ", "0", " 0 ", "0 0", "0.0", "00", "\x00", "0\x00", "0\n", "a\u202eb", "\ud800"),
    *(
        "\udfff" * 9,
        "é" * 70,
        "\u0660",
        "NaN",
        "Infinity",
        "1e999999",
        "-1.00",
        "1,00",
        "x" * 60_000,
    ),
    *("00010101000000", "99991231235959", "20261399999999", "0" * 14, "$where", "a.b", "WIFI"),
    *("' OR 1=1 --", "ws_CO_1", "QKH94M1Z11", "qkh94m1z11", "254712345002", "5142076", "600966"),
)
_PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 0, 1, 10, 1032]),
    st.floats(),
    st.text(alphabet=st.characters(), max_size=40),
    st.sampled_from(_TEXTS),
)
VALUES = st.one_of(
    _PLAIN,
    _PLAIN.map(lambda inner: [inner]),
    st.dictionaries(st.sampled_from(["Name", "Value", "$date", "$oid", "a.b", ""]), _PLAIN),
    st.sampled_from(_LITERALS).map(Literal),
)


def field_changes(message: Any) -> st.SearchStrategy[str]:
    """Return texts of this message in which one to three fields are wrong, missing or doubled."""
    places = st.sampled_from(list(paths(message)))
    to = st.one_of(st.just(GONE), VALUES, st.builds(Twice, VALUES, VALUES))

    def apply(changes: list[tuple[tuple[Any, ...], Any]]) -> str:
        found = message
        for path, value in changes:
            plain = isinstance(path[-1], int) and isinstance(value, Twice)
            found = changed(found, path, [value.first, value.second] if plain else value)
        return written(found)

    return st.lists(st.tuples(places, to), min_size=1, max_size=3).map(apply)


def byte_changes(message: Any) -> st.SearchStrategy[bytes]:
    """Return what is no longer this message, or no JSON object, or no text at all."""
    whole = written(message).encode()
    torn = st.integers(0, len(whole)).map(lambda end: whole[:end])
    dirty = st.builds(
        lambda at, dirt: whole[:at] + dirt + whole[at:],
        st.integers(0, len(whole)),
        st.sampled_from([b"\xff", b"\x00", b"\xed\xa0\x80", b"\xc3", b"\r\n", b"\xf8\x88"]),
    )
    other = st.sampled_from(
        [
            *(
                text.encode()
                for text in ("null", "true", "0", '"0"', "[]", "{}", "[0]", "\ufeff{}")
            ),
            *(whole.decode().encode(code) for code in ("utf-16", "utf-32", "utf-8-sig", "cp500")),
            *(b"[" * 65_000, b'{"a":' * 12_000, b'"' + b"x" * 65_000, b"\x00" * 60_000),
            *(b" " * 9, b"x" * 65_537),
            whole + whole,
            b"[" + whole + b"]",
            b'{"Body":' + whole + b"}",
        ]
    )
    return torn | dirty | other | st.binary(max_size=200)


def messages(message: Any) -> st.SearchStrategy[bytes]:
    """Return every kind of broken message, most of them still JSON."""
    fields = field_changes(message).map(str.encode)
    return st.one_of(fields, fields, fields, byte_changes(message))
