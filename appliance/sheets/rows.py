"""Rows for a spreadsheet, in which no cell is taken for a formula."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"
"""By it a spreadsheet knows that this is UTF-8."""


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return the rows under their names; text that would be reckoned with is marked as text."""
    return MARK + lines([names]) + lines(rows)


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Return rows to add to a table."""
    written = StringIO()
    csv.writer(written).writerows([cell(value) for value in row] for row in rows)
    return written.getvalue()


def cell(value: object) -> object:
    """Return a value as a cell that no spreadsheet reckons with."""
    if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
