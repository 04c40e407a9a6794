"""The pretend router's `/import` and `/export`: scripts that are read, run, stopped and written."""

import pytest

from tests.unit.test_pretend_router_console import POLICIES, Console

USERS = "/ip hotspot user"
FULL = POLICIES | {"sensitive", "ftp", "policy", "api"}


@pytest.fixture
def console() -> Console:
    return Console(policies=FULL)


def brought_in(console: Console, script: str, more: str = "") -> str:
    console.device.files.put("setup.rsc", script)
    return console.say(f"/import file-name=setup.rsc {more}".rstrip()).strip()


def test_a_script_is_carried_out_line_by_line(console: Console) -> None:
    said = brought_in(
        console,
        """# set-up
/ip hotspot user profile
:if ([:len [find where name="wb_2M"]] = 0) do={ add name="wb_2M" rate-limit="2M/2M" } else={ \\
    set [find where name="wb_2M"] rate-limit="2M/2M" }
:do { /ip hotspot walled-garden ip remove [find where comment="wifibox"] } on-error={}
/ip hotspot walled-garden ip add dst-address=10.5.50.2 action=accept comment="wifibox"
:put "STEP:01"
""",
    )
    assert said == "STEP:01\n\nScript file loaded and executed successfully"
    garden = "/ip hotspot walled-garden ip"
    assert console.say(f":put [{garden} get [find comment=wifibox] dst-address]") == "10.5.50.2"
    again = brought_in(console, console.device.files.text("setup.rsc") or "")
    assert "successfully" in again
    assert console.say(":put [:len [/ip hotspot walled-garden ip find]]") == "1"


def test_it_stops_at_the_first_statement_that_fails_and_undoes_nothing(console: Console) -> None:
    said = brought_in(console, f"{USERS} add name=A\n{USERS} add name=A\n{USERS} add name=B\n")
    assert said == "Script Error: failure: already have user with this name for this server"
    assert console.names() == ["admin", "A"]


def test_a_menu_that_is_missing_stops_it_where_it_stands(console: Console) -> None:
    script = f":do {{\n    {USERS} add name=A\n}} on-error={{}}\n"
    script += ":do { /ip hotspt print } on-error={}\n"
    said = brought_in(console, script)
    assert said == "Script Error: bad command name hotspt (line 4 column 11)"
    assert console.names() == ["admin", "A"]


def test_a_parameter_that_is_missing_is_named_by_its_place(console: Console) -> None:
    said = brought_in(console, f"{USERS} add name=A\n{USERS} add name=B colour=red\n")
    assert said == "Script Error: expected end of command (line 2 column 29)"
    assert console.names() == ["admin", "A"]


def test_brackets_that_do_not_close_are_noticed_before_anything_is_done(console: Console) -> None:
    script = f'{USERS} add name=A\n:if (1 = 1) do={{ :put "a}}b"\n'
    assert "expected closing brace" in brought_in(console, script)
    assert console.names() == ["admin"]
    console.device.faults.set({"import_checks_grammar_first": False})
    assert "expected closing brace" in brought_in(console, script)
    assert console.names() == ["admin", "A"]


def test_else_on_a_line_of_its_own_is_not_understood(console: Console) -> None:
    said = brought_in(console, ":if (1 = 2) do={ :put 1 }\nelse={ :put 2 }\n")
    assert "bad command name else" in said


def test_variables_last_from_line_to_line_unless_it_is_verbose(console: Console) -> None:
    script = ':local box "10.5.50.2"\n:if ([:len $box] = 0) do={ :error "empty" }\n'
    assert "successfully" in brought_in(console, script, "verbose=no")
    assert brought_in(console, script, "verbose=yes") == "Script Error: empty"
    whole = f"{{\n{script}}}\n"
    assert "successfully" in brought_in(console, whole, "verbose=yes")
    console.device.faults.set({"import_keeps_locals": False})
    assert brought_in(console, script) == "Script Error: empty"


def test_a_dry_run_reads_everything_and_does_nothing(console: Console) -> None:
    script = f"{USERS} add name=A\n{USERS} remove [find where nosuch=1]\n"
    assert "successfully" in brought_in(console, script, "verbose=yes dry-run")
    assert console.names() == ["admin"]
    wrong = f"{script}{USERS} ad nam=B colour=red\n"
    assert "line 3" in brought_in(console, wrong, "verbose=yes dry-run")
    assert "requires verbose" in brought_in(console, script, "dry-run")
    old = Console("7.15", FULL)
    assert "expected end of command" in brought_in(old, script, "verbose=yes dry-run")


