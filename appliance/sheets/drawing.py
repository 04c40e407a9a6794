"""A PDF page that takes any text: what its fonts lack is written plainly, and what is long fits."""

import unicodedata
from dataclasses import dataclass, replace
from enum import Enum
from io import BytesIO
from pathlib import Path

import segno
from fpdf import FPDF

DEJAVU = Path("/usr/share/fonts/truetype/dejavu")
POINT = 25.4 / 72
_PIXELS = 4
"""Of a QR module: enough that a viewer that smooths blurs only its edge."""
# To find the one that looks best takes longer than all the rest, and any can be read.
_MASK = 3
# What has no parts, and is likely in a name.
_PLAINLY = dict(zip("‘’“”–—•ŁłĐđ", "''\"\"--·LlDd", strict=True))  # noqa: RUF001
_MORE = "..."
_LITTLE = 0.8
_ROUNDING = 0.05


class Face(Enum):
    """A font: its file, and which of every reader's own stands in for it."""

    PLAIN = ("DejaVuSans.ttf", "helvetica", "")
    BOLD = ("DejaVuSans-Bold.ttf", "helvetica", "B")
    CODE = ("DejaVuSansMono-Bold.ttf", "courier", "B")


@dataclass(frozen=True, slots=True)
class Line:
    """Some words in a font of so many points."""

    text: str
    face: Face
    size: float


class Drawing:
    """A document in millimetres."""

    def __init__(self, title: str) -> None:
        """Take what it is called; without its fonts, only Western letters keep their marks."""
        self.pdf = FPDF(unit="mm")
        self.pdf.set_auto_page_break(auto=False)
        self.pdf.set_margin(0)
        self.pdf.c_margin = 0
        self._own = all((DEJAVU / face.value[0]).is_file() for face in Face)
        if self._own:
            for face in Face:
                self.pdf.add_font(face.name, "", DEJAVU / face.value[0])
        self.use(Face.PLAIN, 10)
        self.pdf.set_title(self.known(title))

    def page(self, width: float, height: float) -> None:
        """Begin a page."""
        # Its `orientation` turns a page that is wider than high, so that one says which it is.
        self.pdf.add_page("P" if width <= height else "L", (width, height))

    def use(self, face: Face, size: float) -> None:
        """Write in this font from now on."""
        _, name, style = face.value
        if self._own:
            self.pdf.set_font(face.name, "", size)
        else:
            self.pdf.set_font(name, style, size)

    def known(self, text: str) -> str:
        """Return the text in letters that the font has: without their marks, else left out."""
        plain = "".join(self._letter(letter) for letter in unicodedata.normalize("NFC", text))
        return " ".join(plain.split())

    def laid(self, line: Line, width: float, least: float, most: int = 2) -> list[Line]:
        """Return the line a little smaller where it is too long, else as several of the `least`."""
        self.use(line.face, line.size)
        text = self.known(line.text)
        wide = self.pdf.get_string_width(text)
        if not text:
            return []
        if wide * _LITTLE <= width:
            return [replace(line, text=text, size=line.size * min(1, width / max(wide, 1)))]
        parts = self._wrapped(text, width, line.face, least, most)
        return [replace(line, text=part, size=least) for part in parts]

    def write(self, line: Line, place: tuple[float, float], width: float, align: str = "L") -> None:
        """Write a line whose top left is at this place; one too long even smaller is cut."""
        self.use(line.face, line.size)
        text = line.text
        wide = self.pdf.get_string_width(text)
        if wide > width:
            self.use(line.face, line.size * max(_LITTLE, width / wide))
        while text.removesuffix(_MORE) and self.pdf.get_string_width(text) > width + _ROUNDING:
            text = text.removesuffix(_MORE)[:-1].rstrip() + _MORE
        self.pdf.set_xy(*place)
        self.pdf.cell(width, line.size * POINT, text, align=align)

    def _wrapped(self, text: str, width: float, face: Face, size: float, most: int) -> list[str]:
        self.use(face, size)
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            fits = lines and self.pdf.get_string_width(longer) <= width
            if fits or len(lines) == most:
                lines[-1] = longer
            else:
                lines.append(word)
        return lines

    def code(self, address: str, place: tuple[float, float], side: float) -> None:
        """Draw a QR code; the four empty modules around it are the caller's."""
        image = BytesIO()
        made = segno.make_qr(address, error="m", mask=_MASK)
        made.save(image, kind="png", scale=_PIXELS, border=0)
        self.pdf.image(image, *place, side, side)

    def done(self) -> bytes:
        """Return the document."""
        return bytes(self.pdf.output())

    def _letter(self, letter: str) -> str:
        if self._has(letter):
            return letter
        if letter.isspace():
            return " "
        parts = unicodedata.normalize("NFKD", _PLAINLY.get(letter, letter))
        return "".join(part for part in parts if part != letter and self._has(part))

    def _has(self, letter: str) -> bool:
        if not letter.isprintable():
            return False
        if self._own:
            font = self.pdf.fonts[Face.BOLD.name.lower()]
            return ord(letter) in font.cmap  # type: ignore[union-attr]
        return ord(letter) < 256  # noqa: PLR2004
