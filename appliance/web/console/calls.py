"""What Safaricom calls with, as it comes: each call, what was decided, and how fast."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web

from appliance.domain.errors import StoreUnavailable
from appliance.domain.records import WebhookLog
from appliance.flows.replay import Replay
from appliance.ports import WebhookLogs
from appliance.web.console.shell import SESSION, SHELL, done, found, page, record

_SHOWN = 50
_LOOK_EVERY = 1.0
_STREAM_SECONDS = 240.0
"""Then the browser asks again by itself; whoever serves may stop sooner."""
_MOST_WATCHERS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The live list, and each call on a page of its own."""

    webhooks: WebhookLogs
    replay: Replay
    title: str = "Calls"
    path: str = "/calls"
    _watching: set[int] = field(default_factory=set, repr=False)

    def routes(self) -> list[web.RouteDef]:
        """Return the pages."""
        return [
            web.get(self.path, self._list),
            web.get(f"{self.path}/live", self._live, allow_head=False),
            web.get(f"{self.path}/{{id}}", self._one),
            web.post(f"{self.path}/{{id}}/again", self._again),
        ]

    async def _list(self, request: web.Request) -> web.Response:
        newest = await self.webhooks.page(None, None, _SHOWN)
        return page(request, "calls.html", calls=newest, took=_took(newest))

    async def _one(self, request: web.Request) -> web.Response:
        call = await found(request, self.webhooks)
        return page(request, "call.html", call=call, body=_readable(call.raw_body))

    async def _again(self, request: web.Request) -> web.Response:
        call = await found(request, self.webhooks)
        await record(request, "had a call read again", call.id)
        await self.replay.call(call.id)
        raise done(f"{self.path}/{call.id}", "asked")

    async def _live(self, request: web.Request) -> web.StreamResponse:
        """Send each call as a row of the list, again where its decision has come."""
        if len(self._watching) >= _MOST_WATCHERS:
            raise web.HTTPServiceUnavailable
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        self._watching.add(id(request))
        try:
            await stream.prepare(request)
            await stream.write(b"retry: 2000\n\n")
            await self._send(request, stream)
        except ConnectionResetError:
            pass  # who looked has gone
        finally:
            self._watching.discard(id(request))
        return stream

    async def _send(self, request: web.Request, stream: web.StreamResponse) -> None:
        loop, shell = asyncio.get_running_loop(), request.app[SHELL]
        sent = {call.id: call.version for call in await self._newest()}
        until = loop.time() + _STREAM_SECONDS
        while loop.time() < until and not await _is_set(shell.closing, _LOOK_EVERY):
            if not shell.sessions.is_open(request[SESSION].id):
                return
            newest = await self._newest()
            for call in reversed(newest):
                if sent.get(call.id) != call.version:
                    await stream.write(_event(request, call))
            sent = {call.id: call.version for call in newest}
            await stream.write(b": here\n\n")  # so that who left is noticed

    async def _newest(self) -> list[WebhookLog]:
        try:
            return await self.webhooks.page(None, None, _SHOWN)
        except StoreUnavailable:
            return []


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    """Wait so long, or until it is set; say whether it is."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def _event(request: web.Request, call: WebhookLog) -> bytes:
    row = request.app[SHELL].pages.render("call_row.html", call=call)
    return (
        b"event: call\ndata: " + json.dumps({"id": call.id, "row": row.decode()}).encode() + b"\n\n"
    )


def _readable(body: str) -> str:
    """Return JSON one line a value; what is none, as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except ValueError:
        return body


def _took(calls: Sequence[WebhookLog]) -> float | None:
    """Return the seconds that half of these were decided in."""
    times = sorted(call.processing_time for call in calls if call.processing_time is not None)
    return times[len(times) // 2] / 1000 if times else None
