"""A router in memory, for tests that run thousands of stories."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from appliance.domain.devices import Device, Entry, HotspotUser, Session
from appliance.domain.errors import RouterUnreachable
from appliance.domain.health import RouterHealth

DEVICES = (Device("02:00:00:00:00:01", "127.0.1.1"), Device("02:00:00:00:00:02", "127.0.1.2"))


class OpenGate:
    """A router that lets in whom it is told to, and remembers whom."""

    way = "api"

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.online: dict[str, str] = {}
        """MAC to user."""
        self.away = False

    async def host(self, *, ip: str | None = None, mac: str | None = None) -> Device | None:
        self._here()
        return next((d for d in DEVICES if mac in {None, d.mac} and ip in {None, d.ip}), None)

    async def ensure_user(self, user: HotspotUser) -> None:
        self._here()
        if user.name not in self.entries:
            self.entries[user.name] = _entry(user, Entry(name=user.name))

    async def users(self, *, name: str | None = None) -> list[Entry]:
        self._here()
        return [entry for entry in self.entries.values() if name in {None, entry.name}]

    async def set_limits(self, user: HotspotUser) -> None:
        self._here()
        if user.name in self.entries:
            self.entries[user.name] = _entry(user, self.entries[user.name])

    async def cut(self, user: str) -> None:
        for session in await self.sessions(user=user):
            await self.leave(user, session.mac)
        self.entries.pop(user, None)

    async def leave(self, user: str, mac: str) -> None:
        self._here()
        if self.online.get(mac) == user:
            del self.online[mac]

    async def sessions(self, *, user: str | None = None, mac: str | None = None) -> list[Session]:
        self._here()
        return [
            Session(name, at, "127.0.1.1", timedelta())
            for at, name in self.online.items()
            if mac in {None, at} and user in {None, name}
        ]

    async def login(self, user: str, device: Device) -> None:
        self._here()
        assert user in self.entries
        self.online[device.mac] = user

    async def health(self) -> RouterHealth:
        self._here()
        online = len(self.online)
        return RouterHealth(way=self.way, seconds=0.0, version="7.21", online=online)

    def _here(self) -> None:
        if self.away:
            raise RouterUnreachable("away")


def _entry(user: HotspotUser, entry: Entry) -> Entry:
    limits = (user.limit_uptime, user.limit_bytes_total)
    return replace(entry, limit_uptime=limits[0], limit_bytes_total=limits[1], disabled=False)


class MuteGate(OpenGate):
    """A router that can also take a connection and then say nothing."""

    mute = False

    async def sessions(self, *, user: str | None = None, mac: str | None = None) -> list[Session]:
        if self.mute:
            await asyncio.Event().wait()
        return await super().sessions(user=user, mac=mac)
