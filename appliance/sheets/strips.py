"""Strips for thermal printers: one voucher each, as long as its words need."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.sheets import Paper, Ticket
from appliance.sheets.drawing import POINT, Drawing, Face, Line

_EDGE = 3.0
_LEADING = 1.2
_GAP = 1.2
_TEAR = 4.0
"""White at the end, where it is torn off."""
_MOST_LINES = 4


@dataclass(frozen=True, slots=True)
class Roll:
    """A roll of paper, in millimetres and points."""

    width: float
    printed: float
    """What the head of a usual printer reaches."""
    qr: float
    code: float
    text: float


ROLLS = {
    Paper.NARROW: Roll(width=58, printed=46, qr=32, code=20, text=8),
    Paper.WIDE: Roll(width=80, printed=70, qr=40, code=30, text=10),
}


def drawn(tickets: Sequence[Ticket], roll: Roll) -> bytes:
    """Return a page for every ticket."""
    drawing = Drawing(tickets[0].brand if tickets else "")
    for ticket in tickets:
        above, below = _above(drawing, ticket, roll), _below(drawing, ticket, roll)
        words = sum(_height(lines) for lines in (*above, *below))
        drawing.page(roll.width, _EDGE + words + roll.qr + _EDGE + _TEAR)
        y = _written(drawing, roll, above, _EDGE)
        drawing.code(ticket.address, ((roll.width - roll.qr) / 2, y), roll.qr)
        _written(drawing, roll, below, y + roll.qr + _EDGE)
    return drawing.done()


def _above(drawing: Drawing, ticket: Ticket, roll: Roll) -> list[list[Line]]:
    size = roll.text
    return [
        _laid(drawing, roll, Line(ticket.brand, Face.BOLD, size * 1.5), size * 1.2),
        _laid(drawing, roll, Line(ticket.plan, Face.PLAIN, size * 1.2), size),
        _laid(drawing, roll, Line(ticket.price, Face.BOLD, size * 1.5), size),
        _laid(drawing, roll, Line(ticket.facts, Face.PLAIN, size), size),
        [Line(ticket.code, Face.CODE, roll.code), Line("", Face.PLAIN, size * 0.5)],
    ]


def _below(drawing: Drawing, ticket: Ticket, roll: Roll) -> list[list[Line]]:
    return [
        _laid(drawing, roll, Line(ticket.how_to, Face.PLAIN, roll.text), roll.text),
        _laid(drawing, roll, Line(ticket.help, Face.BOLD, roll.text), roll.text),
    ]


def _laid(drawing: Drawing, roll: Roll, line: Line, least: float) -> list[Line]:
    return drawing.laid(line, roll.printed, least, _MOST_LINES)


def _height(lines: list[Line]) -> float:
    return sum(line.size * POINT * _LEADING for line in lines) + (_GAP if lines else 0)


def _written(drawing: Drawing, roll: Roll, blocks: list[list[Line]], y: float) -> float:
    """Write lines one under the other, and return where the next one would be."""
    left = (roll.width - roll.printed) / 2
    for lines in blocks:
        for line in lines:
            drawing.write(line, (left, y), roll.printed, "C")
            y += line.size * POINT * _LEADING
        y += _GAP if lines else 0
    return y
