"""The pretend router's console, line by line: what it takes, what it refuses, in which words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.versions import Name as VersionName

USERS = "/ip hotspot user"
POLICIES = frozenset({"read", "write", "ssh"})


class Console:
    """A fresh router, and somebody at its console."""

    def __init__(self, version: VersionName = "7.21", policies: frozenset[str] = POLICIES) -> None:
        self.device = Device(Faults(), version=version)
        self.session = Session(self.device, policies)

    def say(self, line: str) -> str:
        """Return what is printed, without the line's end."""
        return self.session.run(line).replace("\r\n", "\n").removesuffix("\n")

    def names(self) -> list[str]:
        return self.device.hotspot.config.users.names()


@pytest.fixture
def console() -> Console:
    return Console()


def quoted(text: str) -> str:
    """Quote as the manual says, every byte that is not plain as two capital hex digits."""
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._@-"
    return (
        '"'
        + "".join(
            char if char in plain else "".join(f"\\{byte:02X}" for byte in char.encode())
            for char in text
        )
        + '"'
    )


def test_a_user_is_added_read_changed_and_removed(console: Console) -> None:
    assert console.say(f'{USERS} add name=ABC3 limit-uptime=90m comment="a b"') == ""
    assert console.say(f":put [{USERS} get [find where name=ABC3] limit-uptime]") == "01:30:00"
    console.say(f"{USERS} set [find where name=ABC3] limit-uptime=0s disabled=yes")
    assert console.say(f":put [{USERS} get ABC3 disabled]") == "true"
    assert console.say(f":put [{USERS} get ABC3 limit-uptime]") == ""
    console.say(f"{USERS} enable ABC3")
    assert console.say(f":put [{USERS} get ABC3 disabled]") == "false"
    assert console.say(f"{USERS} remove [find where name=ABC3]") == ""
    assert console.names() == ["admin"]


@pytest.mark.parametrize("path", ["/ip/hotspot/user/", "/ip hotspot user ", "/ip/hotspot user "])
def test_version_7_takes_paths_with_slashes_and_with_blanks(console: Console, path: str) -> None:
    assert console.say(f":put [{path}get admin name]") == "admin"


def test_version_6_knows_no_slashes_within_a_path() -> None:
    console = Console("6.49")
    assert console.say(":put [/ip hotspot user get admin name]") == "admin"
    assert console.say("/ip/hotspot/user/print") == (
        "bad command name ip/hotspot/user/print (line 1 column 2)"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/foo", "bad command name foo (line 1 column 2)"),
        ("/ip hotspott user print", "bad command name hotspott (line 1 column 5)"),
        ("/nonsense/command", "syntax error (line 1 column 10)"),
        ("/ip hotspot host print limit=10", "expected end of command (line 1 column 24)"),
        ("/system/resource/print bogus=1", "expected end of command (line 1 column 24)"),
        ("/system/identity/set name= x=yes", "expected end of command (line 1 column 29)"),
        (":local MAX_A 200", "expected end of command (line 1 column 11)"),
        (f'{USERS} add name="x', "expected closing quote (line 1 column 27)"),
        (f'{USERS} add name="x" }}', "syntax error (line 1 column 31)"),
        (":put [:len 1", "expected closing bracket (line 1 column 13)"),
        (":if (1=1) do={ :put 1", "expected closing brace (line 1 column 22)"),
        (r':put "a\?b"', "syntax error (line 1 column 8)"),
        (r':put "a\c3"', "syntax error (line 1 column 8)"),
        (':put "a$"', "expected variable name (line 1 column 9)"),
        (":put 1 2", "expected end of command (line 1 column 8)"),
        (":put 1\n:put 2", "expected end of command (line 1 column 7)"),
        (":dance", "bad command name dance (line 1 column 2)"),
    ],
)
def test_what_it_cannot_read_it_refuses_and_says_where(
    console: Console, line: str, words: str
) -> None:
    assert console.say(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{USERS} add name=admin", "failure: already have user with this name for this server"),
        (f"{USERS} add name=A profile=nope", "input does not match any value of profile"),
        (f"{USERS} add name=A limit-uptime=soon", "invalid time value for argument limit-uptime"),
        (f"{USERS} add", "missing value(s) of argument(s) name"),
        (f"{USERS} set name=x", "missing value(s) of argument(s) numbers"),
        (f"{USERS} set 0 name=x", "no such item"),
        (f"{USERS} remove *99", "no such item"),
        (f":put [{USERS} get [find where name=B] name]", "no such item"),
        (f"{USERS} get admin colour", "input does not match any value of value-name"),
        ("/ip hotspot active login user=admin ip=10.0.0.9", "unknown host IP 10.0.0.9"),
        ("/ip hotspot active remove *1", "no such item"),
        (':error "out of luck"', "out of luck"),
        (":put (1 / 0)", "division by zero"),
    ],
)
def test_what_it_cannot_do_it_refuses_in_the_devices_words(
    console: Console, line: str, words: str
) -> None:
    assert console.say(line) == words


