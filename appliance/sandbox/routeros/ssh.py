"""The console behind SSH: sign-in, one command a channel, and the output with its exit status.

Paramiko works in threads of its own; the device itself is only ever touched from the event loop.
"""

import asyncio
import logging
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import paramiko
from paramiko import common

from appliance.sandbox.routeros.accounts import Account
from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.sftp import Uploads

_BANNER = "SSH-2.0-ROSSSH"
_PATIENCE = 30
_NO_SHELL = b"There is no terminal here: give one command with the connection.\r\n"
_SHA1 = {
    "kex": ("diffie-hellman-group14-sha1", "diffie-hellman-group1-sha1"),
    "key_types": ("ssh-rsa",),
    "digests": ("hmac-sha1",),
}
T = TypeVar("T")
_LOG = "paramiko.pretend_router"
logging.getLogger(_LOG).setLevel(logging.CRITICAL)  # a client that goes away is its own affair


class SshDoor:
    """Takes up connections until it is closed."""

    def __init__(self, device: Device, key: paramiko.PKey, away: Callable[[], bool]) -> None:
        """Take the device, its host key, and who says whether it is without power."""
        self._device = device
        self._key = key
        self._away = away
        self._standing: set[paramiko.Transport] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None

    def open(self, host: str, port: int) -> int:
        """Listen, and return the port."""
        self._listener = socket.create_server((host, port), backlog=128)
        self._listener.settimeout(0)
        self._start(self._take_up(self._listener))
        bound: int = self._listener.getsockname()[1]
        self._device.services.listens("ssh", bound)
        return bound

    def hang_up(self) -> None:
        """Reset every connection."""
        for transport in self._standing:
            _reset(transport)

    async def close(self) -> None:
        """Hang up on everybody and listen no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        self.hang_up()
        for transport in self._standing:
            await asyncio.to_thread(transport.close)

    async def run(self, visitor: "_Visitor", channel: paramiko.Channel, line: str) -> None:
        """Carry a line out and send what it prints."""
        faults = self._device.faults
        if faults.menu.ssh_hang:
            await asyncio.Event().wait()
        if faults.once_within("ssh_cut_before_command", line):
            return _reset(visitor.transport)
        session = Session(self._device, visitor.policies)
        said = session.run(_garbled(line) if faults.menu.ssh_loses_letters else line)
        await asyncio.sleep(faults.latency)
        if faults.once_within("ssh_cut_after_command", line):
            return _reset(visitor.transport)
        status = faults.menu.ssh_error_status if session.refused else 0
        raw = said.encode("utf-8", "surrogateescape")
        await asyncio.to_thread(_answer, channel, raw, status)
        return None

    def start(self, visitor: "_Visitor", channel: paramiko.Channel, line: str) -> None:
        """Begin to carry a line out."""
        self._start(self.run(visitor, channel, line))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_up(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, peer = await loop.sock_accept(listener)
            self._standing = {one for one in self._standing if one.is_active()}
            if not self._admits(peer[0]):
                _abort(connection)
                continue
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            visitor = _Visitor(self, self._device, loop, peer[0])
            try:
                visitor.transport = await asyncio.to_thread(self._greeted, connection, visitor)
            except (OSError, EOFError, ValueError, paramiko.SSHException):
                _abort(connection)  # ValueError: Paramiko 5 has no SHA-1 to offer any more
            else:
                self._standing.add(visitor.transport)

    def _admits(self, address: str) -> bool:
        services, menu = self._device.services, self._device.faults.menu
        if self._away() or menu.ssh_refuse or not services.admits("ssh", address):
            return False
        return not services.full("ssh", len(self._standing))

    def _greeted(self, connection: socket.socket, visitor: "_Visitor") -> "_Transport":
        """Return the conversation, begun; in a thread, for it may block."""
        transport = _Transport(connection)
        transport.local_version = _BANNER
        transport.set_log_channel(_LOG)
        files = self._device.files
        transport.set_subsystem_handler(
            "sftp", paramiko.SFTPServer, Uploads, files=files, ask=visitor.ask
        )
        transport.add_server_key(self._key)
        if self._device.faults.menu.ssh_only_sha1:
            options = transport.get_security_options()
            options.kex, options.key_types = _SHA1["kex"], _SHA1["key_types"]
            options.digests = _SHA1["digests"]
        visitor.transport = transport
        transport.start_server(event=threading.Event(), server=visitor)
        return transport


class _Transport(paramiko.Transport):
    """Begins a command only after its client was told that it is taken, as every real server."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self.after_reply: list[Callable[[], None]] = []

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc] # the stubs leave it out
        if data.asbytes()[:1] == common.cMSG_CHANNEL_SUCCESS:
            while self.after_reply:
                self.after_reply.pop(0)()


