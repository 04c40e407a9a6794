"""The hotspot, whichever way commands reach it: what to say, in which order, and what it means."""

import asyncio
from typing import Literal

from appliance.domain.devices import Device, Entry, HotspotUser, Session
from appliance.domain.errors import RouterRefused
from appliance.domain.health import RouterHealth
from appliance.router import wire
from appliance.router.way import Values, Wanted, Way

_OURS = "hotspot-appliance"
"""The comment on every user that we add: one without it is somebody else's."""
_USERS, _PROFILES = "ip/hotspot/user", "ip/hotspot/user/profile"
_ACTIVE, _COOKIES, _HOSTS = "ip/hotspot/active", "ip/hotspot/cookie", "ip/hotspot/host"
_IDENTITY = "system/identity"
_LICENCE, _SIGNED_IN, _SERVICES = "system/license", "user/active", "ip/service"
_COUNTERS = ("uptime", "bytes-in", "bytes-out", "limit-uptime", "limit-bytes-total")


class Hotspot:
    """One router's hotspot. Everything is safe to repeat: names are unique on the router."""

    def __init__(self, by: Way, name: Literal["api", "ssh"]) -> None:
        self.way = name
        self._by = by
        self._profiles: set[str] = set()

    async def host(self, *, ip: str | None = None, mac: str | None = None) -> Device | None:
        """Return the device the router itself sees at this address."""
        names = ("mac-address", "address", "authorized")
        if ip is not None:
            either = (("address", ip), ("to-address", ip))
            hosts = await self._rows(Wanted(_HOSTS, names, either, either=True))
            return wire.device([row for row in hosts if wire.seen_at(row) == ip])
        return wire.device(await self._rows(Wanted(_HOSTS, names, (("mac-address", mac or ""),))))

    async def ensure_user(self, user: HotspotUser) -> None:
        """Make the hotspot user exist with its limits.

        One that is there already is refused by the router itself, which also answers for an add
        whose answer was lost: to look first would only cost another round trip.
        """
        await self._ensure_profile(user)
        named = {"name": user.name, "password": user.name, "profile": user.profile}
        try:
            await self._by.tell(_USERS, "add", {**named, **_limits(user), "comment": _OURS})
        except RouterRefused as error:
            if wire.already_there(error):
                return
            self._profiles.discard(user.profile)
            raise

    async def users(self, *, name: str | None = None) -> list[Entry]:
        """Return the hotspot users that are ours, all of them or one."""
        asked = ("comment", _OURS) if name is None else ("name", name)
        names = ("name", *_COUNTERS, "disabled", "comment")
        rows = await self._rows(Wanted(_USERS, names, (asked,)))
        return wire.entries([row for row in rows if row.get("comment") == _OURS])

    async def set_limits(self, user: HotspotUser) -> None:
        """Give our user of this name these limits, and let it in."""
        for row_id in wire.ids([row for row in await self._named(user.name) if _is_ours(row)]):
            await self._gently(_USERS, "set", {**_limits(user), "disabled": "no"}, row_id)

    async def cut(self, user: str) -> None:
        """Shut a user of ours out and forget it.

        Disabled first, so that nobody comes in behind us; the user itself last, because what is
        left of one without a name cannot be told from others' any more.
        """
        rows = await self._named(user)
        ours = [row for row in rows if _is_ours(row)]
        if rows and not ours:
            return  # somebody else's
        for row_id in wire.ids([row for row in ours if row.get("disabled") != "true"]):
            await self._gently(_USERS, "set", {"disabled": "yes"}, row_id)
        await self._remove(_ACTIVE, user)
        await self._remove(_COOKIES, user)
        if await self.sessions(user=user):
            raise RouterRefused("a session outlived its removal")
        for row_id in wire.ids(ours):
            await self._gently(_USERS, "remove", {}, row_id)

    async def leave(self, user: str, mac: str) -> None:
        """Log one device of a user out; without its cookies it does not come back by itself."""
        await self._remove(_ACTIVE, user, mac)
        await self._remove(_COOKIES, user, mac)

    async def sessions(self, *, user: str | None = None, mac: str | None = None) -> list[Session]:
        """Return who is online now: by user, by device, or everybody."""
        names = ("user", "mac-address", "address", "uptime", "bytes-in", "bytes-out")
        return wire.sessions(await self._rows(Wanted(_ACTIVE, names, _who(user, mac))))

    async def login(self, user: str, device: Device) -> None:
        """Log the device in on the router's side; the code is name and password."""
        who = {"user": user, "password": user, "ip": device.ip, "mac-address": device.mac}
        await self._by.tell(_ACTIVE, "login", who)

    async def answer(self) -> float:
        """Have the router say its version, and return the seconds that it took."""
        return (await self._version())[1]

    async def health(self) -> RouterHealth:
        """Return what the router says of itself; what its version does not know is left open."""
        version, seconds = await self._version()
        return RouterHealth(
            way=self.way,
            seconds=seconds,
            version=version,
            identity=await self._identity(),
            online=len(await self._rows(Wanted(_ACTIVE, (".id",)))),
            licence=await self._licence(),
            api_sessions=await self._api_sessions(),
            most_api_sessions=await self._most_api_sessions(),
        )

    async def _version(self) -> tuple[str, float]:
        time = asyncio.get_running_loop().time
        asked = time()
        row = await self._by.single("system/resource", ("version",))
        return row.get("version", ""), time() - asked

    async def _identity(self) -> str:
        try:
            return (await self._by.single(_IDENTITY, ("name",))).get("name", "")
        except RouterRefused:
            return ""

    async def _licence(self) -> int | None:
        """Return the level of a device of MikroTik's; a virtual one calls its own otherwise."""
        try:
            level = (await self._by.single(_LICENCE, ("nlevel",))).get("nlevel", "")
        except RouterRefused:
            return None
        return wire.count(level)

    async def _api_sessions(self) -> int | None:
        try:
            return len(await self._rows(Wanted(_SIGNED_IN, (".id",), (("via", "api"),))))
        except RouterRefused:
            return None

    async def _most_api_sessions(self) -> int | None:
        try:
            rows = await self._rows(Wanted(_SERVICES, ("max-sessions",), (("name", "api"),)))
        except RouterRefused:
            return None
        most = next((row.get("max-sessions", "") for row in rows), "")
        return wire.count(most)

    async def _rows(self, wanted: Wanted) -> list[wire.Row]:
        return wanted.of(await self._by.rows(wanted))

    async def _named(self, name: str) -> list[wire.Row]:
        """Return the users of exactly this name, ours and others'."""
        names = (".id", "name", "comment", "disabled")
        return await self._rows(Wanted(_USERS, names, (("name", name),)))

    async def _remove(self, menu: str, user: str, mac: str | None = None) -> None:
        """Remove the rows of exactly this user."""
        rows = await self._rows(Wanted(menu, (".id", "user"), _who(user, mac)))
        for row_id in wire.ids(rows):
            await self._gently(menu, "remove", {}, row_id)

    async def _gently(self, menu: str, verb: str, values: Values, row_id: str) -> None:
        """Say something about a row that may be gone by now, which is as good."""
        try:
            await self._by.tell(menu, verb, values, row_id)
        except RouterRefused as error:
            if not wire.gone(error):
                raise

    async def _ensure_profile(self, user: HotspotUser) -> None:
        """Make the profile exist under exactly this name, once per process.

        The router would take any profile this name is the beginning of, so its yes proves nothing.
        """
        if user.profile in self._profiles:
            return
        looked = await self._rows(Wanted(_PROFILES, ("name",), (("name", user.profile),)))
        if not looked:
            limits = {"rate-limit": user.rate_limit, "shared-users": str(user.shared_users)}
            try:
                await self._by.tell(_PROFILES, "add", {"name": user.profile, **limits})
            except RouterRefused as error:  # of several customers at once, one makes it
                if not wire.already_there(error):
                    raise
        self._profiles.add(user.profile)


def _limits(user: HotspotUser) -> Values:
    limit = user.limit_bytes_total
    return {
        "limit-uptime": wire.seconds(user.limit_uptime),
        "limit-bytes-total": str(limit) if limit else None,
    }


def _is_ours(row: wire.Row) -> bool:
    return row.get("comment") == _OURS


def _who(user: str | None, mac: str | None) -> tuple[tuple[str, str], ...]:
    asked = (("user", user), ("mac-address", mac))
    return tuple((name, value) for name, value in asked if value is not None)
