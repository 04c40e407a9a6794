"""A router that answers rubbish, half a sentence, too late, without end or as somebody else: within
a bounded time it is an error, and nobody is let in.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.domain.devices import HotspotUser
from appliance.domain.errors import RouterUnreachable
from appliance.log import set_up
from appliance.router import line as ssh_line
from appliance.router.api import RouterApi
from appliance.router.line import private_key
from appliance.router.pool import Address, Pool
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions
from tests.secure_shell import SSH, Client
from tests.ways import address, by_api, by_ssh, login, options

USER = HotspotUser(name="ABC3", profile="default", limit_uptime=timedelta(hours=1))
DONE = b"\x05!done\x00"
Answer = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


def sentence(*words: str) -> bytes:
    return b"".join(bytes((len(word),)) + word.encode() for word in words) + b"\0"


@asynccontextmanager
async def scripted(answer: Answer) -> AsyncIterator[RouterApi]:
    """Yield the appliance's side of an API whose every answer after sign-in is this."""
    serving = set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await _asked(reader)
            writer.write(DONE)
            while tag := await _asked(reader):
                await answer(writer, tag)
        except (EOFError, OSError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    where = Address(
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        username="appliance",
        password="sandbox",
        timeout=0.3,
    )
    async with by_api(where) as api:
        yield api
    server.close()
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)


async def _asked(reader: asyncio.StreamReader) -> bytes:
    """Read one sentence of short words; return its tag."""
    tag = b"none"
    while size := (await reader.readexactly(1))[0]:
        word = await reader.readexactly(size)
        if word.startswith(b".tag="):
            tag = word
    return tag


BYTES = {
    "nothing": b"",
    "an empty sentence": b"\0",
    "no sentence": b"\x05hello\x00",
    "a control byte": b"\xff\xff\xff",
    "half a word": b"\x20!re",
    "half a sentence": b"\x03!re\x05=a=bc",
    "a word without end": b"\xef\xff\xff\xff" + b"x" * 100,
    "somebody else's tag": sentence("!done", ".tag=99"),
    "no tag": sentence("!re", "=user=ABC3", "=mac-address=02:00:00:00:00:05") + DONE,
    "a fatal": sentence("!fatal", "not logged in"),
    "a fatal without words": sentence("!fatal"),
    "zeros": b"\0" * 64,
    "a web page": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
}


def packet(payload: bytes) -> bytes:
    """An SSH packet before there are keys."""
    padding = 8 - (len(payload) + 5) % 8 + 8
    return (
        (len(payload) + padding + 1).to_bytes(4, "big")
        + bytes((padding,))
        + payload
        + bytes(padding)
    )


BANNER, INIT = b"SSH-2.0-ROSSSH\r\n", b"\x14" + bytes(16)
NO_SSH = {
    "FTP": b"220 FTP ready\r\n",
    "zeros": BANNER + bytes(64),
    "no text": BANNER + packet(INIT + b"\x00\x00\x00\x02\xff\xfe" * 10 + bytes(5)),
    "half a beginning": BANNER + packet(INIT + b"\xff\xff\xff\xff"),
    "nothing in common": BANNER + packet(INIT + b"\x00\x00\x00\x01x" * 10 + bytes(5)),
    "an empty packet": BANNER + packet(b""),
    "keys that are none": BANNER + packet(b"\x1f" + b"\x00\x00\x00\x01x" * 3),
}


@pytest.mark.parametrize("raw", BYTES.values(), ids=BYTES.keys())
async def test_bytes_that_are_no_answer_are_an_error_in_bounded_time(raw: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter, _: bytes) -> None:
        writer.write(raw)

    async with scripted(answer) as api, asyncio.timeout(5):
        with pytest.raises(RouterUnreachable):
            await api.sessions(user="ABC3")