class _Visitor(paramiko.ServerInterface):
    """One connection's answers to what its client asks for; called from Paramiko's thread."""

    transport: _Transport

    def __init__(
        self, door: SshDoor, device: Device, loop: asyncio.AbstractEventLoop, address: str
    ) -> None:
        self._door = door
        self._device = device
        self._loop = loop
        self._address = address
        self.policies: frozenset[str] = frozenset()

    def ask(self, question: Callable[[], T]) -> T:
        """Return the answer to a question that only the event loop may put."""

        async def answer() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(_PATIENCE)

    def get_allowed_auths(self, username: str) -> str:
        """Return how one may sign in."""
        return "publickey,password"

    def check_auth_password(self, username: str, password: str) -> int:
        """Let somebody in who knows the password, where a password still counts."""

        def look() -> Account | None:
            accounts = self._device.accounts
            if not self._device.ssh.takes_password(has_key=bool(accounts.keys_of(username))):
                return None
            return accounts.with_password(username, password, self._address)

        return self._welcome(self.ask(look))

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        """Let somebody in who has shown one of their keys."""
        with_key = self._device.accounts.with_key
        return self._welcome(self.ask(lambda: with_key(username, key.asbytes(), self._address)))

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Open sessions and nothing else."""
        if kind == "session":
            return common.OPEN_SUCCEEDED
        return common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Take one command."""
        line = command.decode("utf-8", "surrogateescape")
        start = self._door.start
        self.transport.after_reply.append(lambda: self.ask(lambda: start(self, channel, line)))
        return True

    def check_channel_pty_request(self, channel: paramiko.Channel, *_: object) -> bool:
        """Let a client have its terminal: it changes nothing."""
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        """Say that there is no shell, and end."""

        async def explain() -> None:
            await asyncio.to_thread(_answer, channel, _NO_SHELL, 1)

        asyncio.run_coroutine_threadsafe(explain(), self._loop)
        return True

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        """Let whoever may do so move files."""
        if "ftp" not in self.policies:
            return False
        return super().check_channel_subsystem_request(channel, name)

    def _welcome(self, account: Account | None) -> int:
        if account is None or "ssh" not in account.policies:
            return common.AUTH_FAILED
        self.policies = account.policies
        log = self._device.log
        self.ask(lambda: log.account(account.name, self._address, "ssh", "in"))
        return common.AUTH_SUCCESSFUL


def _garbled(line: str) -> str:
    """Return a line without its letters beyond ASCII."""
    return "".join(filter(str.isascii, line))


def _answer(channel: paramiko.Channel, said: bytes, status: int) -> None:
    with suppress(OSError, EOFError, paramiko.SSHException):
        channel.sendall(said)
        channel.send_exit_status(status)
        channel.shutdown_write()
        channel.close()


def _reset(transport: paramiko.Transport) -> None:
    sock = transport.sock
    with suppress(OSError):
        if isinstance(sock, socket.socket):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.shutdown(socket.SHUT_RDWR)


def _abort(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
