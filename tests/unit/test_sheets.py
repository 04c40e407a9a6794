"""What is printed: every voucher once, whatever its words, and nothing that a printer needs not."""

import csv
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest

from appliance.domain.batches import Batch
from appliance.domain.vouchers import State, Voucher, drawn_up_for_cash
from appliance.sheets import Paper, Ticket, drawing, pdf
from appliance.sheets.a4 import PER_PAGE
from appliance.sheets.rows import table
from appliance.web.pages import Look, Pages
from appliance.web.tickets import rows, tickets
from tests.box import HOUR

LOOK = Look(brand="Mama Njeri WiFi", support_phone="0712 345 678")
LONG = "Ñandú & Søn's “Wi-Fi” Kafé — Gîthûrai 45"
TICKET = Ticket(
    brand=LOOK.brand,
    plan="Quick browse",
    price="KSh 20",
    facts="3 hours · 500 MB",
    code="ABC3DEF4GH",
    address="http://10.5.50.2:8080/?code=ABC3DEF4GH",
    how_to="Join this Wi-Fi, then scan the square, or type the code on the page that opens.",
    help="Need help? Call 0712 345 678",
)


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a box without fonts of its own: what is written can then be read in the file."""
    monkeypatch.setattr(drawing, "DEJAVU", Path("/nowhere"))


def pages_of(document: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", document))


def words_of(document: bytes) -> str:
    streams = re.findall(rb"stream\n(.*?)\nendstream", document, re.DOTALL)
    found = []
    for stream in streams:
        try:
            found += re.findall(rb"\((.*?)\) Tj", zlib.decompress(stream), re.DOTALL)
        except zlib.error:
            continue
    return " ".join(part.decode("latin-1").replace("\\", "") for part in found)


@pytest.mark.usefixtures("plain")
def test_a_sheet_holds_24_and_says_of_each_what_it_is() -> None:
    document = pdf([TICKET] * (PER_PAGE + 1), Paper.A4)
    assert pages_of(document) == 2
    words = words_of(document)
    for said in (TICKET.brand, TICKET.plan, TICKET.price, TICKET.facts, TICKET.code, TICKET.help):
        assert words.count(said) == PER_PAGE + 1
    assert words.count(TICKET.how_to) == PER_PAGE + 1


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("paper", [Paper.NARROW, Paper.WIDE])
def test_every_strip_is_as_wide_as_its_roll_and_as_long_as_its_words(paper: Paper) -> None:
    longer = replace(TICKET, brand=LONG, plan="A week for all of the family " * 2)
    document = pdf([TICKET, longer], paper)
    boxes = [box.split() for box in re.findall(rb"/MediaBox \[0 0 (.*?)\]", document)]
    sizes = [tuple(round(float(side) * 25.4 / 72) for side in box) for box in boxes]
    own = [size for size in sizes if size != (210, 297)]  # which is the document's own default
    assert {width for width, _ in own} == {int(paper.removesuffix("mm"))}
    assert len({height for _, height in own}) == 2
    assert 'Ñandú & Søn\'s "Wi-Fi" Kafé' in words_of(document)
    assert "Gîthûrai 45" in words_of(document)


@pytest.mark.parametrize("own_fonts", [True, False])
@pytest.mark.parametrize("paper", Paper)
def test_no_word_breaks_the_printing(
    monkeypatch: pytest.MonkeyPatch, paper: Paper, *, own_fonts: bool
) -> None:
    if not own_fonts:
        monkeypatch.setattr(drawing, "DEJAVU", Path("/nowhere"))
    odd = ("北京 🎉", "مرحبا", "\x00\x1b[31m\u202e", "\udcff", "W" * 300, "", "a\n" * 30, "Łódź")
    odd_ones = [
        replace(TICKET, brand=text, plan=text, facts=text, price=text, how_to=text, help=text)
        for text in odd
    ]
    assert pages_of(pdf(odd_ones, paper)) == (1 if paper is Paper.A4 else len(odd))


def batch(size: int) -> list[Voucher]:
    now = datetime(2026, 11, 27, 9, tzinfo=UTC)
    lots = [Batch(id="b", number=n, size=size, note="=1+1") for n in range(1, size + 1)]
    return [drawn_up_for_cash(HOUR, lot, router_id="r", now=now) for lot in lots]


@pytest.mark.parametrize(
    ("language", "price", "help_line"),
    [
        ("en", "KSh 10", "Need help? Call 0712 345 678"),
        ("sw", "KSh 10", "Unahitaji usaidizi? Piga simu 0712 345 678"),
    ],
)
def test_a_ticket_speaks_as_the_portal_does_and_its_square_opens_it(
    language: str, price: str, help_line: str
) -> None:
    fresh, used = batch(2)
    used = replace(used, state=State.EXPIRED)
    pages = Pages(LOOK)
    (ticket,) = tickets([fresh, used], pages, LOOK, "http://wifi.example/", language)
    assert ticket.address == f"http://wifi.example/?code={fresh.code}"
    assert (ticket.price, ticket.help) == (price, help_line)
    assert ticket.how_to == pages.text(language, "ticket.how_to")
    nobody = Look(brand="x")
    assert tickets([fresh], pages, nobody, "http://wifi.example", language)[0].help == ""


def test_no_cell_is_taken_for_a_formula() -> None:
    read = list(csv.DictReader(StringIO(rows(batch(2)).removeprefix("\ufeff"))))
    assert [row["number"] for row in read] == ["1", "2"]
    assert {row["note"] for row in read} == {"'=1+1"}
    hostile = ["=1", "+1", "-1", "@a", "\tx", "\r=1", " =1", "\uff1d1"]
    written = list(csv.reader(StringIO(table(["a"], [[text] for text in hostile])[1:], newline="")))
    assert [cell for (cell,) in written[1:]] == [f"'{text}" for text in hostile]


def test_whoever_prints_nothing_does_not_carry_what_draws() -> None:
    code = (
        "import sys, appliance.sheets, appliance.web.tickets;"
        "print([name for name in ('fpdf', 'segno', 'fontTools', 'PIL') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert said.stdout == b"[]\n"
