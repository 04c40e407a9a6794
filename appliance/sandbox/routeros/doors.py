"""The API's two doors: plain and TLS, each counting who is inside."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Literal

from appliance.sandbox.routeros.api import ApiSession
from appliance.sandbox.routeros.device import Device

_HANDSHAKE_SECONDS = 10
_BACKLOG = 1024
_HANDSHAKE_FAILURE = bytes.fromhex("15 0303 0002 02 28")
"""The TLS alert of that name, fatal, as one record."""
Service = Literal["api", "api-ssl"]


class ApiDoor:
    """Serves API clients on one port."""

    service: Service = "api"

    def __init__(self, device: Device, away: Callable[[], bool]) -> None:
        """Take the device, and who says whether it is without power."""
        self.device = device
        self._away = away
        self._sessions: dict[ApiSession, asyncio.Future[None]] = {}
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(self.serve, host, port, backlog=_BACKLOG)
        bound: int = self._server.sockets[0].getsockname()[1]
        self.device.services.listens(self.service, bound)
        return bound

    def hang_up(self) -> None:
        """Reset every connection."""
        for session in list(self._sessions):
            session.abort()

    async def close(self) -> None:
        """Hang up on everybody and listen no longer."""
        if self._server is not None:
            self._server.close()
        serving = list(self._sessions.values())
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        session = ApiSession(reader, writer, self.device)
        if not self.admits(writer.get_extra_info("peername")[0]):
            session.abort()
            return
        if self.device.services.full(self.service, len(self._sessions)):
            if self.device.faults.menu.too_many_sessions == "reset":
                session.abort()
            writer.close()
            return
        self._sessions[session] = serving = asyncio.ensure_future(session.serve())
        try:
            await serving
        except asyncio.CancelledError:
            session.abort()
        finally:
            self._sessions.pop(session, None)
            writer.close()

    def admits(self, address: str) -> bool:
        """Say whether a connection from there is taken up."""
        if self._away() or self.device.faults.menu.refuse:
            return False
        return self.device.services.admits(self.service, address)


class SecureApiDoor(ApiDoor):
    """The same over TLS; the certificate is whichever the service has when somebody comes."""

    service: Service = "api-ssl"

    def __init__(self, device: Device, away: Callable[[], bool]) -> None:
        super().__init__(device, away)
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the port."""
        self._listener = socket.create_server((host, port), backlog=_BACKLOG)
        self._listener.settimeout(0)
        self._start(self._take_up(self._listener))
        bound: int = self._listener.getsockname()[1]
        self.device.services.listens(self.service, bound)
        return bound

    async def close(self) -> None:
        """Hang up on everybody and listen no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
        await super().close()

    async def _take_up(self, listener: socket.socket) -> None:
        while True:
            connection, peer = await asyncio.get_running_loop().sock_accept(listener)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.admits(peer[0]):
                self._start(self._greet(connection))
            else:
                connection.close()

    async def _greet(self, connection: socket.socket) -> None:
        name = self.device.services.certificate(self.service)
        context = await asyncio.to_thread(self.device.certificates.context, name)
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(), self.serve)
        spare = connection.dup()
        spare.settimeout(0)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=context,
                ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            )
        except ssl.SSLError:
            with suppress(OSError):
                spare.send(_HANDSHAKE_FAILURE)  # asyncio hangs up without saying why
        except OSError:
            pass
        finally:
            spare.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
