"""Whatever is said to the pretend router, it answers or refuses: no exception, and not for ever."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.sandbox.routeros.actions import Request
from appliance.sandbox.routeros.api import ApiSession
from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.sentences import encoded
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions
from appliance.sandbox.routeros.traps import Trap
from appliance.sandbox.routeros.versions import NAMES, Name
from tests.provisioning.routers import FULL

VERSIONS = st.sampled_from(NAMES)
NESTED = [
    *'([{"',
    ":put (",
    ":do {",
    "[:parse ",
    ":if (1=1) do={",
    "(!",
    "$(",
    '"$[',
    "{a=",
]
SECONDS = 5.0


@contextmanager
def soon() -> Iterator[None]:
    """It takes no longer than this, of the processor's own time."""
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


WORDS = st.sampled_from(
    [
        *(
            "1",
            "-1",
            "0",
            "9223372036854775807",
            "1h",
            "1w2d",
            "true",
            '""',
            '"a b"',
            "admin",
            "*1",
        ),
        *("$a", "$b", "($a . $a)", "($a , $a)", "{$a;$a}", "{x=$a;y=$b}", '"$a$a"', "name", "*99"),
        *("10.0.0.1/24", "[find]", "[print as-value]", "[get admin]", "[get admin name]", "!"),
        *('"\\FF"', '"\\C3"', "[:nothing]", "{}", "()", '"', "\\"),
    ]
)
SIGNS = st.sampled_from([".", ",", "+", "-", "*", "/", "%", "=", "!=", "<", ">=", "~", "and", "->"])
VALUES = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, SIGNS, inner),
        st.builds("[:{} {}]".format, st.sampled_from(["len", "tostr", "tonum", "toarray"]), inner),
        st.builds("[:pick {} {} {}]".format, inner, inner, inner),
        st.builds("[:find {} {}]".format, inner, inner),
        st.builds("[:parse {}]".format, inner),
        st.builds("[:serialize to=json value={}]".format, inner),
        st.builds("{{{};{}}}".format, inner, inner),
        st.builds('"x$[:put {}]"'.format, inner),
    ),
    max_leaves=6,
)
PATHS = st.sampled_from(
    ["/ip hotspot user", "/ip/hotspot/user", "/ip hotspot", "/system identity", "/file", "/log", ""]
)
SIMPLE = st.one_of(
    st.builds(":put {}".format, VALUES),
    st.builds(":local {} {}".format, st.sampled_from("ab"), VALUES),
    st.builds(":set {} {}".format, st.sampled_from("ab"), VALUES),
    st.builds(":global a {}".format, VALUES),
    st.builds(":error {}".format, VALUES),
    st.builds("{} add name={} comment={}".format, PATHS, VALUES, VALUES),
    st.builds("{} set {} name={}".format, PATHS, VALUES, VALUES),
    st.builds("{} remove {}".format, PATHS, VALUES),
    st.builds(":put [{} get {} {}]".format, PATHS, VALUES, WORDS),
    st.builds("{} print where {}={} or {}".format, PATHS, WORDS, VALUES, VALUES),
    st.builds("{} find {} {} {}".format, PATHS, WORDS, SIGNS, VALUES),
    st.builds("{} print {}".format, PATHS, st.sampled_from(["count-only", "terse", "detail", ""])),
    st.sampled_from(["$a", ":nothing", "/export", "/import file-name=x.rsc", "/", "..", "}", "]"]),
)
STATEMENTS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds("{}; {}".format, inner, inner),
        st.builds("{{ {} }}".format, inner),
        st.builds(":do {{ {} }} on-error={{ {} }}".format, inner, inner),
        st.builds(":do {{ {} }} while=({})".format, inner, VALUES),
        st.builds(":while ({}) do={{ {} }}".format, VALUES, inner),
        st.builds(":if ({}) do={{ {} }} else={{ {} }}".format, VALUES, inner, inner),
        st.builds(":for i from={} to={} do={{ {} }}".format, VALUES, VALUES, inner),
        st.builds(":foreach b in={} do={{ {} }}".format, VALUES, inner),
        st.builds(":onerror e in={{ {} }} do={{ {} }}".format, inner, inner),
        st.builds(':local f [:parse "{}"]; $f'.format, inner),
    ),
    max_leaves=5,
)
SCRIPTS = st.builds(':local a "aaaa"; :local b {{1;2}}; {}'.format, STATEMENTS) | st.text(
    'ab1"\\$[](){};:=/ \n*.~#!-', max_size=40
)


def fresh(version: Name = "7.21") -> Device:
    return Device(Faults(), version=version)


@given(VERSIONS, SCRIPTS)
def test_a_line_is_carried_out_or_refused_in_bounded_time(version: Name, line: str) -> None:
    with soon():
        assert isinstance(Session(fresh(version), FULL).run(line), str)


