"""The hotspot while it runs: who is there, who is let through, and what is lost by a power cut."""

import time
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.sandbox.routeros import values
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.config import Config
from appliance.sandbox.routeros.cookies import Cookie, Cookies
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.tables import Row

_LICENSED = {0: 1, 1: 1, 2: 1, 3: 1, 4: 200, 5: 500}
"""Active users that each licence level allows; the last one does not count them."""


class LoginRefused(Exception):
    """The hotspot's own words for not letting somebody in."""


@dataclass(slots=True)
class Host:
    """A device that has been heard on the hotspot's network."""

    address: str
    to_address: str
    """Under which others see it: another one where one-to-one NAT is on."""
    mac: str
    since: float
    heard: float


@dataclass(slots=True, kw_only=True)
class Session:
    """A device that is let through; its counters reach the user only when it ends."""

    user: str
    mac: str
    address: str
    login_by: str
    began: float
    ends: float | None
    """When its time is used up, by the router's monotonic clock."""
    bytes_left: int | None
    bytes_in: int = 0
    bytes_out: int = 0

    def used_up(self, now: float) -> bool:
        """Say whether a limit has been reached."""
        late = self.ends is not None and now >= self.ends
        return late or (self.bytes_left is not None and self.bytes_left <= 0)


@dataclass(frozen=True, slots=True)
class Login:
    """The gate was opened, once."""

    user: str
    mac: str
    at: float
    """`time.perf_counter()`."""


@dataclass(frozen=True, slots=True)
class User:
    """A hotspot user as far as the outside is interested."""

    name: str
    profile: str
    limit_uptime: str | None
    uptime: str