def test_a_line_that_is_not_understood_changes_nothing(console: Console) -> None:
    assert console.say(f"{USERS} add name=A; {USERS} add nam=B colour=r") == (
        "expected end of command (line 1 column 57)"
    )
    assert console.names() == ["admin"]


def test_a_mistake_in_grammar_is_not_caught_and_a_refusal_is(console: Console) -> None:
    tried = ":do {{ {}; :put ok }} on-error={{ :put caught }}"
    assert console.say(tried.format(f"{USERS} add name=admin")) == "caught"
    assert console.say(tried.format(f"{USERS} add name=B")) == "ok"
    assert "bad command name usr" in console.say(tried.format("/ip hotspot usr add name=C"))
    told = f':onerror e in={{ {USERS} add name=admin }} do={{ :put ("no: " . $e) }}'
    assert console.say(told) == "no: failure: already have user with this name for this server"


def test_a_string_with_brackets_is_carried_out(console: Console) -> None:
    assert console.say(':put "a$[/system identity set name=Taken]b"') == "ab"
    assert console.device.identity["name"] == "Taken"
    assert console.say(r':put "a\$[/system identity set name=Again]b"') == (
        "a$[/system identity set name=Again]b"
    )
    assert console.device.identity["name"] == "Taken"
    assert console.say(':local n 5; :put "$n and $($n + 1)"') == "5 and 6"


def test_a_quote_in_a_name_that_is_not_escaped_takes_the_router_over(console: Console) -> None:
    voucher = 'A" ; /system identity set name="Taken'
    console.say(f'{USERS} add name="{voucher}"')
    assert console.device.identity["name"] == "Taken"


@given(st.text(max_size=40))
def test_every_text_survives_when_it_is_quoted_as_the_manual_says(text: str) -> None:
    said = Console().session.run(f":put {quoted(text)}")
    assert said == f"{text}\r\n"


@given(st.text(alphabet='ab"\\$[](){};:=/ \n*', max_size=30))
def test_no_line_however_broken_raises_anything(line: str) -> None:
    assert isinstance(Console().session.run(line), str)


@pytest.mark.parametrize("opening", ["(", "[", "{", "(!", ":if (1=1) do={"])
def test_what_is_nested_too_deeply_is_refused(console: Console, opening: str) -> None:
    assert "line 1 column" in console.say(f":put {opening * 20_000}")


@pytest.mark.parametrize("name", ["limit-uptime", "limit-bytes-total", "shared-users"])
def test_a_number_beyond_all_measure_is_refused(console: Console, name: str) -> None:
    path = f"{USERS} profile" if name == "shared-users" else USERS
    assert name in console.say(f"{path} add name=A {name}={'9' * 5000}")


