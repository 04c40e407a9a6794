"""Whatever a router says, by API or console, is an answer to what was asked or an error of ours."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.devices import Device
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.router import sentences as wire_sentences
from appliance.router.hotspot import Hotspot
from appliance.router.line import Line, Login
from appliance.router.pool import Address, Pool
from appliance.router.sentences import Broken, Conversation
from appliance.router.ssh import SshWay
from appliance.router.way import Values, Wanted
from appliance.router.wire import Row
from appliance.sandbox.routeros.sentences import BrokenStream, encoded, read_sentence
from tests.ways import CODE, USER

ERRORS = (RouterRefused, RouterUnreachable)
NOWHERE = Address(host="127.0.0.1", port=9, username="a", password="b", timeout=1)
ONE = Device("02:00:00:00:00:05", "127.0.1.5")
Heard = Callable[[list[str]], bytes]

TEXTS = st.text(max_size=12) | st.sampled_from(
    [
        *("", CODE, "hotspot-appliance", "true", "*1", ONE.mac, ONE.ip, "1h", "9" * 40, "-1"),
        *("99999999999999w", "9999999w", "00:00:61", "1w-1s", "\x1b[31m", "a\r\nb", "\udcff"),
    ]
)
NAMES = st.sampled_from(
    [
        *("name", "comment", "user", "mac-address", "address", "to-address", "uptime", ".id"),
        *("bytes-in", "limit-uptime", "limit-bytes-total", "disabled", "authorized", "version"),
        *("nlevel", "max-sessions", "ret", "message", "category"),
    ]
)
ATTRIBUTES = st.dictionaries(NAMES, TEXTS, max_size=6)
REPLIES = st.sampled_from(["!re", "!re", "!done", "!trap", "!empty", "!fatal", "re", ""])
TAGS = st.sampled_from([".tag=1", ".tag=1", ".tag=1", ".tag=0", ".tag=2", ".tag=", ""])


@st.composite
def said_sentences(draw: st.DrawFn) -> list[str]:
    given_ = draw(ATTRIBUTES)
    words = [draw(REPLIES), *(f"={n}={v}" for n, v in given_.items()), draw(TAGS)]
    return [word for word in words if word]


@st.composite
def torn(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes with something cut out, put in or written over."""
    at = draw(st.integers(0, len(whole)))
    extra = draw(
        st.binary(max_size=6)
        | st.sampled_from(
            [b"\xf0\xff\xff\xff\xff", b"\xf8", b"\xff" * 5, b"\xef\xff\xff\xff", b"\0"]
        )
    )
    return whole[:at] + extra + whole[at + draw(st.integers(0, 5)) :]


SPOKEN = st.lists(said_sentences(), max_size=6)
BYTES = st.binary(max_size=60) | SPOKEN.map(
    lambda spoken: b"".join(encoded(words) for words in spoken)
).flatmap(lambda whole: st.just(whole) | torn(whole))


class Peer:
    """Both ends of a connection whose other side says what a test has it say, and hangs up."""

    transport: "Peer"

    def __init__(self, says: Heard) -> None:
        self.reader = asyncio.StreamReader()
        self.transport = self
        self.gone = False
        self._says = says

    def write(self, raw: bytes) -> None:
        asked = asyncio.StreamReader()
        asked.feed_data(raw)
        words = asyncio.ensure_future(read_sentence(asked))
        words.add_done_callback(lambda done: self._answer(done.result()))

    def _answer(self, words: list[str]) -> None:
        said = self._says(words)
        self.reader.feed_data(said)
        if not said.endswith(encoded(["!done", words[-1]])):
            self.reader.feed_eof()

    async def drain(self) -> None: ...

    def abort(self) -> None:
        self.gone = True


class Connected(Pool):
    """A pool whose every connection is to such a peer."""

    def __init__(self, says: Callable[[], Heard]) -> None:
        super().__init__(NOWHERE)
        self.peers: list[Peer] = []
        self._make = says

    async def _connect(self) -> Conversation:
        peer = Peer(self._make())
        self.peers.append(peer)
        return Conversation(peer.reader, cast("asyncio.StreamWriter", peer))


def outcome(ask: Callable[[], Awaitable[object]]) -> object:
    """What came of it: an answer, or an error of ours; anything else fails the test."""

    async def asked() -> object:
        try:
            return await ask()
        except ERRORS as error:
            return error

    return asyncio.run(asked())


