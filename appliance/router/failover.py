"""Two ways to one router: the API, and SSH while the API is out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import TypeVar

from appliance.domain.devices import Device, Entry, HotspotUser, Session
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.domain.health import RouterHealth
from appliance.router.hotspot import Hotspot
from appliance.router.patience import Patience

log = logging.getLogger(__name__)

T = TypeVar("T")
Work = Callable[[Hotspot], Awaitable[T]]

_WENT: ContextVar[str] = ContextVar("way to the router")
"""The way of this task's latest command: other tasks' commands may have gone the other way."""


class Failover:
    """Sends everything by the API until it does not answer; then by SSH, until it does again.

    A refusal is an answer. Whoever asks does not wait for an API that is known to be out: it is
    tried on the side. What became of a command that got no answer is unknown, so the other way
    looks before it repeats.
    """

    def __init__(self, api: Hotspot, ssh: Hotspot) -> None:
        self.patience = Patience()
        self._api = api
        self._ssh = ssh
        self._out = ""
        """Why the API is not used; empty while it is."""
        self._latest = api.way
        self._trial: asyncio.Task[None] | None = None

    @property
    def way(self) -> str:
        """Return the way that this task's latest command went."""
        return _WENT.get(self._latest)

    async def host(self, *, ip: str | None = None, mac: str | None = None) -> Device | None:
        """Return the device the router itself sees at this address."""
        return await self._carry(lambda by: by.host(ip=ip, mac=mac))

    async def ensure_user(self, user: HotspotUser) -> None:
        """Make the hotspot user exist; the router itself refuses a second one of the name."""
        await self._carry(lambda by: by.ensure_user(user))

    async def users(self, *, name: str | None = None) -> list[Entry]:
        """Return the hotspot users that are ours, all of them or one."""
        return await self._carry(lambda by: by.users(name=name))

    async def set_limits(self, user: HotspotUser) -> None:
        """Give our user of this name these limits, and let it in."""
        await self._carry(lambda by: by.set_limits(user))

    async def cut(self, user: str) -> None:
        """Shut a user of ours out and forget it."""
        await self._carry(lambda by: by.cut(user))

    async def leave(self, user: str, mac: str) -> None:
        """Log one device of a user out."""
        await self._carry(lambda by: by.leave(user, mac))

    async def sessions(self, *, user: str | None = None, mac: str | None = None) -> list[Session]:
        """Return who is online now: by user, by device, or everybody."""
        return await self._carry(lambda by: by.sessions(user=user, mac=mac))

    async def login(self, user: str, device: Device) -> None:
        """Log the device in; the second way does so only if the first has not."""

        async def again(by: Hotspot) -> None:
            if all(session.user != user for session in await by.sessions(mac=device.mac)):
                await by.login(user, device)

        await self._carry(lambda by: by.login(user, device), again)

    async def health(self) -> RouterHealth:
        """Return what the router says of itself, and which way is out."""
        if self._out and self.patience.is_over():
            await self._try_api()
        found = await self._carry(lambda by: by.health())
        silent = [f"api: {self._out}"] if self._out else []
        try:
            if found.way != self._ssh.way:
                await self._ssh.answer()
        except (RouterUnreachable, RouterRefused) as error:
            silent.append(f"ssh: {error}")
        return replace(found, silent=tuple(silent))

    async def close(self) -> None:
        """Let the API be."""
        if self._trial is not None:
            self._trial.cancel()
            await asyncio.gather(self._trial, return_exceptions=True)

    async def _carry(self, work: Work[T], again: Work[T] | None = None) -> T:
        """Do it by the way that works, and where that fails by the other."""
        first, second = (self._ssh, self._api) if self._out else (self._api, self._ssh)
        if self._out:
            self._try_api_aside()
        try:
            return await self._by(first, work)
        except RouterUnreachable as error:
            before = error
        try:
            return await self._by(second, again or work)
        except RouterUnreachable as error:
            told = f"{first.way}: {before}; {second.way}: {error}"
            raise RouterUnreachable(told) from error

    async def _by(self, hotspot: Hotspot, work: Work[T]) -> T:
        try:
            found = await work(hotspot)
        except RouterUnreachable as error:
            if hotspot is self._api:
                self._api_failed(error)
            raise
        except RouterRefused:
            self._went(hotspot)
            raise
        self._went(hotspot)
        if hotspot is self._api:
            self.patience.worked()
        return found

    def _went(self, hotspot: Hotspot) -> None:
        _WENT.set(hotspot.way)
        self._latest = hotspot.way
        if hotspot is self._api:
            self._api_answered()

    def _api_failed(self, error: RouterUnreachable) -> None:
        if not self._out or self.patience.is_over():  # one outage, however many notice it
            self.patience.failed()
        if not self._out:
            log.warning("the API does not answer, SSH carries the work: %s", error)
        self._out = str(error) or "no answer"

    def _api_answered(self) -> None:
        if self._out:
            log.warning("the API answers again")
        self._out = ""

    def _try_api_aside(self) -> None:
        """See whether the API is back, without anybody waiting for it."""
        busy = self._trial is not None and not self._trial.done()
        if not busy and self.patience.is_over():
            self._trial = asyncio.create_task(self._try_api())

    async def _try_api(self) -> None:
        """Ask for something cheap."""
        try:
            await self._api.answer()
        except RouterUnreachable as error:
            self._api_failed(error)
        except RouterRefused:
            self._api_answered()
        else:
            self._api_answered()
