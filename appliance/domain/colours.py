"""A brand's one colour, and what is derived of it so that everybody can read what is on it."""

import re

READABLE = 4.5
"""The least contrast of small text, by WCAG 2.2 (1.4.3)."""

_HEX = re.compile("#[0-9a-f]{6}")
_BLACK, _WHITE = "#000000", "#ffffff"
_STEPS = 50
_LINEAR_BELOW = 0.04045


def colour(text: str) -> str:
    """Return a colour as `#rrggbb`; raise `ValueError` for anything else."""
    shown = text.strip().lower()
    if re.fullmatch("#[0-9a-f]{3}", shown):
        shown = "#" + "".join(digit * 2 for digit in shown[1:])
    if not _HEX.fullmatch(shown):
        raise ValueError("must be a colour in hex, like #0b4d31")
    return shown


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, from 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mixed(one: str, other: str, share: float) -> str:
    """Return the colour with so much of the other in it, from 0 to 1."""
    pairs = zip(_parts(one), _parts(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def text_on(background: str) -> str:
    """Return white or black, whichever reads better there: one of them always reads well."""
    return max(_WHITE, _BLACK, key=lambda text: contrast(text, background))


def theme(brand: str, *, page: str, card: str, dark: bool) -> dict[str, str]:
    """Return the colours of one scheme by their names in our style sheet.

    `band` carries the name of the hotspot, `act` is what can be pressed and linked to.
    """
    band = mixed(brand, _BLACK, 0.2) if dark else brand
    shades = (mixed(brand, _WHITE if dark else _BLACK, n / _STEPS) for n in range(_STEPS + 1))
    act, tint = next(
        (act, tint)
        for act, tint in ((shade, mixed(card, shade, 0.12)) for shade in shades)
        if min(contrast(act, under) for under in (page, card, tint)) >= READABLE
    )
    title = text_on(band)
    lead = mixed(title, band, 0.15)
    return {
        "band": band,
        "title": title,
        "lead": lead if contrast(lead, band) >= READABLE else title,
        "act": act,
        "on": text_on(act),
        "tint": tint,
    }


def _parts(shown: str) -> tuple[int, int, int]:
    return int(shown[1:3], 16), int(shown[3:5], 16), int(shown[5:7], 16)


def _luminance(shown: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(shown))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return float(part / 12.92 if part <= _LINEAR_BELOW else ((part + 0.055) / 1.055) ** 2.4)
