"""`/tool/fetch`: the device takes a file from somewhere else; it is there a moment later."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import aiohttp

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.actions import Action, Answer, Menu, Request
from appliance.sandbox.routeros.files import Files
from appliance.sandbox.routeros.system import DeviceMode

_TAKES = frozenset({"url", "dst-path", "mode", "keep-result", "check-certificate", "http-method"})
_PATIENCE = aiohttp.ClientTimeout(total=10)


class Parts(Protocol):
    """What fetching is about."""

    files: Files
    mode: DeviceMode
    fetch: Callable[[str, str], None]


def menu(device: Parts) -> Menu:
    """Return `/tool`."""

    def run(request: Request) -> Answer:
        given = request.attributes
        if "url" not in given:
            raise traps.missing("url")
        if not device.mode.allows("fetch"):
            raise traps.Trap("failure: not allowed by device-mode")
        name = given.get("dst-path") or given["url"].rpartition("/")[2]
        device.fetch(given["url"], name)
        return Answer(rows=[{"status": "finished"}])

    return Menu({"fetch": Action(run, _TAKES, frozenset({"test"}))})


def unconnected(url: str, name: str) -> None:
    """Refuse: the device is on no network."""
    raise traps.Trap("failure: connection failed")


class Fetching:
    """Fetches over the network of the machine that pretends."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, url: str, name: str) -> None:
        """Begin; what cannot be had is not there afterwards."""
        task = asyncio.ensure_future(self._take(url, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Fetch no longer."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _take(self, url: str, name: str) -> None:
        try:
            async with (
                aiohttp.ClientSession(timeout=_PATIENCE) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                if answer.ok:
                    self._files.put(name, await answer.text())
        except (aiohttp.ClientError, TimeoutError):
            return