def test_a_file_that_is_not_there_and_somebody_who_may_not(console: Console) -> None:
    missing = "input does not match any value of file-name"
    assert console.say("/import file-name=no.rsc") == missing
    assert console.say("/import no.rsc") == missing
    assert console.say("/import") == "missing value(s) of argument(s) file-name"
    reader = Console(policies=frozenset({"read", "ssh"}))
    assert brought_in(reader, ":put 1") == "not enough permissions (9)"


def test_an_export_is_the_configuration_as_a_script(console: Console) -> None:
    console.say(f'{USERS} add name=ABC3 password=p limit-uptime=90m comment="a \\"b\\" \\$c?"')
    console.say("/ip service set api address=10.5.50.2/32")
    console.say("/ip hotspot user profile set [find default=yes] shared-users=5")
    lines = console.say("/export").splitlines()
    assert lines[0].endswith("by RouterOS 7.21.4")
    text = "\n".join(lines)
    assert '/ip hotspot user\nadd name=admin\nadd comment="a \\"b\\" \\$c?" limit-uptime=' in text
    assert "/ip service\nset api address=10.5.50.2/32" in text
    assert "/ip hotspot user profile\nset [ find default=yes ] shared-users=5" in text
    assert "password=" not in text
    assert "password=p" in console.say("/export show-sensitive")
    assert "add" not in console.say("/system export")
    terse = console.say("/ip hotspot user export terse")
    assert "/ip hotspot user add name=admin" in terse
    assert "/ip service" not in terse


@pytest.mark.parametrize("version", ["6.49", "7.15", "7.21"])
def test_what_is_exported_from_one_router_makes_another_the_same(version: str) -> None:
    one, other = (Console(version, FULL) for _ in range(2))  # type: ignore[arg-type]  # a name
    for line in (
        f'{USERS} add name=ABC3 password="p\\\\w\\"x"',
        f'{USERS} set ABC3 comment="50\\$ for\\r\\ntwo\\_hours \\C3\\A9"',
        "/ip hotspot user profile add name=2M rate-limit=2M/2M shared-users=2",
        f"{USERS} set ABC3 profile=2M limit-uptime=2h limit-bytes-total=1000",
        "/ip hotspot walled-garden add dst-host=*.example.com path=/a?b",
        "/ip dns static add name=portal.lan address=10.5.50.2",
        "/ip dhcp-server option add name=cp code=114 value=\"'http://10.5.50.2/api'\"",
        "/ip dhcp-server network set [find] dhcp-option=cp domain=lan",
        "/user group add name=box policy=read,write,api,ssh",
        "/ip service set telnet disabled=yes",
        '/system identity set name="Kiosk One"',
    ):
        assert one.say(line) == ""
    shown = "" if version == "6.49" else " show-sensitive"
    script = one.say(f"/export{shown}")
    # A second router has the first one's rows already where both came with them.
    for menu in ("/ip dhcp-server network", "/ip dhcp-server", "/ip address", "/ip hotspot"):
        other.say(f"{menu} remove [find]")
    other.say("/ip pool remove [find]")
    other.say(f"{USERS} remove [find]")
    other.say("/ip hotspot profile remove [find default!=yes]")
    other.say("/user group remove [find where name=appliance or name=reader]")
    assert "successfully" in brought_in(other, script)

    def settings(text: str) -> list[str]:
        return [line for line in text.splitlines() if not line.startswith("#")]

    assert settings(other.say(f"/export{shown}")) == settings(script)


def test_an_export_before_and_after_changes_that_were_undone_is_the_same(console: Console) -> None:
    before = console.say("/export")
    console.say("/ip dns static add name=portal.lan address=10.5.50.2; /system identity set name=A")
    assert console.say("/export") != before
    console.say("/ip dns static remove [find]; /system identity set name=MikroTik")
    assert console.say("/export").splitlines()[1:] == before.splitlines()[1:]


def test_an_export_to_a_file_needs_the_policy(console: Console) -> None:
    assert console.say("/export file=backup") == ""
    assert "/ip hotspot user" in (console.device.files.text("backup.rsc") or "")
    poor = Console(policies=POLICIES)
    assert poor.say("/export file=backup") == "not enough permissions (9)"


def test_version_6_shows_secrets_and_knows_no_word_to_ask_for_them() -> None:
    old = Console("6.49", FULL)
    old.say(f"{USERS} add name=A password=secret comment=a?b")
    assert "password=secret" in old.say("/export")
    assert 'comment="a\\?b"' in old.say("/export")
    assert "secret" not in old.say("/export hide-sensitive")
    assert old.say("/export show-sensitive") == "expected end of command (line 1 column 9)"
