"""Ways that can be cut: the tunnel, the line to Safaricom, and the way to the database."""

import asyncio
import struct
from contextlib import suppress

import bson

_CHUNK = 65536
_HEADER = struct.Struct("<iiii")
_FLAGS_AND_KIND = 5
_OP_MSG = 2013
_WRITES = frozenset({"insert", "update", "delete", "findAndModify"})
_GREETINGS = frozenset({"hello", "ismaster", "isMaster", "ping", "endSessions"})
_NOT_PRIMARY = {"ok": 0.0, "code": 10107, "codeName": "NotWritablePrimary", "errmsg": "not primary"}
_READ_ONLY = {"ok": 0.0, "code": 13436, "codeName": "NotPrimaryOrSecondary", "errmsg": "read only"}

Writer = asyncio.StreamWriter


class Pipe:
    """Passes bytes on, or not: `mode` is open, away, slow, lost_answer or cut_answer."""

    def __init__(self, host: str, port: int, to: tuple[str, int], *, mongodb: bool = False) -> None:
        self.mode = "open"
        self._where, self._to = (host, port), to
        self._mongodb = mongodb
        self._writers: set[Writer] = set()
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(self._took, *self._where)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def set(self, mode: str) -> None:
        self.mode = mode
        if mode == "away":
            self.hang_up()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _took(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self._writers.add(writer)
        other: Writer | None = None
        try:
            if self.mode == "away":
                return
            back, other = await asyncio.open_connection(*self._to)
            self._writers.add(other)
            there = asyncio.ensure_future(self._requests(reader, other, writer))
            answers = asyncio.ensure_future(self._answers(back, writer))
            _, waiting = await asyncio.wait({there, answers}, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            await asyncio.gather(there, answers, return_exceptions=True)
        finally:
            for one in filter(None, (writer, other)):
                self._writers.discard(one)
                one.transport.abort() if self.mode == "away" else one.close()

    async def _requests(self, reader: asyncio.StreamReader, to: Writer, back: Writer) -> None:
        pass_on = self._messages if self._mongodb else self._bytes
        with suppress(OSError, asyncio.IncompleteReadError):
            await pass_on(reader, to, back)

    async def _bytes(self, reader: asyncio.StreamReader, to: Writer, _: Writer) -> None:
        while chunk := await reader.read(_CHUNK):
            await self._pause()
            to.write(chunk)
            await to.drain()

    async def _messages(self, reader: asyncio.StreamReader, to: Writer, back: Writer) -> None:
        while True:
            header = await reader.readexactly(_HEADER.size)
            length, request, _, kind = _HEADER.unpack(header)
            body = await reader.readexactly(length - _HEADER.size)
            await self._pause()
            refusal = self._refusal(kind, body)
            if refusal is not None:
                back.write(_message(request, refusal))
                await back.drain()
                continue
            to.write(header + body)
            await to.drain()

    async def _answers(self, reader: asyncio.StreamReader, to: Writer) -> None:
        with suppress(OSError):
            while chunk := await reader.read(_CHUNK):
                await self._pause()
                if self.mode in {"lost_answer", "cut_answer"}:
                    kept = chunk[: len(chunk) // 2] if self.mode == "cut_answer" else b""
                    self.mode = "open"
                    to.write(kept)
                    await to.drain()
                    return
                to.write(chunk)
                await to.drain()

    async def _pause(self) -> None:
        if self.mode == "slow":
            await asyncio.sleep(0.25)

    def _refusal(self, kind: int, body: bytes) -> dict[str, object] | None:
        if kind != _OP_MSG or self.mode not in {"not_primary", "read_only"}:
            return None
        (size,) = struct.unpack_from("<i", body, _FLAGS_AND_KIND)
        command = bson.decode(body[_FLAGS_AND_KIND : _FLAGS_AND_KIND + size])
        name = next(iter(command))
        if self.mode == "read_only":
            return _READ_ONLY if name in _WRITES else None
        return None if name in _GREETINGS else _NOT_PRIMARY


def _message(request: int, document: dict[str, object]) -> bytes:
    body = struct.pack("<IB", 0, 0) + bson.encode(document)
    return _HEADER.pack(_HEADER.size + len(body), 1, request, _OP_MSG) + body
