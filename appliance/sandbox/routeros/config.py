"""What is configured on the pretend router: the hotspot's menus, as RouterOS 7.21 has them."""

import re
from dataclasses import dataclass
from functools import partial

from appliance.sandbox.routeros import traps, values
from appliance.sandbox.routeros.network import Network
from appliance.sandbox.routeros.tables import Row, Table, naming, same_name
from appliance.sandbox.routeros.values import Kind

SERVER = "hotspot1"
_ALL = "all"
_LOGIN_BY = ("mac", "cookie", "http-chap", "https", "http-pap", "trial", "mac-cookie")
_MAC_NAME = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}", re.ASCII)
_RATE = re.compile(r"\d+[kMG]?(/\d+[kMG]?)?( \d+[kMG]?/\d+[kMG]?( \d+[kMG]?/\d+[kMG]?( \S+)*)?)?")


@dataclass(frozen=True, slots=True)
class Config:
    """The tables that survive a reboot."""

    users: Table
    user_profiles: Table
    servers: Table
    server_profiles: Table
    bindings: Table
    walled_garden: Table
    walled_garden_ip: Table

    def tables(self) -> tuple[Table, ...]:
        """Return every table."""
        return tuple(getattr(self, name) for name in self.__slots__)

    def profile_of(self, user: Row) -> Row:
        """Return the profile that this user has; one that was removed counts as a fresh one."""
        found = self.user_profiles.named(user["profile"])
        return _USER_PROFILE_DEFAULTS if found is None else found[1]

    def server_profile(self) -> Row:
        """Return the profile of the hotspot's server."""
        server = self.servers.named(SERVER)
        found = self.server_profiles.named(server[1]["profile"]) if server else None
        return _SERVER_PROFILE_DEFAULTS if found is None else found[1]

    def logs_in_by(self, method: str) -> bool:
        """Say whether the hotspot takes this way of logging in."""
        return method in self.server_profile().get("login-by", "").split(",")


def fresh(network: Network) -> Config:
    """Return a router with one hotspot on it, as its setup leaves it."""
    user_profiles = Table(
        _USER_PROFILE, defaults=_USER_PROFILE_DEFAULTS, twin=same_name("user profile")
    )
    server_profiles = Table(
        _SERVER_PROFILE, defaults=_SERVER_PROFILE_DEFAULTS, twin=same_name("profile")
    )
    servers = Table(
        {
            "name": values.text,
            "interface": network.interface,
            "profile": naming(server_profiles),
            "address-pool": network.pool,
            "addresses-per-mac": values.count_or_unlimited,
            "idle-timeout": values.time_or_none,
            "keepalive-timeout": values.time_or_none,
            "login-timeout": values.time_or_none,
            "disabled": values.boolean,
        },
        defaults={"profile": "default", "idle-timeout": "5m", "disabled": "true"},
        required=("name", "interface"),
        twin=same_name("server"),
    )
    config = Config(
        users=_users(user_profiles, servers),
        user_profiles=user_profiles,
        servers=servers,
        server_profiles=server_profiles,
        bindings=Table(_BINDING, defaults={"type": "regular", "disabled": "false"}, required=()),
        walled_garden=Table(
            _WALLED_GARDEN, defaults={"action": "allow", "disabled": "false"}, required=()
        ),
        walled_garden_ip=Table(
            _WALLED_GARDEN_IP, defaults={"action": "accept", "disabled": "false"}, required=()
        ),
    )
    user_profiles.add({"name": "default"})
    server_profiles.add({"name": "default"})
    server_profiles.add({"name": "hsprof1", "login-by": "cookie,http-chap,http-pap"})
    for profiles in (user_profiles, server_profiles):
        profiles.named_row("default")["default"] = "true"
    server = {"name": SERVER, "interface": "bridge", "profile": "hsprof1"}
    servers.add({**server, "address-pool": "hs-pool-1", "disabled": "no"})
    config.users.add({"name": "admin", "password": "not-a-voucher"})
    return config


def _users(profiles: Table, servers: Table) -> Table:
    kinds: dict[str, Kind] = {
        "name": _user_name,
        "password": values.text,
        "otp-secret": values.text,
        "profile": naming(profiles),
        "server": partial(_server, servers),
        "limit-uptime": values.limit_time,
        "limit-bytes-in": values.whole_number,
        "limit-bytes-out": values.whole_number,
        "limit-bytes-total": values.whole_number,
        "mac-address": values.mac,
        "address": values.address,
        "routes": values.text,
        "email": values.text,
        "comment": values.text,
        "disabled": values.boolean,
    }
    defaults = {
        "profile": "default",
        "uptime": "0s",
        "bytes-in": "0",
        "bytes-out": "0",
        "packets-in": "0",
        "packets-out": "0",
        "dynamic": "false",
        "default": "false",
        "disabled": "false",
    }
    return Table(kinds, defaults=defaults, twin=_same_user)


