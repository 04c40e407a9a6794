"""The tables that only the running hotspot fills: active, host and cookie."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.config import SERVER
from appliance.sandbox.routeros.cookies import Cookie
from appliance.sandbox.routeros.hotspot import Host, Hotspot, Session, live_id
from appliance.sandbox.routeros.tables import Row
from appliance.sandbox.routeros.values import time_text

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Live(Generic[T]):
    """One such table: what is in it, how a row reads, and what taking a row away does."""

    items: Callable[[Hotspot], Iterable[T]]
    keys: Mapping[str, Callable[[T], str]]
    """What a row is looked up by, read without making the whole row."""
    row_id: Callable[[T], str]
    row: Callable[[Hotspot, T], Row]
    take: Callable[[Hotspot, T], None]

    def rows(self, hotspot: Hotspot, key: str, value: str | None) -> Iterable[Row]:
        """Return rows, only those with this value where the key is one of ours."""
        read = self.keys.get(key)
        for item in self.items(hotspot):
            if read is None or value is None or read(item) == value:
                yield {".id": self.row_id(item), **self.row(hotspot, item)}

    def remove(self, hotspot: Hotspot, row_id: str) -> None:
        """Take a row away; raise the router's refusal when it is gone."""
        for item in self.items(hotspot):
            if self.row_id(item) == row_id:
                return self.take(hotspot, item)
        raise traps.no_item()


def _active(hotspot: Hotspot, session: Session) -> Row:
    now = hotspot.clock.monotonic()
    left = {} if session.ends is None else {"session-time-left": time_text(session.ends - now)}
    return {
        "server": SERVER,
        "user": session.user,
        "address": session.address,
        "mac-address": session.mac,
        "login-by": session.login_by,
        "uptime": time_text(now - session.began),
        **left,
        "idle-time": "0s",
        "keepalive-timeout": "2m",
        "bytes-in": str(session.bytes_in),
        "bytes-out": str(session.bytes_out),
        "packets-in": str(session.bytes_in // 1000),
        "packets-out": str(session.bytes_out // 1000),
        "radius": "false",
        "blocked": "false",
    }


def _host(hotspot: Hotspot, host: Host) -> Row:
    now = hotspot.clock.monotonic()
    return {
        "mac-address": host.mac,
        "address": host.address,
        "to-address": host.to_address,
        "server": SERVER,
        "uptime": time_text(now - host.since),
        "idle-time": time_text(now - host.heard),
        "authorized": "true" if hotspot.is_online(host.address) else "false",
        "bypassed": "true" if hotspot.binding(host) == "bypassed" else "false",
        "found-by": "DHCP",
    }


def _cookie(hotspot: Hotspot, cookie: Cookie) -> Row:
    left = cookie.expires - hotspot.clock.monotonic()
    return {
        "user": cookie.user,
        "mac-address": cookie.mac,
        "expires-in": time_text(left),
        "mac-cookie": "true" if cookie.method == "mac-cookie" else "false",
    }


ACTIVE: Live[Session] = Live(
    items=lambda hotspot: hotspot.sessions,
    keys={
        "user": lambda session: session.user,
        "mac-address": lambda session: session.mac,
        "address": lambda session: session.address,
    },
    row_id=lambda session: live_id(session.address),
    row=_active,
    take=Hotspot.reset,
)
HOST: Live[Host] = Live(
    items=lambda hotspot: hotspot.hosts,
    keys={
        "mac-address": lambda host: host.mac,
        "address": lambda host: host.address,
        "to-address": lambda host: host.to_address,
    },
    row_id=lambda host: live_id(host.address),
    row=_host,
    take=lambda hotspot, host: hotspot.leave(host.address),
)
COOKIE: Live[Cookie] = Live(
    items=lambda hotspot: hotspot.cookies.all(),
    keys={"user": lambda cookie: cookie.user, "mac-address": lambda cookie: cookie.mac},
    row_id=lambda cookie: f"*{cookie.value[:8].upper()}",
    row=_cookie,
    take=lambda hotspot, cookie: hotspot.cookies.forget(cookie),
)