def test_folded_lines_and_folded_strings_are_one(console: Console) -> None:
    assert console.say(':put \\\n"one \\\n    line"') == "one line"


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('name="ABC3"', ["ABC3"]),
        ("name=ABC3", ["ABC3"]),
        ('name~"^A"', ["ABC3", "ABC4"]),
        ("limit-uptime>1h", ["ABC4"]),
        ("limit-uptime=01:00:00", ["ABC3"]),
        ("limit-uptime=60m", ["ABC3"]),
        ("!disabled", ["admin", "ABC3"]),
        ("disabled", ["ABC4"]),
        ("disabled=no and name!=admin", ["ABC3"]),
        ("name=ABC3 || name=ABC4", ["ABC3", "ABC4"]),
        ("disabled=no name=ABC3", ["ABC3"]),
        ('(name=admin or disabled) comment="x y"', ["ABC4"]),
        ('name=("AB" . "C3")', ["ABC3"]),
        ("name=(", None),
        ("colour=red", []),
    ],
)
def test_conditions_choose_rows(console: Console, condition: str, found: list[str] | None) -> None:
    console.say(f"{USERS} add name=ABC3 limit-uptime=1h")
    console.say(f'{USERS} add name=ABC4 limit-uptime=2h disabled=yes comment="x y"')
    line = f":foreach i in=[{USERS} find where {condition}] do={{ :put [{USERS} get $i name] }}"
    said = console.say(line)
    assert said.splitlines() == found if found is not None else "syntax error" in said


def test_a_prefix_without_quotes_matches_nothing(console: Console) -> None:
    garden = "/ip hotspot walled-garden ip"
    console.say(f"{garden} add dst-address=10.0.0.1/24")
    assert console.say(f":put [:len [{garden} find where dst-address=10.0.0.1/24]]") == "0"
    assert console.say(f':put [:len [{garden} find where dst-address="10.0.0.1/24"]]') == "1"


def test_a_path_alone_enters_the_menu(console: Console) -> None:
    line = f"{USERS} profile; add name=p2; :put [:len [find]]; /system; :put [identity get name]"
    assert console.say(line) == "2\nMikroTik"


def test_print_shows_a_table_with_numbers(console: Console) -> None:
    console.say(f'{USERS} add name=ABC3 comment="for Amina"')
    assert console.say(f"{USERS} print without-paging where name=ABC3").splitlines() == [
        "Flags: * - DEFAULT; X - DISABLED; D - DYNAMIC",
        "Columns: NAME, PROFILE, UPTIME",
        " #    NAME  PROFILE  UPTIME",
        ";;; for Amina",
        " 0    ABC3  default  0s    ",
    ]
    assert 'name="ABC3"' in console.say(f"{USERS} print detail where name=ABC3")
    assert "comment=for Amina" in console.say(f"{USERS} print terse where name=ABC3")
    assert console.say(f"{USERS} print count-only") == "2"
    assert console.say(f":put [{USERS} print count-only]") == "2"
    assert console.say("/system identity print") == "  name: MikroTik"


def test_numbers_are_those_of_the_last_print(console: Console) -> None:
    said = console.say(f"{USERS} print count-only; {USERS} print; {USERS} set 0 comment=hers")
    assert "no such item" not in said
    assert console.say(f":put [{USERS} get admin comment]") == "hers"


def test_values_read_back_as_text_and_as_json(console: Console) -> None:
    console.say(f'{USERS} add name=123 limit-uptime=1h comment="a;b=c"')
    shown = f'[{USERS} print as-value where name="123"]'
    assert console.say(f":put {shown}").startswith(".id=*2;name=123;")
    assert "comment=a;b=c" in console.say(f":put {shown}")
    told = f":put [:serialize to=json value={shown} options=json.no-string-conversion]"
    (row,) = json.loads(console.say(told))
    assert row["name"] == "123"
    assert row["comment"] == "a;b=c"
    assert row["limit-uptime"] == "01:00:00"
    assert row["disabled"] is False
    assert row["bytes-in"] == 0
    (row,) = json.loads(console.say(f":put [:serialize to=json value={shown}]"))
    assert row["name"] == 123
    nobody = told.replace('"123"', '"nobody"')
    assert console.say(nobody) == "[]"
    console.device.faults.set({"console_times": "units"})
    assert json.loads(console.say(told))[0]["limit-uptime"] == "1h"


def test_what_is_returned_ends_the_script_or_the_function() -> None:
    assert Console().say(":put 1; :return 2; :put 3") == "1"
    told = ':local f [:parse ":put 1; :return 2; :put 3"]; :put [$f]'
    assert Console().say(told) == "1\n2"
    assert Console().say(":do {:return 1} on-error={:put 2}; :put 3") == ""


