"""The hotspot through RouterOS's binary API. Values are opaque words there: nothing to inject."""

from appliance.domain.devices import Device, HotspotUser, Session
from appliance.domain.errors import RouterRefused
from appliance.router import wire
from appliance.router.pool import Pool

_OURS = "hotspot-appliance"


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
            await self._pool.command("/ip/hotspot/user/add", *words)
        except RouterRefused as error:
            if wire.already_there(error):
                return
            self._profiles.discard(user.profile)
            raise

    async def sessions(self, *, user: str | None = None, mac: str | None = None) -> list[Session]:
        """Return who is online now, by user or by device."""
        query = f"?user={user}" if user is not None else f"?mac-address={mac}"
        rows = await self._pool.command(
            "/ip/hotspot/active/print", "=.proplist=user,mac-address,address,uptime", query
        )
        return wire.sessions(rows)

    async def login(self, user: str, device: Device) -> None:
        """Log the device in on the router's side; the code is name and password."""
        words = wire.attributes(
            {"user": user, "password": user, "ip": device.ip, "mac-address": device.mac}
        )
        await self._pool.command("/ip/hotspot/active/login", *words)

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
