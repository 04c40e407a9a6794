"""The pretend router's pure parts: words as bytes, times, names, queries and pages."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.sandbox.routeros import sentences, values
from appliance.sandbox.routeros.markup import rendered
from appliance.sandbox.routeros.queries import matches
from appliance.sandbox.routeros.tables import Table
from appliance.sandbox.routeros.traps import Trap

ROW = {"name": "ABC", "uptime": "1h30m", "bytes-in": "900", "disabled": "false"}


async def read(raw: bytes) -> list[str]:
    reader = asyncio.StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    return await sentences.read_sentence(reader)


@pytest.mark.parametrize(
    ("length", "prefix"),
    [
        (0, b"\x00"),
        (0x7F, b"\x7f"),
        (0x80, b"\x80\x80"),
        (0x3FFF, b"\xbf\xff"),
        (0x4000, b"\xc0\x40\x00"),
        (0x1FFFFF, b"\xdf\xff\xff"),
        (0x200000, b"\xe0\x20\x00\x00"),
        (0x10000000, b"\xf0\x10\x00\x00\x00"),
    ],
)
def test_a_length_takes_as_few_bytes_as_it_can(length: int, prefix: bytes) -> None:
    assert sentences.encoded_length(length) == prefix


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_sentence_reads_back_the_same(words: list[str]) -> None:
    kept = [word.encode("utf-8", "ignore").decode() or "x" for word in words]
    assert asyncio.run(read(sentences.encoded(kept))) == kept


@pytest.mark.parametrize("raw", [b"\x05ab", b"\x03abc", b"\xf8\x00", b"\xf0\xff\xff\xff\xff"])
async def test_bytes_that_are_no_sentence_end_the_conversation(raw: bytes) -> None:
    with pytest.raises(sentences.BrokenStream):
        await read(raw)


async def test_an_empty_sentence_is_passed_over() -> None:
    assert await read(b"\0\0" + sentences.encoded(["/quit"])) == ["/quit"]


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("7200s", "2h"),
        ("7200", "2h"),
        ("1h", "1h"),
        ("01:00:00", "1h"),
        ("2h30m", "2h30m"),
        ("26h", "1d2h"),
        ("9d", "1w2d"),
        ("1d02:30:00", "1d2h30m"),
        ("0s", "0s"),
    ],
)
def test_a_time_reads_back_as_the_device_prints_it(given_text: str, shown: str) -> None:
    assert values.time("limit-uptime", given_text) == shown


@pytest.mark.parametrize("given_text", ["", "soon", "1h1w", "-5s", "1.5h", "01:60:00", "\u0661h"])
def test_what_is_no_time_is_refused_in_the_devices_words(given_text: str) -> None:
    with pytest.raises(Trap, match="invalid time value for argument limit-uptime"):
        values.time("limit-uptime", given_text)


@given(st.integers(min_value=0, max_value=10**9))
def test_a_printed_time_is_taken_back(seconds: int) -> None:
    assert values.seconds(values.time_text(seconds)) == seconds


def test_a_name_is_resolved_by_its_beginning() -> None:
    assert values.resolved("profile", "100", ["default", "100Megas"]) == "100Megas"
    assert values.resolved("profile", "100", ["100", "100Megas"]) == "100"
    with pytest.raises(Trap, match="ambiguous value of profile, more than one possible value"):
        values.resolved("profile", "10", ["100", "100Megas"])
    with pytest.raises(Trap, match="input does not match any value of profile"):
        values.resolved("profile", "nope", ["default"])


@pytest.mark.parametrize(
    ("queries", "found"),
    [
        ((), True),
        (("name",), True),
        (("-comment",), True),
        (("-name",), False),
        (("name=ABC",), True),
        (("=name=ABC",), True),
        (("name=AB",), False),
        (("<uptime=2h",), True),
        ((">uptime=2h",), False),
        ((">bytes-in=89",), True),
        (("name=ABC", "disabled=true"), False),
        (("name=X", "disabled=false", "#|"), True),
        (("name=X", "#!"), True),
        (("name=ABC", "name=X", "#!&"), True),
        (("name=X", "name=ABC", "#1"), False),
        (("name=ABC", "name=X", "#1.|"), True),
    ],
)
def test_queries_are_a_stack(queries: tuple[str, ...], found: bool) -> None:  # noqa: FBT001
    assert matches(ROW, queries) is found


@pytest.mark.parametrize("operation", ["#?", "#&", "#9"])
def test_a_broken_query_is_a_trap(operation: str) -> None:
    with pytest.raises(Trap):
        matches(ROW, ("name", operation))


def test_a_refused_change_changes_no_row() -> None:
    table = Table({"name": values.text, "disabled": values.boolean})
    first, second = table.add({"name": "a"}), table.add({"name": "b"})
    with pytest.raises(Trap, match="no such item"):
        table.set([first, "*99"], {"disabled": "yes"})
    with pytest.raises(Trap, match="unknown parameter x"):
        table.set([first], {"disabled": "yes", "x": "1"})
    with pytest.raises(Trap, match="no such item"):
        table.remove([second, "*99"])
    assert table.rows == {first: {"name": "a"}, second: {"name": "b"}}


def test_a_page_fills_in_and_chooses() -> None:
    source = "$(if error)E:$(error)$(elif x == 'y')Y$(else)N$(endif) $(ip)$(gone)"
    assert rendered(source, {"ip": "10.0.0.1"}).body == "N 10.0.0.1"
    assert rendered(source, {"x": "y", "ip": "a"}).body == "Y a"
    assert rendered(source, {"error": "no", "ip": "a"}).body == "N a"
    assert rendered(source, {"error": "bad", "x": "y", "ip": ""}).body == "E:bad "


def test_a_page_sets_its_status_and_its_headers() -> None:
    source = (
        '$(if http-status == 302)Found$(endif)$(if http-header == "Location")/?u=$(u-esc)$(endif)x'
    )
    page = rendered(source, {"u": "http://a/?b&c"})
    assert page.status == 302
    assert page.headers == {"Location": "/?u=http%3A%2F%2Fa%2F%3Fb%26c"}
    assert page.body == "x"


def test_a_branch_not_taken_sets_nothing() -> None:
    source = '$(if var == "v")$(else)$(if http-status == 302)F$(endif)$(endif)body'
    assert rendered(source, {"var": "v"}).status == 200
    assert rendered(source, {}).status == 302
