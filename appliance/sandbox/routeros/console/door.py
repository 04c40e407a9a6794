"""The console on a unix socket: a line of JSON in, a line of JSON out, for another SSH server."""

import asyncio
import json
from pathlib import Path

from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.device import Device

_LONGEST = 1 << 20
_DENIED = {"said": "", "status": 255}


class ConsoleDoor:
    """Takes one command a connection from whoever may open the socket."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._server: asyncio.Server | None = None

    async def open(self, path: Path) -> None:
        """Listen on this socket."""
        self._server = await asyncio.start_unix_server(self._serve, path, limit=_LONGEST)

    async def close(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline() or b"{}")
        answer = self._answer(str(asked.get("user", "")), str(asked.get("line", "")))
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
        writer.close()

    def _answer(self, user: str, line: str) -> dict[str, object]:
        account = self._device.accounts.named(user)
        if account is None or "ssh" not in account.policies:
            return _DENIED
        session = Session(self._device, account.policies)
        said = session.run(line)
        failed = self._device.faults.menu.ssh_error_status
        return {"said": said, "status": failed if session.refused else 0}
