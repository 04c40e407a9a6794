"""An M-Pesa statement as its portal exports it: CSV with a few lines above the head."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from appliance.domain.errors import Invalid
from appliance.mpesa.values import EAST_AFRICA

_RECEIPT, _TIME, _STATUS, _PAID_IN, _PAYER, _ACCOUNT = (
    "receipt no",
    "completion time",
    "transaction status",
    "paid in",
    "other party info",
    "a/c no",
)
_FORMS = ("%Y-%m-%d %H:%M:%S", "%d-%m-%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d-%m-%Y %H:%M")

_AMOUNT = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class Line:
    """Money that came in."""

    receipt: str
    amount: Decimal
    at: datetime
    account: str = ""
    """What the payer typed, or what our push named; a till's statement names none."""
    payer: str = ""
    """A number or a mask of one, without the name beside it."""


def text_of(file: bytes) -> str:
    """Return an exported file's text: UTF-8, else what a spreadsheet on Windows saves."""
    try:
        return file.decode("utf-8-sig")
    except UnicodeDecodeError:
        return file.decode("cp1252", errors="replace")


def read(text: str) -> list[Line]:
    """Return the completed payments to us; raise `Invalid` where this is no statement."""
    try:
        return list(_read(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""))))
    except csv.Error as error:
        raise Invalid(f"this is not CSV: {error}") from error


def _read(rows: Iterator[list[str]]) -> Iterator[Line]:
    for row in rows:
        names = [cell.strip().rstrip(".").lower() for cell in row]
        if _RECEIPT in names and _PAID_IN in names:
            return _lines(rows, {name: place for place, name in enumerate(names)})
    raise Invalid("no line names Receipt No. and Paid In: this is not an M-Pesa statement")


def _lines(rows: Iterator[list[str]], places: dict[str, int]) -> Iterator[Line]:
    def cell(row: list[str], name: str) -> str:
        place = places.get(name, len(row))
        return row[place].strip() if place < len(row) else ""

    for row in rows:
        amount = _amount(cell(row, _PAID_IN))
        completed = cell(row, _STATUS).lower() in {"", "completed"}
        if amount is not None and amount > 0 and completed and cell(row, _RECEIPT):
            yield Line(
                cell(row, _RECEIPT).upper(),
                amount,
                _moment(cell(row, _TIME)),
                cell(row, _ACCOUNT),
                cell(row, _PAYER).partition(" - ")[0],
            )


def _amount(text: str) -> Decimal | None:
    if not text:
        return None
    plain = text.replace(",", "")
    if _AMOUNT.fullmatch(plain) is None:
        raise Invalid(f"{text!r} in the column Paid In is not an amount")
    return Decimal(plain)


def _moment(text: str) -> datetime:
    for form in _FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=EAST_AFRICA).astimezone(UTC)
        except (ValueError, OverflowError):  # a year that no zone can shift
            continue
    raise Invalid(f"{text!r} in the column Completion Time is not a time")