async def test_rows_of_an_older_command_are_never_taken_for_this_ones() -> None:
    earlier = list[bytes]()

    async def one_behind(writer: asyncio.StreamWriter, tag: bytes) -> None:
        earlier.append(tag)
        row = (b"=user=ABC3", b"=mac-address=02:00:00:00:00:05", b"=address=127.0.1.5")
        for words in ((b"!re", *row, earlier[0]), (b"!done", earlier[0])):
            writer.write(b"".join(bytes((len(w),)) + w for w in words) + b"\0")

    async with scripted(one_behind) as api:
        assert len(await api.sessions(user="ABC3")) == 1
        with pytest.raises(RouterUnreachable, match="something else"):
            await api.sessions(mac="02:00:00:00:00:05")


async def test_rows_of_another_user_are_nobodys_answer() -> None:
    async def anybody(writer: asyncio.StreamWriter, tag: bytes) -> None:
        row = (b"=user=OTHER", b"=mac-address=02:00:00:00:00:05", b"=address=127.0.1.5")
        for words in ((b"!re", *row, tag), (b"!done", tag)):
            writer.write(b"".join(bytes((len(w),)) + w for w in words) + b"\0")

    async with scripted(anybody) as api:
        assert await api.sessions(user="ABC3") == []


async def test_a_router_that_gave_up_on_a_command_leaves_its_outcome_unknown() -> None:
    async def gave_up(writer: asyncio.StreamWriter, tag: bytes) -> None:
        for words in ((b"!trap", b"=message=action timed out", tag), (b"!done", tag)):
            writer.write(b"".join(bytes((len(w),)) + w for w in words) + b"\0")

    async with scripted(gave_up) as api:
        with pytest.raises(RouterUnreachable, match="action timed out"):
            await api.sessions()


@pytest.fixture
def router_options() -> RouterOptions:
    return options()


async def test_a_late_answer_is_lost_with_its_connection(router: PretendRouter) -> None:
    router.faults.set({"late_answer": "/ip/hotspot/host/print"})
    async with by_api(replace(address(router), timeout=0.3)) as api:
        with pytest.raises(RouterUnreachable, match="TimeoutError"):
            await api.host(ip="127.0.1.5")
        with pytest.raises(RouterUnreachable, match="waiting before the next attempt"):
            await api.users()


async def test_a_router_from_before_6_43_is_signed_in_to_by_its_challenge(
    router: PretendRouter,
) -> None:
    router.faults.set({"old_login": True})
    async with by_api(address(router)) as api:
        await api.ensure_user(USER)
    async with by_api(replace(address(router), password="wrong")) as api:
        with pytest.raises(RouterUnreachable, match="sign-in refused: cannot log in"):
            await api.users()


async def test_nothing_is_said_to_a_stranger_with_another_certificate(
    router: PretendRouter,
) -> None:
    fingerprint = await asyncio.to_thread(router.certify)
    pinned = replace(address(router), port=router.api_ssl_port, tls="pinned")
    for wrong in ("0" * 64, f"{int(fingerprint[0], 16) ^ 1:x}{fingerprint[1:]}"):
        async with by_api(replace(pinned, fingerprint=wrong)) as api:
            with pytest.raises(RouterUnreachable, match="another certificate"):
                await api.users()
    async with by_api(replace(pinned, fingerprint=fingerprint)) as api:
        assert await api.users() == []


async def test_ways_of_tls_do_not_pass_for_each_other(router: PretendRouter) -> None:
    """A pinned router does not let itself be talked down to anonymous, nor to none."""
    port = router.api_ssl_port
    for where in (
        replace(address(router), port=port, tls="pinned", fingerprint="0" * 64),
        replace(address(router), port=port, timeout=0.5),
        replace(address(router), tls="anonymous", timeout=0.5),
    ):
        async with by_api(where) as api:
            with pytest.raises(RouterUnreachable):
                await api.users()


async def test_over_ssh_nothing_is_said_to_a_stranger(router: PretendRouter) -> None:
    seen = list[str]()
    router.device.accounts.with_password = lambda *who: seen.append(who[0])  # type: ignore[method-assign] # who tries
    async with by_ssh(replace(login(router), fingerprint=f"SHA256:{'A' * 43}")) as hotspot:
        with pytest.raises(RouterUnreachable, match="another host key"):
            await hotspot.users()
    assert seen == []