@given(BYTES)
def test_bytes_are_an_answer_or_an_error_of_ours_and_then_nobody_uses_that_connection(
    raw: bytes,
) -> None:
    async def ask() -> object:
        pool = Connected(lambda: lambda _: raw)
        try:
            return await pool.command("/ip/hotspot/active/print")
        except RouterUnreachable:
            assert all(peer.gone for peer in pool.peers)
            assert pool._idle == []
            raise

    assert outcome(ask) is not None


@given(SPOKEN)
def test_an_answer_is_what_was_said_under_its_own_tag_and_nothing_else(
    spoken: list[list[str]],
) -> None:
    raw = b"".join(encoded(words) for words in spoken)
    pool_says: Heard = lambda _: raw  # noqa: E731 # a peer is a function
    found = outcome(lambda: Connected(lambda: pool_says).command("/ip/hotspot/user/print"))
    ours: list[list[str]] = []
    for words in spoken:
        ours.append(words)
        if words[:1] == ["!done"]:
            break
    whole = bool(ours) and ours[-1][:1] == ["!done"]
    known = all(words and words[0] in {"!re", "!done", "!trap", "!empty"} for words in ours)
    if not (whole and known and all(".tag=1" in words for words in ours)):
        assert isinstance(found, RouterUnreachable)
    elif any(words[0] == "!trap" for words in ours):
        assert isinstance(found, ERRORS)
    else:
        said = [dict(w[1:].split("=", 1) for w in words if w[0] == "=") for words in ours]
        assert found == [row for row in said if row]


KINDS = st.sampled_from(["right", "right", "late", "mixed", "twice", "half", "torn", "refused"])


def moody(moods: Sequence[str]) -> Callable[[], Heard]:
    """Peers that answer one command after another in these moods; an answer names its command."""
    left = list(moods)

    def connected() -> Heard:
        before: list[str] = ["/none", ".tag=0"]

        def says(words: list[str]) -> bytes:
            mood = left.pop(0) if left else "right"
            row, done = (["!re", f"=name={words[1]}", words[-1]], ["!done", words[-1]])
            late = [["!re", f"=name={before[1]}", before[-1]], ["!done", before[-1]]]
            before[:] = words
            whole = encoded(row) + encoded(done)
            return {
                "right": whole,
                "late": b"".join(map(encoded, late)),
                "mixed": encoded(late[0]) + encoded(done),
                "twice": whole + whole,
                "half": encoded(row),
                "torn": whole[: len(whole) // 2],
                "refused": encoded(["!trap", f"=message={words[1]}", words[-1]]) + encoded(done),
            }[mood]

        return says

    return connected


@given(st.lists(KINDS, min_size=1, max_size=12))
def test_no_command_ever_gets_the_answer_to_another(moods: list[str]) -> None:
    async def talk() -> int:
        pool, right = Connected(moody(moods)), 0
        for number in range(len(moods) + 2):
            pool.patience.until = 0.0
            mine = f"=name=command-{number}"
            try:
                said = (await pool.command("/ip/hotspot/user/print", mine))[0]["name"]
                right += 1
            except RouterRefused as refusal:
                said = str(refusal)
            except RouterUnreachable:
                continue
            assert said == mine
        return right

    # Two answers to one command break the next one, which is asked anew.
    assert asyncio.run(talk()) >= moods.count("right") - moods.count("twice")


@pytest.mark.parametrize(
    "sentence",
    [
        ["!re", "=name=x", ".tag=1"],
        ["!trap", "=message=x", ".tag=1"],
        ["!empty", ".tag=1"],
        ["!re", *["=a=b"] * 50_000, ".tag=1"],
    ],
    ids=["rows", "refusals", "nothing", "words"],
)
def test_an_answer_without_an_end_is_given_up_on(
    sentence: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_sentences, "_MOST_BYTES", 50_000)
    raw = encoded(sentence) * (200_000 // len(encoded(sentence)) + 1)
    found = outcome(lambda: Connected(lambda: lambda _: raw).command("/x/print"))
    assert isinstance(found, RouterUnreachable)
    assert isinstance(found.__cause__, Broken)
    assert "without an end" in str(found)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6))
def test_what_we_say_is_heard_as_it_was_said_or_not_said_at_all(words: list[str]) -> None:
    heard: list[list[str]] = []

    def says(said: list[str]) -> bytes:
        heard.append(said)
        return encoded(["!done", said[-1]])

    found = outcome(lambda: Connected(lambda: says).command(*words))
    assert heard == ([] if isinstance(found, RouterRefused) else [[*words, ".tag=1"]])


