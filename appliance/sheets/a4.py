"""A4 sheets to print anywhere and cut: three columns of eight, with marks where to cut."""

from collections.abc import Sequence

from appliance.sheets import Ticket
from appliance.sheets.drawing import POINT, Drawing, Face, Line

_WIDTH, _HEIGHT = 210.0, 297.0
_COLUMNS, _ROWS = 3, 8
PER_PAGE = _COLUMNS * _ROWS
# Printers leave the edge white.
_LEFT, _TOP = 7.5, 8.5
_CELL = ((_WIDTH - 2 * _LEFT) / _COLUMNS, (_HEIGHT - 2 * _TOP) / _ROWS)
_INSIDE = 2.8
_QR = 20.0
_QUIET = 2.8
"""Four modules of it: what must stay white around it."""
_CODE, _WORDS = 18.9, 25.2
"""Where they begin, from the top of a ticket."""
_LEADING = 1.25
_MARK = 2.0
_EDGE = 0.1


def drawn(tickets: Sequence[Ticket]) -> bytes:
    """Return the sheets."""
    drawing = Drawing(tickets[0].brand if tickets else "")
    for start in range(0, len(tickets), PER_PAGE):
        drawing.page(_WIDTH, _HEIGHT)
        _cut_marks(drawing)
        for place, ticket in enumerate(tickets[start : start + PER_PAGE]):
            row, column = divmod(place, _COLUMNS)
            _cell(drawing, ticket, _LEFT + column * _CELL[0], _TOP + row * _CELL[1])
    return drawing.done()


def _cut_marks(drawing: Drawing) -> None:
    """Draw a small cross at every corner: ink inside a ticket would only be in the way."""
    pdf = drawing.pdf
    pdf.set_draw_color(110)
    pdf.set_line_width(_EDGE)
    for row in range(_ROWS + 1):
        for column in range(_COLUMNS + 1):
            x, y = _LEFT + column * _CELL[0], _TOP + row * _CELL[1]
            pdf.line(x - _MARK, y, x + _MARK, y)
            pdf.line(x, y - _MARK, x, y + _MARK)


def _cell(drawing: Drawing, ticket: Ticket, left: float, top: float) -> None:
    width = _CELL[0] - 2 * _INSIDE
    x, beside = left + _INSIDE, width - _QR - _QUIET
    drawing.code(ticket.address, (left + _CELL[0] - _INSIDE - _QR, top + _INSIDE), _QR)
    about: list[Line] = []
    for line, least in (
        (Line(ticket.brand, Face.BOLD, 9.5), 6.5),
        (Line(ticket.plan, Face.PLAIN, 8.5), 6.5),
        (Line(ticket.price, Face.BOLD, 9.5), 6.5),
        (Line(ticket.facts, Face.PLAIN, 6.5), 5.5),
    ):
        about += drawing.laid(line, beside, least)
    _written(drawing, about, (x, top + _INSIDE), (beside, _CODE - _INSIDE))
    drawing.write(Line(ticket.code, Face.CODE, 16), (x, top + _CODE), beside)
    words = drawing.laid(Line(ticket.how_to, Face.PLAIN, 6.5), width, 6.5)
    words += drawing.laid(Line(ticket.help, Face.BOLD, 6.5), width, 5.5, most=1)
    _written(drawing, words, (x, top + _WORDS), (width, _CELL[1] - _INSIDE - _WORDS))


def _written(
    drawing: Drawing, lines: list[Line], place: tuple[float, float], room: tuple[float, float]
) -> None:
    """Write lines one under the other, closer together where there are many."""
    (x, y), (width, height) = place, room
    leading = min(_LEADING, height / max(1.0, sum(line.size * POINT for line in lines)))
    for line in lines:
        drawing.write(line, (x, y), width)
        y += line.size * POINT * leading