class Hotspot:
    """Hosts, sessions and cookies over the configured users."""

    def __init__(self, config: Config, clock: RouterClock, faults: Faults) -> None:
        self.config = config
        self.clock = clock
        self.faults = faults
        self._hosts: dict[str, Host] = {}
        self._sessions: dict[str, Session] = {}
        self.cookies = Cookies(config, clock)
        self.logins: list[Login] = []

    @property
    def users(self) -> list[User]:
        """Return the configured users."""
        return [
            User(row["name"], row["profile"], row.get("limit-uptime"), row["uptime"])
            for row in self.config.users.rows.values()
        ]

    @property
    def hosts(self) -> list[Host]:
        """Return who has been heard."""
        return list(self._hosts.values())

    @property
    def sessions(self) -> list[Session]:
        """Return who is let through now; whoever has used up a limit no longer is."""
        now = self.clock.monotonic()
        for session in [s for s in self._sessions.values() if s.used_up(now)]:
            self.end(session)
        return list(self._sessions.values())

    def join(self, address: str, to_address: str | None = None) -> Host:
        """Hear a packet of this device, translated by one-to-one NAT where that is said.

        A mac-cookie lets a newcomer in by itself.
        """
        now = self.clock.monotonic()
        host = self._hosts.get(address)
        if host is None:
            host = self._hosts[address] = Host(
                address, to_address or address, mac_of(address), now, now
            )
            self._login_by_mac_cookie(host)
        host.heard = now
        return host

    def leave(self, address: str) -> None:
        """Lose sight of a device: its session ends as if it had logged out."""
        session = self._session_at(address)
        if session is not None:
            self.end(session)
        self._hosts.pop(address, None)

    def is_online(self, address: str) -> bool:
        """Say whether this device is logged in."""
        return self._session_at(address) is not None

    def let_through(self, address: str) -> bool:
        """Say whether this device reaches the Internet."""
        if self.is_online(address):
            return True
        host = self._hosts.get(address)
        return host is not None and self.binding(host) == "bypassed"

    def blocked(self, address: str) -> bool:
        """Say whether this device is shut out altogether."""
        host = self._hosts.get(address)
        return host is not None and self.binding(host) == "blocked"

    def binding(self, host: Host) -> str:
        """Return what the operator decided about this device: regular, bypassed or blocked."""
        for row in self.config.bindings.rows.values():
            same_mac = row.get("mac-address", host.mac) == host.mac
            same_address = row.get("address", host.address) == host.address
            if row["disabled"] == "false" and same_mac and same_address:
                return row["type"]
        return "regular"

    def login(self, user: str, password: str, address: str, mac: str | None, by: str) -> Session:
        """Let a device in or raise `LoginRefused`."""
        host = self._hosts.get(address)
        if host is None:
            raise LoginRefused(f"unknown host IP {address}")
        if mac is not None and mac != host.mac:
            raise LoginRefused("wrong MAC provided")
        row = self._right_user(user, password, host)
        standing = self._session_at(address)
        if standing is not None:
            if self.faults.menu.login_when_active == "ignored":
                return standing
            raise LoginRefused("already authorizing, retry later")
        return self._let_in(user, row, host, by)

    def login_by_cookie(self, value: str, address: str) -> Session | None:
        """Let a browser in that still has its cookie."""
        host = self._hosts.get(address)
        cookie = None if host is None else self.cookies.of_browser(value, host.mac)
        if host is None or cookie is None:
            return None
        return self._login_by(cookie, host, "cookie")

    def end(self, session: Session) -> None:
        """End a session; only now do its counters reach the user."""
        self._sessions.pop(session.address, None)
        found = self.config.users.named(session.user)
        if found is None:
            return
        row = found[1]
        used = (values.seconds(row["uptime"]) or 0) + self.clock.monotonic() - session.began
        row["uptime"] = values.time_text(used)
        row["bytes-in"] = str(int(row["bytes-in"]) + session.bytes_in)
        row["bytes-out"] = str(int(row["bytes-out"]) + session.bytes_out)

    def reset(self, session: Session) -> None:
        """End a session as the operator does: its mac-cookie goes, a browser's cookie stays."""
        self.end(session)
        for cookie in self.cookies.of_mac(session.mac):
            self.cookies.forget(cookie)

    def carry(self, address: str, *, upload: int = 0, download: int = 0) -> None:
        """Count traffic of a device that is let through."""
        session = self._session_at(address)
        if session is None:
            return
        session.bytes_in += upload
        session.bytes_out += download
        if session.bytes_left is not None:
            session.bytes_left -= upload + download

    def power_cut(self) -> None:
        """Lose every table and the counters of running sessions."""
        self._hosts.clear()
        self._sessions.clear()
        if not self.faults.menu.cookies_survive_reboot:
            self.cookies.clear()
        for table in self.config.tables():
            table.renumber()

    def _right_user(self, user: str, password: str, host: Host) -> Row:
        found = self.config.users.named(user)
        row = None if found is None else found[1]
        if row is None or row["disabled"] == "true" or row.get("password", "") != password:
            raise LoginRefused("invalid username or password")
        if row.get("mac-address", host.mac) != host.mac:
            raise LoginRefused(f"user {user} is not allowed to log in from this MAC address")
        return row

    def _let_in(self, user: str, row: Row, host: Host, by: str) -> Session:
        now = self.clock.monotonic()
        cap = _LICENSED.get(self.faults.menu.license_level)
        if cap is not None and len(self.sessions) >= cap:
            raise LoginRefused(f"session limit reached ({cap})")
        mine = [session for session in self.sessions if session.user == user]
        ends, bytes_left = _limits(row, mine, now)
        profile = self.config.profile_of(row)
        most = profile["shared-users"]
        if most != "unlimited" and len(mine) >= int(most):
            raise LoginRefused(f"no more sessions are allowed for user {user}")
        timeout = values.seconds(profile.get("session-timeout", ""))
        if timeout is not None:
            ends = min(ends or now + timeout, now + timeout)
        session = Session(
            user=user,
            mac=host.mac,
            address=host.address,
            login_by=by,
            began=now,
            ends=ends,
            bytes_left=bytes_left,
        )
        self._sessions[host.address] = session
        self.logins.append(Login(user, host.mac, time.perf_counter()))
        return session

    def _login_by_mac_cookie(self, host: Host) -> None:
        for cookie in self.cookies.of_mac(host.mac):
            if self._login_by(cookie, host, "mac-cookie") is None:
                self.cookies.forget(cookie)

    def _login_by(self, cookie: Cookie, host: Host, by: str) -> Session | None:
        found = self.config.users.named(cookie.user)
        if found is None or found[1]["disabled"] == "true" or self._session_at(host.address):
            return None
        try:
            return self._let_in(cookie.user, found[1], host, by)
        except LoginRefused:
            return None

    def _session_at(self, address: str) -> Session | None:
        session = self._sessions.get(address)
        if session is not None and session.used_up(self.clock.monotonic()):
            self.end(session)
            return None
        return session


def _limits(row: Row, running: list[Session], now: float) -> tuple[float | None, int | None]:
    """Return when the user's time ends and how many bytes are left."""
    ends, left = None, None
    limit = values.seconds(row.get("limit-uptime", ""))
    if limit is not None:
        used = (values.seconds(row["uptime"]) or 0) + sum(now - s.began for s in running)
        if used >= limit:
            raise LoginRefused(f"user {row['name']} has reached uptime limit")
        ends = now + limit - used
    total = row.get("limit-bytes-total")
    if total is not None:
        moved = int(row["bytes-in"]) + int(row["bytes-out"])
        left = int(total) - moved - sum(s.bytes_in + s.bytes_out for s in running)
        if left <= 0:
            raise LoginRefused(f"user {row['name']} has reached traffic limit")
    return ends, left


def mac_of(address: str) -> str:
    """Return the made-up MAC of the device at this address."""
    return ":".join(f"{part:02X}" for part in (2, 0, *IPv4Address(address).packed))


def live_id(address: str) -> str:
    """Return the id under which the live tables show this address."""
    return f"*{int(IPv4Address(address)):X}"