@given(st.binary(max_size=40) | st.binary(max_size=12).map(lambda raw: b"\x06/login" + raw))
def test_the_pretend_routers_reader_takes_sentences_or_hangs_up(raw: bytes) -> None:
    async def read() -> list[str]:
        reader = asyncio.StreamReader()
        reader.feed_data(raw)
        reader.feed_eof()
        try:
            return await read_sentence(reader)
        except (EOFError, BrokenStream):
            return []

    assert len("".join(asyncio.run(read()))) <= len(raw)


class Saying:
    """A way by which anything may come back."""

    def __init__(self, answers: list[list[Row]]) -> None:
        self._answers = answers

    async def rows(self, wanted: Wanted) -> list[Row]:
        return self._answers.pop() if self._answers else []

    async def single(self, menu: str, names: tuple[str, ...]) -> Row:
        return next(iter(await self.rows(Wanted(menu, names))), {})

    async def tell(self, menu: str, verb: str, values: Values, row_id: str | None = None) -> None:
        if self._answers and not self._answers.pop():
            raise RouterRefused("no such item")


ASKED: dict[str, Callable[[Hotspot], Awaitable[object]]] = {
    "host": lambda h: h.host(ip=ONE.ip),
    "host by mac": lambda h: h.host(mac=ONE.mac),
    "ensure": lambda h: h.ensure_user(USER),
    "users": lambda h: h.users(),
    "limits": lambda h: h.set_limits(USER),
    "cut": lambda h: h.cut(CODE),
    "leave": lambda h: h.leave(CODE, ONE.mac),
    "sessions": lambda h: h.sessions(),
    "login": lambda h: h.login(CODE, ONE),
    "health": lambda h: h.health(),
}


@given(st.sampled_from(sorted(ASKED)), st.lists(st.lists(ATTRIBUTES, max_size=3), max_size=8))
def test_rows_that_make_no_sense_are_an_error_of_ours(asked: str, answers: list[list[Row]]) -> None:
    outcome(lambda: ASKED[asked](Hotspot(Saying(answers), "api")))


class Spoken(Line):
    """A console that prints what a test has it print; the line is seen as it was typed."""

    def __init__(self, prints: Callable[[str], str], *, complete: bool) -> None:
        login = Login(host="127.0.0.1", port=9, username="a", password="b", fingerprint="")
        super().__init__(login)
        self._prints = prints
        self._complete = complete

    async def run(self, line: str) -> tuple[str, bool]:
        nonce = line.removeprefix(':put "')[:16]
        return self._prints(nonce), self._complete


PRINTED = st.lists(
    st.sampled_from(
        [
            *("@begins.", "@begins.", "@ends.", "@ends.", "@row.", "@value.", "@done."),
            *("%begins.", "%ends.", "%row.", "%value.", "%done.", "\r\n", "\n", "\r", "\x1b[0m"),
            *("\x1b[2K", "failure: busy", "no such item", "(line 1 column 9)", CODE, "*1", "1h"),
            *("\x00", "\x85", "\u2028", "\udcff", " ", "@", "%"),
        ]
    )
    | st.text(max_size=5),
    max_size=14,
).map("".join)


def with_numbers(text: str, nonce: str) -> str:
    """`@` is the number of this command, `%` that of another."""
    return text.replace("@", nonce).replace("%", "0123456789abcdef")


@given(PRINTED, st.booleans())
def test_the_console_is_believed_only_between_the_two_proofs(text: str, complete: bool) -> None:  # noqa: FBT001
    async def tell() -> str:
        line = Spoken(lambda nonce: with_numbers(text, nonce), complete=complete)
        await SshWay(line).tell("ip/hotspot/user", "add", {"name": CODE})
        return "done"

    found = outcome(tell)
    if found == "done":
        assert "".join(text.split()) == "@begins.@ends."
    if isinstance(found, RouterRefused):
        assert complete
        assert "@ends." not in text
        assert not text.partition("@begins.")[0].strip() or "@begins." not in text


@given(PRINTED, st.booleans())
def test_rows_of_the_console_are_whole_and_of_this_command(text: str, complete: bool) -> None:  # noqa: FBT001
    wanted = Wanted("ip/hotspot/user", ("name", "comment"))

    async def listed() -> list[Row]:
        line = Spoken(lambda nonce: with_numbers(text, nonce), complete=complete)
        return await SshWay(line).rows(wanted)

    found = outcome(listed)
    if isinstance(found, list):
        inside = text.partition("@begins.")[2].partition("@ends.")[0]
        assert len(found) == inside.count("@row.") == inside.count("@done.")
        assert inside.count("@value.") == 2 * len(found)
        assert text.count("@begins.") >= 1
        assert not text.partition("@begins.")[0].strip()
