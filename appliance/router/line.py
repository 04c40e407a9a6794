"""A lasting SSH connection to the router's console, thrown away at the first doubt.

Paramiko blocks, so everything of it happens in threads of its own, off the event loop.
"""

import asyncio
import base64
import hashlib
import hmac
import io
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from appliance.domain.errors import RouterUnreachable
from appliance.router.patience import Patience

# Paramiko asks for it, and does without, to run what an ssh_config says: 4 MB for nothing here.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]
import paramiko  # noqa: E402

T = TypeVar("T")

_TROUBLE = (paramiko.SSHException, OSError, EOFError, TimeoutError)
_KEEPALIVE_SECONDS = 30
_HANDS = 3
"""Commands at a time, each on a channel of its own."""
_MOST_BYTES = 16 << 20
_LOG = "paramiko.router"
logging.getLogger(_LOG).setLevel(logging.CRITICAL)  # what went wrong is raised, and told by us


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where the console is and who signs in. Timeout in seconds, for one command."""

    host: str
    port: int
    username: str
    fingerprint: str
    """The host key's, as `ssh-keygen -l` prints it: `SHA256:...`."""
    password: str = field(repr=False)
    key: paramiko.PKey | None = field(default=None, repr=False)
    """Signs in instead of the password."""
    timeout: float = 5.0


class Line:
    """Runs one line after another at the console; nothing is said to a stranger.

    While the router is away, callers are refused at once between attempts.
    """

    def __init__(self, login: Login) -> None:
        self.patience = Patience()
        self._login = login
        self._free = asyncio.Semaphore(_HANDS)
        self._connecting = asyncio.Lock()
        self._threads = ThreadPoolExecutor(_HANDS, thread_name_prefix="router-ssh")
        self._transport: paramiko.Transport | None = None

    async def run(self, line: str) -> tuple[str, bool]:
        """Return what a line printed, and whether the router itself ended it."""
        async with self._turn():
            transport = await self._connected()
            try:
                async with asyncio.timeout(self._login.timeout):
                    said = await self._in_thread(
                        lambda: _carried_out(transport, line, self._login.timeout)
                    )
            except _TROUBLE as error:
                self._hang_up(transport)
                if isinstance(error, TimeoutError):
                    self.patience.failed()
                raise RouterUnreachable(_said(error)) from error
            except BaseException:
                self._hang_up(transport)
                raise
        self.patience.worked()
        return said

    async def close(self) -> None:
        """Hang up."""
        transport = self._transport
        if transport is not None:
            self._hang_up(transport)
            await self._in_thread(transport.close)
        self._threads.shutdown(wait=False)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for a free hand, but no longer than for an answer."""
        try:
            async with asyncio.timeout(self._login.timeout):
                await self._free.acquire()
        except TimeoutError as error:
            raise RouterUnreachable("every hand is busy") from error
        try:
            yield
        finally:
            self._free.release()

    async def _connected(self) -> paramiko.Transport:
        async with self._connecting:
            if self._transport is not None and self._transport.is_active():
                return self._transport
            if not self.patience.is_over():
                raise RouterUnreachable("waiting before the next attempt")
            attempt = self._threads.submit(_signed_in, self._login)
            try:
                self._transport = await asyncio.wrap_future(attempt)
            except asyncio.CancelledError:
                attempt.add_done_callback(_forget)
                raise
            except _TROUBLE as error:
                self.patience.failed()
                raise RouterUnreachable(_said(error)) from error
            return self._transport

    def _hang_up(self, transport: paramiko.Transport) -> None:
        """Reset the connection; whoever still waits for something on it is told at once."""
        if self._transport is transport:
            self._transport = None
        _reset(transport)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._threads.submit(work))


def private_key(text: str) -> paramiko.PKey:
    """Return the key in a file of OpenSSH's; raise `ValueError` for what is none, or is sealed."""
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        # Paramiko asserts that an Ed25519 key's two halves belong together.
        with suppress(paramiko.SSHException, ValueError, IndexError, AssertionError):
            return kind.from_private_key(io.StringIO(f"{text.strip()}\n"))
    raise ValueError("no private key of OpenSSH's without a passphrase")


def _signed_in(login: Login) -> paramiko.Transport:
    connection = socket.create_connection((login.host, login.port), login.timeout)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(connection)
    except BaseException:
        connection.close()
        raise
    transport.set_log_channel(_LOG)
    transport.banner_timeout = transport.handshake_timeout = login.timeout
    transport.auth_timeout = login.timeout
    try:
        transport.start_client(timeout=login.timeout)
        _recognise(transport, login.fingerprint)
        if login.key is not None:
            transport.auth_publickey(login.username, login.key)
        else:
            transport.auth_password(login.username, login.password)
    except BaseException as error:
        transport.close()
        if isinstance(error, _TROUBLE) or not isinstance(error, Exception):
            raise
        # Whatever else Paramiko makes of bytes that are no SSH.
        raise paramiko.SSHException("what it says is no SSH") from error
    transport.set_keepalive(_KEEPALIVE_SECONDS)
    return transport


def _recognise(transport: paramiko.Transport, fingerprint: str) -> None:
    digest = hashlib.sha256(transport.get_remote_server_key().asbytes()).digest()
    shown = f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"
    if not hmac.compare_digest(shown.encode(), fingerprint.encode()):
        raise paramiko.SSHException("another host key than the one that is pinned")


def _carried_out(transport: paramiko.Transport, line: str, timeout: float) -> tuple[str, bool]:
    """Run a line without a terminal; hanging up is what ends it where the router does not."""
    channel = transport.open_session(timeout=timeout)
    try:
        channel.settimeout(timeout)
        channel.set_combine_stderr(True)  # Paramiko takes no name there
        channel.exec_command(line)
        said = bytearray()
        while piece := channel.recv(1 << 16):
            said += piece
            if len(said) > _MOST_BYTES:
                raise paramiko.SSHException("an answer without an end")
        complete = bool(channel.eof_received) or channel.exit_status != -1
    finally:
        channel.close()
    return said.decode("utf-8", "surrogateescape"), complete


def _reset(transport: paramiko.Transport) -> None:
    sock = transport.sock
    with suppress(OSError):
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)


def _forget(attempt: "Future[paramiko.Transport]") -> None:
    """Close a connection that nobody waits for any more."""
    if not attempt.cancelled() and attempt.exception() is None:
        _reset(attempt.result())


def _said(error: BaseException) -> str:
    """Return what to tell of it."""
    if isinstance(error, paramiko.AuthenticationException):
        return "sign-in refused"
    if isinstance(error, paramiko.SSHException):
        return str(error)[:200]
    return type(error).__name__