@given(VERSIONS, SCRIPTS, st.booleans())
def test_a_file_is_brought_in_or_refused_over_the_api_as_well(
    version: Name,
    script: str,
    first: bool,  # noqa: FBT001
) -> None:
    device = PretendRouter(RouterOptions(version=version)).device
    device.faults.set({"import_checks_grammar_first": first})
    device.files.put("x.rsc", script.replace("; ", "\n"))
    with soon():
        try:
            device.perform("", "import", Request({"file-name": "x.rsc"}, (), FULL))
            refused = "Script Error: none"
        except Trap as trap:
            refused = trap.message
    assert refused.startswith("Script Error: ")


@given(st.lists(st.sampled_from(NESTED), min_size=1, max_size=5), st.integers(1, 4_000))
def test_whatever_is_nested_is_refused_in_bounded_time(opening: list[str], depth: int) -> None:
    device = PretendRouter(RouterOptions()).device
    text = "".join(opening) * depth
    device.files.put("x.rsc", text)
    with soon():
        Session(device, FULL).run(text)
        with pytest.raises(Trap, match="Script Error"):
            device.perform("", "import", Request({"file-name": "x.rsc"}, (), FULL))


@pytest.mark.parametrize(
    "line",
    [
        ":while (true) do={}",
        ":for i from=1 to=9223372036854775807 do={}",
        ':local a "aaaa"; :while (true) do={ :set a ($a . $a) }',
        ':local a "aaaa"; :while (true) do={ :set a "$a$a" }',
        ":local a {1;2}; :while (true) do={ :set a ($a , $a) }",
        ":local a 1; :while (true) do={ :set a {x=$a;y=$a} }",
        f':local a "{"a" * 9_000}"; :while (true) do={{ :put $a }}',
        f':put ("{"a" * 60}!" ~ "(a+)+b")',
        f':put ("{"a" * 9_000}!" ~ "a*a*a*a*b")',
        f':put ("{"a" * 9_000}!" ~ "{"a?" * 4_000}b")',
    ],
)
def test_what_would_go_on_or_grow_for_ever_is_broken_off(line: str) -> None:
    with soon():
        said = Session(fresh(), FULL).run(line)
    assert said.endswith("interrupted\r\n")


class Client:
    """Somebody at the API's socket who says this and hangs up; what comes back is kept."""

    transport: "Client"

    def __init__(self, raw: bytes) -> None:
        self.reader = asyncio.StreamReader()
        self.reader.feed_data(raw)
        self.reader.feed_eof()
        self.transport = self
        self.said = b""

    def write(self, raw: bytes) -> None:
        self.said += raw

    async def drain(self) -> None: ...

    def close(self) -> None: ...

    abort = write_eof = close

    def get_extra_info(self, name: str) -> object:
        return ("127.0.0.1", 1) if name == "peername" else None


async def served(device: Device, raw: bytes) -> Client:
    client = Client(raw)
    await ApiSession(client.reader, cast("asyncio.StreamWriter", client), device).serve()
    return client


LOGIN = encoded(["/login", "=name=admin", "=password=sandbox"])
API_WORDS = st.sampled_from(
    [
        *("/ip/hotspot/user/print", "/ip/hotspot/user/add", "/ip/hotspot/user/set", "/login"),
        *("/ip/hotspot/active/login", "/ip/hotspot/user/remove", "/system/clock/set", "/import"),
        *("/file/add", "/cancel", "/quit", "/", "//", "print", "=.id=*1", "=.id=", "=name=admin"),
        *("=name=", "=password=sandbox", "=response=00\udcff", "=.proplist=name", "=.proplist=,"),
        *("=limit-uptime=9w9w", "=contents=x", "=file-name=x", "=date=x", "=time=99:99:99"),
        *("?name=admin", "?-x", "?>uptime=1", "?#", "?#!&|", "?#9", "?", ".tag=1", ".tag=2", "="),
    ]
) | st.text(min_size=1, max_size=9).filter(lambda text: text.isprintable())


@given(
    VERSIONS,
    st.booleans(),
    st.lists(st.lists(API_WORDS, min_size=1, max_size=5), max_size=5),
    st.binary(max_size=12),
)
def test_the_api_answers_or_hangs_up_whatever_it_is_told(
    version: Name,
    old: bool,  # noqa: FBT001
    told: list[list[str]],
    rubbish: bytes,
) -> None:
    device = PretendRouter(RouterOptions(version=version)).device
    device.faults.set({"old_login": old})
    raw = (b"" if old else LOGIN) + b"".join(map(encoded, told)) + rubbish
    with soon():
        client = asyncio.run(served(device, raw))
    if not old:
        assert client.said.startswith(encoded(["!done"]))


def test_a_sentence_without_an_end_is_hung_up_on_before_anybody_signed_in() -> None:
    client = asyncio.run(served(fresh(), b"\x04x=yz" * (1 << 18)))
    assert client.said == b""
    assert len(client.reader._buffer) > 1 << 19  # type: ignore[attr-defined] # what was left unread
