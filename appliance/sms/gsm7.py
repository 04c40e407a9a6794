"""What phones take in one message: 160 characters of the GSM alphabet, or 70 of any other."""

import unicodedata

SEGMENT = 160
_LONG_SEGMENT = 153
_UCS2_SEGMENT, _UCS2_LONG_SEGMENT = 70, 67
_PLAIN = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€")
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019`", "'"),
        **dict.fromkeys("\u201c\u201d", '"'),
        **dict.fromkeys("\u2010\u2011\u2013\u2014\xb7", "-"),
        "\u2026": "...",
        "\xa0": " ",
    }
)


def septets(text: str) -> int | None:
    """Return how much of a message a text takes; None where the alphabet lacks a character."""
    if set(text) - _PLAIN - _EXTENDED:
        return None
    return sum(2 if character in _EXTENDED else 1 for character in text)


def segments(text: str) -> int:
    """Return how many messages a text is charged as."""
    length = septets(text)
    if length is not None:
        return 1 if length <= SEGMENT else -(-length // _LONG_SEGMENT)
    units = len(text.encode("utf-16-be")) // 2
    return 1 if units <= _UCS2_SEGMENT else -(-units // _UCS2_LONG_SEGMENT)


def plain(text: str) -> str:
    """Return a text in the GSM alphabet: letters lose their marks, what is left over goes."""
    return "".join(map(_in_alphabet, text.translate(_ALIKE)))


def _in_alphabet(character: str) -> str:
    if character in _PLAIN or character in _EXTENDED:
        return character
    base = unicodedata.normalize("NFKD", character)
    return "".join(part for part in base if part in _PLAIN)