def _same_user(old: Row, new: Row) -> str | None:
    same = (old["name"], old.get("server")) == (new["name"], new.get("server"))
    return "already have user with this name for this server" if same else None


def _user_name(name: str, value: str) -> str | None:
    """Take a name; one that looks like a MAC is for a client that has it."""
    if _MAC_NAME.fullmatch(value):
        raise traps.Trap(f"failure: invalid username ({value}): this MAC address is not yours")
    return value


def _server(servers: Table, name: str, value: str) -> str | None:
    """Take a hotspot server; `all` is the default and not a property."""
    found = values.resolved(name, value, [_ALL, *servers.names()])
    return None if found == _ALL else found


def _rate(name: str, value: str) -> str | None:
    """Take a rate limit, the client's upload first."""
    if value and not _RATE.fullmatch(value):
        raise traps.bad_value(name)
    return value


_USER_PROFILE: dict[str, Kind] = {
    "name": values.text,
    "rate-limit": _rate,
    "shared-users": values.count_or_unlimited,
    "session-timeout": values.limit_time,
    "idle-timeout": values.time_or_none,
    "keepalive-timeout": values.time_or_none,
    "status-autorefresh": values.time_or_none,
    "add-mac-cookie": values.boolean,
    "mac-cookie-timeout": values.time,
    "address-pool": values.text,
    "address-list": values.text,
    "parent-queue": values.text,
    "queue-type": values.text,
    "insert-queue-before": values.text,
    "incoming-filter": values.text,
    "outgoing-filter": values.text,
    "incoming-packet-mark": values.text,
    "outgoing-packet-mark": values.text,
    "on-login": values.text,
    "on-logout": values.text,
    "open-status-page": values.one_of("always", "http-login"),
    "transparent-proxy": values.boolean,
    "advertise": values.boolean,
}
_USER_PROFILE_DEFAULTS = {
    "shared-users": "1",
    "idle-timeout": "none",
    "keepalive-timeout": "2m",
    "status-autorefresh": "1m",
    "add-mac-cookie": "true",
    "mac-cookie-timeout": "3d",
    "transparent-proxy": "false",
}
_SERVER_PROFILE: dict[str, Kind] = {
    "name": values.text,
    "hotspot-address": values.address,
    "dns-name": values.text,
    "html-directory": values.text,
    "html-directory-override": values.text,
    "login-by": values.several_of(*_LOGIN_BY),
    "mac-auth-mode": values.one_of("mac-as-username", "mac-as-username-and-password"),
    "mac-auth-password": values.text,
    "http-cookie-lifetime": values.time,
    "ssl-certificate": values.text,
    "rate-limit": _rate,
    "use-radius": values.boolean,
    "install-hotspot-queue": values.boolean,
    "http-proxy": values.text,
    "smtp-server": values.text,
}
_SERVER_PROFILE_DEFAULTS = {
    "html-directory": "hotspot",
    "login-by": "cookie,http-chap",
    "http-cookie-lifetime": "3d",
    "use-radius": "false",
}
_BINDING: dict[str, Kind] = {
    "mac-address": values.mac,
    "address": values.address,
    "to-address": values.address,
    "server": values.text,
    "type": values.one_of("regular", "bypassed", "blocked"),
    "comment": values.text,
    "disabled": values.boolean,
}
_WALLED_GARDEN: dict[str, Kind] = {
    "dst-host": values.text,
    "dst-port": values.text,
    "path": values.text,
    "method": values.text,
    "server": values.text,
    "src-address": values.text,
    "dst-address": values.text,
    "action": values.one_of("allow", "deny"),
    "comment": values.text,
    "disabled": values.boolean,
}
_WALLED_GARDEN_IP: dict[str, Kind] = {
    "dst-host": values.text,
    "dst-address": values.text,
    "dst-address-list": values.text,
    "src-address": values.text,
    "protocol": values.text,
    "dst-port": values.text,
    "server": values.text,
    "action": values.one_of("accept", "drop", "reject"),
    "comment": values.text,
    "disabled": values.boolean,
}