async def test_over_ssh_a_wrong_password_is_told_and_not_tried_at_once_again(
    router: PretendRouter,
) -> None:
    async with by_ssh(replace(login(router), password="wrong")) as hotspot:
        with pytest.raises(RouterUnreachable, match="sign-in refused"):
            await hotspot.users()
        with pytest.raises(RouterUnreachable, match="waiting before the next attempt"):
            await hotspot.users()


@pytest.mark.skipif(SSH is None, reason="needs ssh-keygen")
async def test_over_ssh_a_key_signs_in(router: PretendRouter, tmp_path: Path) -> None:
    client = Client(tmp_path, router.ssh_port)
    await asyncio.to_thread(client.make_key)
    router.device.accounts.keys.add({"user": "appliance", "key": client.public_key})
    text = await asyncio.to_thread(client.key.read_text)
    async with by_ssh(replace(login(router), key=private_key(text))) as hotspot:
        await hotspot.ensure_user(USER)
    async with by_ssh(login(router)) as hotspot:
        with pytest.raises(RouterUnreachable, match="sign-in refused"):
            await hotspot.users()


async def test_over_ssh_a_router_that_hangs_is_given_up_on(router: PretendRouter) -> None:
    async with by_ssh(replace(login(router), timeout=0.5)) as hotspot:
        await hotspot.ensure_user(USER)
        router.faults.set({"ssh_hang": True})
        async with asyncio.timeout(5):
            waiting = [hotspot.users() for _ in range(8)]
            found = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(one) for one in found} == {RouterUnreachable}


@pytest.mark.parametrize("fault", ["ssh_cut_before_command", "ssh_cut_after_command"])
async def test_over_ssh_a_lost_answer_proves_nothing(router: PretendRouter, fault: str) -> None:
    async with by_ssh(login(router)) as hotspot:
        router.faults.set({fault: "user add"})
        with pytest.raises(RouterUnreachable):
            await hotspot.ensure_user(USER)
        await hotspot.ensure_user(USER)
        assert len(await hotspot.users()) == 1


async def test_over_ssh_an_answer_without_end_is_cut_short(
    router: PretendRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_line, "_MOST_BYTES", 2_000)
    for number in range(60):
        router.hotspot.config.users.add({"name": f"A{number}", "comment": "hotspot-appliance"})
    async with by_ssh(login(router)) as hotspot:
        with pytest.raises(RouterUnreachable, match="without an end"):
            await hotspot.users()


@pytest.mark.parametrize("raw", NO_SSH.values(), ids=NO_SSH.keys())
async def test_what_ssh_offers_is_no_console(router: PretendRouter, raw: bytes) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with by_ssh(replace(login(router), port=port, timeout=0.5)) as hotspot:
        async with asyncio.timeout(5):
            with pytest.raises(RouterUnreachable):
                await hotspot.users()
    server.close()


async def test_no_password_is_logged_at_the_lowest_level(
    router: PretendRouter, caplog: pytest.LogCaptureFixture
) -> None:
    router.device.accounts.users.set(
        [router.device.accounts.users.id_of("appliance")], {"password": "very-secret"}
    )
    set_up("debug")
    with caplog.at_level("DEBUG"):
        async with by_api(replace(address(router), password="very-secret")) as api:
            await api.ensure_user(USER)
        async with by_ssh(replace(login(router), password="very-secret")) as ssh:
            await ssh.users()
    assert "very-secret" not in caplog.text
    assert "very-secret" not in repr(address(router)) + repr(login(router))
    assert USER.name not in caplog.text


async def test_the_pool_closes_what_it_opened(router: PretendRouter) -> None:
    pool = Pool(address(router))
    api = RouterApi(pool)
    for _ in range(3):
        await asyncio.gather(*(api.sessions(user=f"A{n}") for n in range(30)))
    assert len(router._apis[0]._sessions) <= 4
    await pool.close()
