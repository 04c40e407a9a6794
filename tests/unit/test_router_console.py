"""What is typed at the router's console: no value becomes a command, and no answer is believed
that does not prove itself. Held to the pretend console's own parser.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router import console
from appliance.router.way import Wanted
from appliance.sandbox.routeros.console.language import FORMS
from appliance.sandbox.routeros.console.names import Names
from appliance.sandbox.routeros.console.parser import Parser
from appliance.sandbox.routeros.console.reader import Reader
from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.console.syntax import Builtin, Invocation, Statement, Text
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions
from appliance.sandbox.routeros.versions import NAMES, Name

NONCE = "0123456789abcdef"
USERS = "ip/hotspot/user"
POLICIES = frozenset({"read", "write", "ssh"})
ROUTERS = {version: PretendRouter(RouterOptions(version=version)) for version in NAMES}

# Pieces that mean something to a console, and anything else.
PIECES = st.sampled_from(
    [
        *(
            '"',
            "\\",
            "$",
            "[",
            "]",
            "{",
            "}",
            "(",
            ")",
            ";",
            "?",
            "#",
            ":",
            "=",
            "*1",
            "\r\n",
            "\n",
        ),
        *("$[/system reboot]", "/system reboot", ':put "x"', "begins.", "ends.", "row.", "value."),
        *("\\22", "\\0A", "on-error={", "é", "☕", "\udcff", "\x7f", "\t", " ", "yes", "1h"),
    ]
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    st.lists(PIECES, max_size=8).map("".join),
)
VERSIONS = st.sampled_from(NAMES)


def session(version: Name) -> Session:
    return Session(ROUTERS[version].device, POLICIES)


def parsed(version: Name, line: str) -> tuple[Statement, ...]:
    device = ROUTERS[version].device
    reader = Reader(line, question_mark=not device.version.seven)
    return Parser(reader, Names(device.menus, device.version), FORMS).script()


@given(VERSIONS, TEXTS, TEXTS)
def test_a_value_is_one_string_of_one_command_and_the_same_text(
    version: Name, name: str, comment: str
) -> None:
    command = console.telling(USERS, "add", {"name": f"x{name}", "comment": comment})
    begin, add, end = parsed(version, console.proving(NONCE, command))
    assert isinstance(begin, Builtin)
    assert isinstance(end, Builtin)
    assert isinstance(add, Invocation)
    assert (add.path, add.name) == ("/ip/hotspot/user", "add")
    expected = {"name": f"x{name}", **({"comment": comment} if comment else {})}
    assert set(add.named) == set(expected)
    for word, text in expected.items():
        assert add.named[word] == Text((text,))


@given(VERSIONS, TEXTS)
def test_a_condition_is_one_comparison_with_the_same_text(version: Name, text: str) -> None:
    wanted = Wanted(USERS, ("name",), (("name", text), ("comment", text)), either=True)
    line = console.proving(NONCE, console.listing(NONCE, wanted))
    assert len(parsed(version, line)) == 3
    printed = console.proved(NONCE, session(version).run(line), complete=True)
    assert console.rows(NONCE, wanted.read, printed) in ([], [{"name": "admin"}])
    assert [user.name for user in ROUTERS[version].hotspot.users] == ["admin"]


@given(
    VERSIONS, st.lists(st.tuples(TEXTS.filter(bool), TEXTS), max_size=4, unique_by=lambda t: t[0])
)
def test_whatever_is_stored_is_read_back_as_it_is(
    version: Name, stored: list[tuple[str, str]]
) -> None:
    users = ROUTERS[version].hotspot.config.users
    ids = [users.add({"name": f"x{name}", "comment": comment}) for name, comment in stored]
    try:
        wanted = Wanted(USERS, ("name", "comment", ".id"))
        said = session(version).run(console.proving(NONCE, console.listing(NONCE, wanted)))
        rows = console.rows(NONCE, wanted.read, console.proved(NONCE, said, complete=True))
    finally:
        users.remove(ids)
    read = [(row["name"], row.get("comment", "")) for row in rows]
    assert read == [("admin", ""), *((f"x{name}", comment) for name, comment in stored)]


def test_what_no_string_can_hold_is_not_sent() -> None:
    for text in ("a\0b", "\ud800"):
        with pytest.raises(ValueError, match=r"zero byte|surrogates"):
            console.quoted(text)


def test_empty_values_are_left_out_and_an_id_is_an_id() -> None:
    told = console.telling(USERS, "set", {"comment": "", "disabled": "no"}, "*1A")
    assert told == '/ip hotspot user set *1A disabled="no"'
    for wrong in ("1", "*1A disabled=yes", "[find]", "", "*"):
        with pytest.raises(RouterUnreachable, match="an id that is none"):
            console.telling(USERS, "remove", {}, wrong)


@pytest.mark.parametrize("wrong", ["ip hotspot", "ip/hotspot;", "", "/ip", "ip//x"])
def test_a_menu_is_a_menu(wrong: str) -> None:
    with pytest.raises(ValueError, match="not a menu"):
        console.telling(wrong, "add", {})


def test_a_line_longer_than_the_console_takes_is_not_sent() -> None:
    with pytest.raises(RouterRefused, match="one line"):
        console.proving(NONCE, console.telling(USERS, "add", {"comment": "é" * 8_000}))


BEGIN, END = f"{NONCE}begins.\r\n", f"{NONCE}ends.\r\n"


def test_a_command_between_its_two_lines_was_carried_out() -> None:
    assert console.proved(NONCE, BEGIN + END, complete=True) == ""
    assert console.proved(NONCE, BEGIN + END, complete=False) == ""
    assert console.proved(NONCE, f"{BEGIN}a\r\nb\r\n{END}", complete=True) == "a\r\nb"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (f"{BEGIN}no such item\r\n", "no such item"),
        (f"{BEGIN}failure: busy\r\n", "failure: busy"),
        ("expected end of command (line 1 column 9)\r\n", "expected end of command"),
        ("bad command name hotspot (line 1 column 5)\r\n", "bad command name hotspot"),
    ],
)
def test_a_refusal_is_told_in_the_routers_words(said: str, words: str) -> None:
    with pytest.raises(RouterRefused, match=words):
        console.proved(NONCE, said, complete=True)
    with pytest.raises(RouterUnreachable):
        console.proved(NONCE, said, complete=False)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "\r\n",
        BEGIN,
        END,
        END + BEGIN,
        f"Welcome!\r\n{BEGIN}{END}",
        f"{BEGIN}{END}and more\r\n",
        "failure: already have user with this name for this server\r\n",
        f"{BEGIN}action timed out - try again\r\n",
        f"{BEGIN}{NONCE}row.{NONCE}value.half",
        "fedcba9876543210begins.\r\nfedcba9876543210ends.\r\n",
        "rubbish \x00\xff",
        "one\r\ntwo (line 1 column 1)\r\n",
    ],
)
def test_everything_else_proves_nothing(said: str) -> None:
    with pytest.raises(RouterUnreachable):
        console.proved(NONCE, said, complete=True)


@pytest.mark.parametrize(
    "printed",
    [
        f"{NONCE}row.{NONCE}value.a",
        f"{NONCE}row.{NONCE}value.a{NONCE}done.",
        f"{NONCE}row.{NONCE}value.a{NONCE}value.b{NONCE}value.c{NONCE}done.\r\n",
        f"x{NONCE}row.{NONCE}value.a{NONCE}value.b{NONCE}done.\r\n",
        f"{NONCE}row.x{NONCE}value.a{NONCE}value.b{NONCE}done.\r\n",
        f"{NONCE}row.{NONCE}value.a{NONCE}value.b{NONCE}done.x\r\n",
    ],
)
def test_half_a_row_is_none(printed: str) -> None:
    with pytest.raises(RouterUnreachable):
        console.rows(NONCE, ("name", "comment"), printed)


def test_a_row_that_goes_away_while_it_is_read_is_left_out() -> None:
    wanted = Wanted(USERS, ("name",))
    line = console.listing(NONCE, wanted).replace("[/ip hotspot user find]", "{*1;*99}")
    assert "*99" in line
    said = session("6.49").run(console.proving(NONCE, line))
    printed = console.proved(NONCE, said, complete=True)
    assert console.rows(NONCE, wanted.read, printed) == [{"name": "admin"}]


def test_a_row_that_is_there_and_cannot_be_read_is_a_refusal() -> None:
    line = console.listing(NONCE, Wanted(USERS, ("name", "nosuch")))
    said = session("7.21").run(console.proving(NONCE, line))
    with pytest.raises(RouterRefused, match="unreadable row"):
        console.proved(NONCE, said, complete=True)