def test_the_one_row_of_a_menu_that_is_not_as_asked_for_is_an_empty_list() -> None:
    assert Console().say(":put [:len [/ip dns print as-value where servers=1.2.3.4]]") == "0"


@pytest.mark.parametrize("line", [":put [:serialize]", ":put [:serialize value=5]"])
def test_what_is_serialized_to_nothing_is_refused(line: str) -> None:
    assert Console("7.21").say(line).startswith("missing value(s) of argument(s) to")


def test_only_newer_versions_serialize() -> None:
    line = ":put [:serialize to=json value=5]"
    assert Console("7.21").say(line) == "5"
    assert Console("7.15").say(line) == "bad command name serialize (line 1 column 8)"
    assert Console("6.49").say(line) == "bad command name serialize (line 1 column 8)"
    lucky = Console("7.15")
    lucky.device.faults.set({"early_serialize": True})
    assert lucky.say(line) == "5"
    assert "expected end of command" in lucky.say(f"{line[:-1]} options=json.pretty]")


def test_a_question_mark_is_escaped_on_version_6(console: Console) -> None:
    assert Console("6.49").say(r':put "a\?b\3F"') == "a?b?"
    console.device.faults.set({"question_mark_escape": True})
    assert console.say(r':put "a\?b"') == "a?b"


def test_who_may_not_write_reads_only_and_sees_no_password() -> None:
    reader = Console(policies=frozenset({"read", "ssh"}))
    assert reader.say(f"{USERS} add name=A") == "not enough permissions (9)"
    assert reader.say("/system identity set name=A") == "not enough permissions (9)"
    assert reader.say(f":put [:len [{USERS} get admin password]]") == "5"
    nobody = Console(policies=frozenset({"ssh"}))
    assert nobody.say(f"{USERS} print") == "not enough permissions (9)"
    trusted = Console(policies=POLICIES | {"sensitive"})
    assert trusted.say(f":put [{USERS} get admin password]") == "not-a-voucher"


def test_a_session_is_opened_and_ended_from_the_console(console: Console) -> None:
    console.device.hotspot.join("127.0.1.5")
    console.say(f"{USERS} add name=ABC3 password=ABC3")
    login = "/ip hotspot active login user=ABC3 password=ABC3 ip=127.0.1.5"
    assert console.say(f"{login} mac-address=02:00:00:00:00:99") == "wrong MAC provided"
    assert console.say(f"{login} mac-address=02:00:7F:00:01:05") == ""
    assert console.device.hotspot.is_online("127.0.1.5")
    assert console.say("/ip hotspot active remove [find where user=ABC3]") == ""
    assert not console.device.hotspot.is_online("127.0.1.5")


def test_loops_and_choices_are_followed(console: Console) -> None:
    assert console.say(":for i from=1 to=3 do={ :put $i }") == "1\n2\n3"
    assert console.say(":local i 0; :while ($i < 2) do={ :set i ($i + 1) }; :put $i") == "2"
    assert console.say(':foreach k,v in={a=1;b=2} do={ :put "$k=$v" }') == "a=1\nb=2"
    assert console.say(":if (2 > 10) do={ :put a } else={ :put b }") == "b"
    assert console.say(':put [:pick "abcdef" 1 3]; :put [:len "abc"]') == "bc\n3"
    assert console.say(":local a {1;2;3}; :put ($a->1); :put $a") == "2\n1;2;3"
    assert console.say(":while (true) do={ :nothing }") == "interrupted"


def test_what_was_read_as_text_is_run_by_its_name_and_sees_no_variables(console: Console) -> None:
    assert console.say(':local run [:parse ":put hello"]; $run') == "hello"
    assert console.say(':local x 1; :local run [:parse ":put \\"x\\$x\\""]; $run') == "x"
    assert console.say(':put [:typeof [:parse ":put hello"]]') == "code"
    assert console.say(':local run "no code"; $run; :put after') == "after"
    broken = ':do { :local run [:parse "/ip hotspott"]; $run } on-error={ :put "cannot be read" }'
    assert console.say(broken) == "cannot be read"
