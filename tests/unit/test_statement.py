"""Statements as the organisation portal exports them, and files that are none."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from appliance.domain.errors import Invalid
from appliance.mpesa import statement

HEAD = (
    "Receipt No.,Completion Time,Details,Transaction Status,Paid In,Withdrawn,Balance,"
    "Reason Type,Other Party Info,A/C No.\n"
)
TEXT = (
    "\ufeffAccount Holder:,MWANGAZA WI-FI\nShort Code:,174379\n\n" + HEAD + "UKN7K2M9QX,"
    '2026-11-23 15:02:11,"Pay Bill from 2547***126 Acc. ABC3DEF4GH",Completed,"1,050.00",,'
    '"9,050.00",Pay Utility,2547***126,ABC3DEF4GH\n'
    "UKN7K2M9QY,2026-11-23 15:03:00,Charge,Completed,,-5.00,9045.00,Charge,,\n"
    "UKN7K2M9QZ,2026-11-23 15:04:00,Pay Bill,Cancelled,10.00,,9045.00,Pay Utility,,\n"
    "\n"
)


def test_only_completed_money_that_came_in_counts() -> None:
    (line,) = statement.read(TEXT)
    assert line.receipt == "UKN7K2M9QX"
    assert line.amount == Decimal("1050.00")
    assert line.at == datetime(2026, 11, 23, 12, 2, 11, tzinfo=UTC)
    assert (line.account, line.payer) == ("ABC3DEF4GH", "2547***126")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not an M-Pesa statement"),
        ("a,b\n1,2\n", "not an M-Pesa statement"),
        (HEAD + "UKN7K2M9QX,2026-11-23 15:02:11,x,Completed,ten,,,,,\n", "Paid In"),
        (HEAD + "UKN7K2M9QX,2026-11-23 15:02:11,x,Completed,NaN,,,,,\n", "Paid In"),
        (HEAD + "UKN7K2M9QX,yesterday,x,Completed,10.00,,,,,\n", "Completion Time"),
        (HEAD + "UKN7K2M9QX,0001-01-01 00:00:00,x,Completed,10.00,,,,,\n", "Completion Time"),
        (HEAD + "UKN7K2M9QX,2026-11-23 15:02:11,x,Completed,1E999999,,,,,\n", "Paid In"),
        (HEAD + "UKN7K2M9QX,2026-11-23 15:02:11,x,Completed,1_0,,,,,\n", "Paid In"),
        (HEAD + "UKN7K2M9QX,2026-11-23 15:02:11," + "x" * 200_000 + ",Completed,1\n", "not CSV"),
    ],
)
def test_what_is_no_statement_is_refused_in_words(text: str, word: str) -> None:
    with pytest.raises(Invalid, match=word):
        statement.read(text)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_only_an_end_of_line_ends_a_row(end: str) -> None:
    odd = TEXT.replace("from 2547***126", "from\u2028\x85\x0c2547***126").replace("\n", end)
    assert statement.read(odd) == statement.read(TEXT)


def test_a_file_that_a_spreadsheet_saved_is_read_too() -> None:
    windows = TEXT.replace("MWANGAZA WI-FI", "CAFÉ ZÚRI").lstrip("\ufeff").encode("cp1252")
    (line,) = statement.read(statement.text_of(windows))
    assert line.receipt == "UKN7K2M9QX"
    assert statement.read(statement.text_of(TEXT.encode())) == [line]
