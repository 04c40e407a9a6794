"""What a door puts up with from whoever connects, and that the others are served meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from appliance.web import guard as guards
from appliance.web.guard import Guard, in_time
from appliance.web.listening import listening
from tests.servers import free_port

MOST = 40
DRIPPING = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfew"
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Door:
    """A listener with a page, one that takes its time, a large one, and one that reads a body."""

    def __init__(self) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.gate = asyncio.Event()
        self.guard = Guard(MOST)
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Door"]:
        app = web.Application(client_max_size=1024)
        app.router.add_get("/", self._page)
        app.router.add_get("/slow", self._slow)
        app.router.add_get("/large", self._large)
        app.router.add_post("/body", self._body)
        async with listening(app, self.address, 0.1, MOST) as self.guard:
            try:
                yield self
            finally:
                self.gate.set()
                for writer in self._writers:
                    writer.close()

    async def connect(self, source: str = "127.0.0.1") -> Peer:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(source, 0)
        )
        self._writers.append(writer)
        return reader, writer

    async def say(self, text: bytes, source: str = "127.0.0.1") -> Peer:
        reader, writer = await self.connect(source)
        writer.write(text)
        return reader, writer

    async def is_open_to(self, source: str = "127.0.0.1") -> bool:
        """Say whether somebody who comes now is served."""
        reader, _ = await self.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", source)
        return await status(reader) == 200

    async def until(self, count: int) -> None:
        """Return when so many connections are open."""
        async with asyncio.timeout(10):
            while len(self.guard) != count:
                await asyncio.sleep(0.01)

    async def busy(self, count: int, source: str = "127.0.0.1") -> list[asyncio.StreamReader]:
        """Send so many requests whose bodies never end, and return when each is being served."""
        before = sum(c.busy for c in self.guard._open.values())
        sent = [await self.say(DRIPPING, source) for _ in range(count)]
        async with asyncio.timeout(10):
            while sum(c.busy for c in self.guard._open.values()) != before + count:
                await asyncio.sleep(0.01)
        return [reader for reader, _ in sent]

    def later(self, seconds: float) -> None:
        """Let the door look at its connections as if so much time had passed."""
        self.guard.sweep(asyncio.get_running_loop().time() + seconds)

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text="here")

    async def _slow(self, _: web.Request) -> web.Response:
        await self.gate.wait()
        return web.Response(text="at last")

    async def _large(self, _: web.Request) -> web.Response:
        return web.Response(body=bytes(32 << 20))

    async def _body(self, request: web.Request) -> web.Response:
        return web.Response(text=str(len(await in_time(request.read()))))


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with Door().opened() as made:
        yield made


async def status(reader: asyncio.StreamReader) -> int:
    """Return the status of the next answer, or 0 where the connection is closed without one."""
    async with asyncio.timeout(10):
        line = await reader.readline()
    return int(line.split()[1]) if line else 0


async def closed(reader: asyncio.StreamReader) -> bytes:
    """Return what is left to read when the other side has closed."""
    async with asyncio.timeout(15):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_thousands_of_idle_connections_are_few_and_shut_nobody_out(door: Door) -> None:
    for _ in range(20):
        await asyncio.gather(*(door.connect() for _ in range(100)))
        assert len(door.guard) <= MOST
    assert await door.is_open_to("127.0.0.9")


async def test_who_opens_many_shuts_out_only_themselves(door: Door) -> None:
    patient, writer = await door.say(b"GET / HTTP/1.1\r\nHost: x\r\n", "127.0.0.9")
    await asyncio.gather(*(door.connect() for _ in range(10 * MOST)))
    await door.until(MOST)
    assert await door.is_open_to("127.0.0.9")
    writer.write(b"\r\n")
    assert await status(patient) == 200


async def test_where_everybody_is_being_served_the_next_one_is_told_to_come_back(
    door: Door,
) -> None:
    for _ in range(MOST):
        await door.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    await door.until(MOST)
    reader, _ = await door.connect()
    answer = await closed(reader)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: " in answer
    door.gate.set()


async def test_who_keeps_the_whole_door_busy_makes_room_for_the_others(door: Door) -> None:
    await door.busy(MOST)
    assert not await door.is_open_to()
    assert await door.is_open_to("127.0.0.9")
    assert len(door.guard) <= MOST


async def test_two_who_keep_the_door_busy_together_make_room_for_the_others(door: Door) -> None:
    for source in ("127.0.0.2", "127.0.0.3"):
        await door.busy(MOST // 2, source)
    assert await door.is_open_to("127.0.0.9")
    for _ in range(guards.SHARE):
        await door.say(DRIPPING, "127.0.0.9")
    await door.until(MOST)
    assert await door.is_open_to("127.0.0.8")
    assert door.guard._by_address["127.0.0.9"] == guards.SHARE


async def test_nobody_is_sent_away_who_has_no_more_than_a_phone_opens(door: Door) -> None:
    for phone in range(MOST // guards.SHARE):
        await door.busy(guards.SHARE, f"127.0.0.{phone + 2}")
    assert not await door.is_open_to("127.0.0.9")
    assert len(door.guard) == MOST


async def test_a_crowd_behind_one_address_has_the_whole_door_while_nobody_else_wants_it(
    door: Door,
) -> None:
    for answer in await door.busy(MOST - 1):
        assert not answer.at_eof()
    assert await door.is_open_to()
    assert door.guard._by_address["127.0.0.1"] == MOST


async def test_who_has_many_takes_no_place_of_those_who_have_few(door: Door) -> None:
    patient, writer = await door.say(b"GET / HTTP/1.1\r\nHost: x\r\n", "127.0.0.9")
    await door.busy(MOST - 1)
    assert not await door.is_open_to()
    writer.write(b"\r\n")
    assert await status(patient) == 200


async def test_a_head_that_drips_in_is_given_half_a_minute(door: Door) -> None:
    reader, writer = await door.say(b"GET / HTTP/1.1\r\nHos")
    await door.until(1)
    while not any(c._head for c in door.guard._open.values()):
        await asyncio.sleep(0.01)
    door.later(guards.HEAD_SECONDS - 1)
    writer.write(b"t: x\r\n")
    door.later(guards.HEAD_SECONDS - 1)
    assert len(door.guard) == 1
    door.later(guards.HEAD_SECONDS + 1)
    assert await status(reader) == 408
    await closed(reader)
    assert await door.is_open_to()


async def test_a_slow_phone_that_sends_a_byte_at_a_time_is_served(door: Door) -> None:
    reader, writer = await door.connect()
    for byte in b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert await status(reader) == 200


async def test_a_body_that_drips_in_is_answered_and_dropped(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "BODY_SECONDS", 0.2)
    reader, _ = await door.say(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nfew")
    assert await status(reader) == 408
    assert await door.is_open_to()


@pytest.mark.parametrize("length", [b"Content-Length: 999999999", b"Transfer-Encoding: chunked"])
async def test_a_huge_body_is_refused_unread(door: Door, length: bytes) -> None:
    reader, writer = await door.say(b"POST /body HTTP/1.1\r\nHost: x\r\n" + length + b"\r\n\r\n")
    chunk = b"1000\r\n" + b"x" * 0x1000 + b"\r\n"
    writer.write(chunk * 4 if b"chunked" in length else b"x" * 8192)
    assert await status(reader) == 413
    assert await door.is_open_to()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * guards.LONGEST_HEAD + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nCookie: " + b"a" * guards.LONGEST_HEAD,
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(2_000)) + b"\r\n",
    ],
    ids=["address", "endless", "many"],
)
async def test_a_flood_of_headers_is_refused(door: Door, head: bytes) -> None:
    reader, _ = await door.say(head)
    assert await status(reader) == 431
    await closed(reader)
    assert await door.is_open_to()


async def test_an_idle_connection_ends_and_one_that_is_served_does_not(door: Door) -> None:
    idle, _ = await door.connect()
    used, writer = await door.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    await door.until(2)
    while not any(c.busy for c in door.guard._open.values()):
        await asyncio.sleep(0.01)
    door.later(guards.IDLE_SECONDS + 1)
    assert await closed(idle) == b""
    door.gate.set()
    assert await status(used) == 200
    writer.close()
    await door.until(0)


async def test_who_does_not_read_a_large_answer_keeps_no_connection(door: Door) -> None:
    await door.say(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    await door.until(1)
    while not any(
        c._transport is not None and c._transport.get_write_buffer_size()
        for c in door.guard._open.values()
    ):
        await asyncio.sleep(0.01)
    door.later(guards.IDLE_SECONDS + 1)
    await door.until(0)


async def test_a_customer_who_never_reads_is_given_up_in_the_end(door: Door) -> None:
    reader, _ = await door.say(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
    while not any(c.busy for c in door.guard._open.values()):
        await asyncio.sleep(0.01)
    door.later(guards.REQUEST_SECONDS + 1)
    await closed(reader)
    await door.until(0)


async def test_a_thousand_requests_in_one_go_are_answered_in_order_while_others_are_served(
    door: Door,
) -> None:
    reader, writer = await door.connect()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 1_000)
    assert await door.is_open_to("127.0.0.9")
    for _ in range(1_000):
        assert await status(reader) == 200
        await reader.readuntil(b"\r\n\r\nhere")


async def test_what_is_no_http_is_refused(door: Door) -> None:
    reader, _ = await door.say(b"\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n")
    assert await status(reader) == 400
    assert await door.is_open_to()


async def test_every_answer_forbids_what_a_browser_might_do_with_it(door: Door) -> None:
    for path in (b"/", b"/nowhere"):
        reader, _ = await door.say(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert "content-security-policy: default-src 'none'" in head
        assert "frame-ancestors 'none'" in head
        assert "x-content-type-options: nosniff" in head
        assert "referrer-policy: no-referrer" in head
        assert "cache-control: no-store" in head
        assert "\nserver:" not in head
