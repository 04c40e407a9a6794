"""The hotspot through RouterOS's binary API. Values are opaque words there: nothing to inject."""

from appliance.domain.devices import Device, Entry, HotspotUser, Session
from appliance.domain.errors import RouterRefused
from appliance.router import wire
from appliance.router.pool import Pool

_OURS = "hotspot-appliance"
"""The comment on every user that we add: one without it is somebody else's."""
_USERS, _ACTIVE, _COOKIES = "/ip/hotspot/user", "/ip/hotspot/active", "/ip/hotspot/cookie"
_COUNTERS = "name,uptime,bytes-in,bytes-out,limit-uptime,limit-bytes-total,disabled,comment"


class RouterApi:
    """One router's hotspot. Everything is safe to repeat: names are unique on the router."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._profiles: set[str] = set()

    async def host(self, *, ip: str | None = None, mac: str | None = None) -> Device | None:
        """Return the device the router itself sees at this address."""
        queries = [f"?mac-address={mac}"]
        if ip is not None:  # with one-to-one NAT the box sees a device under its second address
            queries = [f"?address={ip}", f"?to-address={ip}", "?#|"]
        rows = await self._pool.command(
            "/ip/hotspot/host/print", "=.proplist=mac-address,address,authorized", *queries
        )
        return wire.device(rows)

    async def ensure_user(self, user: HotspotUser) -> None:
        """Make the hotspot user exist with its limits.

        One that is there already is refused by the router itself, which also answers for an add
        whose answer was lost: to look first would only cost another round trip.
        """
        await self._ensure_profile(user)
        limit = user.limit_bytes_total
        words = wire.attributes(
            {
                "name": user.name,
                "password": user.name,
                "profile": user.profile,
                "limit-uptime": wire.seconds(user.limit_uptime),
                "limit-bytes-total": str(limit) if limit else None,
                "comment": _OURS,
            }
        )
        try:
            await self._pool.command(f"{_USERS}/add", *words)
        except RouterRefused as error:
            if wire.already_there(error):
                return
            self._profiles.discard(user.profile)
            raise

    async def users(self, *, name: str | None = None) -> list[Entry]:
        """Return the hotspot users that are ours, all of them or one."""
        query = f"?comment={_OURS}" if name is None else f"?name={name}"
        rows = await self._pool.command(f"{_USERS}/print", f"=.proplist={_COUNTERS}", query)
        ours = [row for row in rows if row.get("comment") == _OURS]
        return [one for one in wire.entries(ours) if name in {None, one.name}]

    async def set_limits(self, user: HotspotUser) -> None:
        """Give our user of this name these limits, and let it in."""
        limit = user.limit_bytes_total
        words = wire.attributes(
            {
                "limit-uptime": wire.seconds(user.limit_uptime),
                "limit-bytes-total": str(limit) if limit else None,
                "disabled": "no",
            }
        )
        rows = await self._named(user.name)
        for row_id in wire.ids([row for row in rows if row.get("comment") == _OURS]):
            await self._gently(f"{_USERS}/set", f"=.id={row_id}", *words)

    async def cut(self, user: str) -> list[Session]:
        """Shut a user of ours out and forget it; return who was in.

        Disabled first, so that nobody comes in behind us; the user itself last, because what is
        left of one without a name cannot be told from others' any more.
        """
        rows = await self._named(user)
        ours = [row for row in rows if row.get("comment") == _OURS]
        if rows and not ours:
            return []  # somebody else's
        for row_id in wire.ids([row for row in ours if row.get("disabled") != "true"]):
            await self._gently(f"{_USERS}/set", f"=.id={row_id}", "=disabled=yes")
        were_in = await self.sessions(user=user)
        await self._remove(_ACTIVE, user)
        await self._remove(_COOKIES, user)
        if await self.sessions(user=user):
            raise RouterRefused("a session outlived its removal")
        for row_id in wire.ids(ours):
            await self._gently(f"{_USERS}/remove", f"=.id={row_id}")
        return were_in

    async def leave(self, user: str, mac: str) -> None:
        """Log one device of a user out; without its cookies it does not come back by itself."""
        await self._remove(_ACTIVE, user, f"?mac-address={mac}")
        await self._remove(_COOKIES, user, f"?mac-address={mac}")

    async def sessions(self, *, user: str | None = None, mac: str | None = None) -> list[Session]:
        """Return who is online now: by user, by device, or everybody."""
        asked = {"user": user, "mac-address": mac}
        queries = [f"?{name}={value}" for name, value in asked.items() if value is not None]
        listed = "=.proplist=user,mac-address,address,uptime,bytes-in,bytes-out"
        return wire.sessions(await self._pool.command(f"{_ACTIVE}/print", listed, *queries))

    async def login(self, user: str, device: Device) -> None:
        """Log the device in on the router's side; the code is name and password."""
        words = wire.attributes(
            {"user": user, "password": user, "ip": device.ip, "mac-address": device.mac}
        )
        await self._pool.command(f"{_ACTIVE}/login", *words)

    async def _named(self, name: str) -> list[wire.Row]:
        """Return the users of exactly this name, ours and others'."""
        listed = "=.proplist=.id,name,comment,disabled"
        rows = await self._pool.command(f"{_USERS}/print", listed, f"?name={name}")
        return [row for row in rows if row.get("name") == name]

    async def _remove(self, path: str, user: str, *queries: str) -> None:
        """Remove the rows of exactly this user."""
        rows = await self._pool.command(
            f"{path}/print", "=.proplist=.id,user", f"?user={user}", *queries
        )
        for row_id in wire.ids([row for row in rows if row.get("user") == user]):
            await self._gently(f"{path}/remove", f"=.id={row_id}")

    async def _gently(self, *words: str) -> None:
        """Say something about a row that may be gone by now, which is as good."""
        try:
            await self._pool.command(*words)
        except RouterRefused as error:
            if not wire.gone(error):
                raise

    async def _ensure_profile(self, user: HotspotUser) -> None:
        """Make the profile exist under exactly this name, once per process.

        The router would take any profile this name is the beginning of, so its yes proves nothing.
        """
        if user.profile in self._profiles:
            return
        path = "/ip/hotspot/user/profile"
        looked = await self._pool.command(
            f"{path}/print", "=.proplist=name", f"?name={user.profile}"
        )
        if not looked:
            words = wire.attributes(
                {
                    "name": user.profile,
                    "rate-limit": user.rate_limit,
                    "shared-users": str(user.shared_users),
                }
            )
            await self._pool.command(f"{path}/add", *words)
        self._profiles.add(user.profile)
