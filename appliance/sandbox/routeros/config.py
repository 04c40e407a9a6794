"""What is configured on the pretend router: the hotspot's menus."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from appliance.sandbox.routeros import properties, traps, values
from appliance.sandbox.routeros.network import Network
from appliance.sandbox.routeros.tables import Manners, Row, Table, naming, same_name
from appliance.sandbox.routeros.values import Kind
from appliance.sandbox.routeros.versions import Version

SERVER = "hotspot1"
_ALL = "all"
_MAC_NAME = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}", re.ASCII)


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
        return properties.USER_PROFILE_DEFAULTS if found is None else found[1]

    def server_profile(self) -> Row:
        """Return the profile of the hotspot's server."""
        server = self.servers.named(SERVER)
        found = self.server_profiles.named(server[1]["profile"]) if server else None
        return properties.SERVER_PROFILE_DEFAULTS if found is None else found[1]

    def logs_in_by(self, method: str) -> bool:
        """Say whether the hotspot takes this way of logging in."""
        return method in self.server_profile().get("login-by", "").split(",")


def fresh(network: Network, version: Version, certificate: Kind) -> Config:
    """Return a router with one hotspot on it, as its setup leaves it."""
    user_profiles = Table(
        {**properties.USER_PROFILE, "address-pool": network.pool},
        defaults=properties.USER_PROFILE_DEFAULTS,
        twin=same_name("user profile"),
        manners=Manners(takes_unset=True),
    )
    server_profiles = Table(
        {**properties.server_profile(version), "ssl-certificate": certificate},
        defaults=properties.SERVER_PROFILE_DEFAULTS,
        twin=same_name("profile"),
    )
    servers = _servers(network, server_profiles)
    config = Config(
        users=_users(version, user_profiles, servers),
        user_profiles=user_profiles,
        servers=servers,
        server_profiles=server_profiles,
        bindings=_ordered(properties.BINDING, {"type": "regular"}),
        walled_garden=_ordered(properties.walled_garden(version), {"action": "allow"}, unset=True),
        walled_garden_ip=_ordered(properties.WALLED_GARDEN_IP, {"action": "accept"}, unset=True),
    )
    _set_up(config)
    return config


def _set_up(config: Config) -> None:
    profiles = config.server_profiles
    config.user_profiles.add({"name": "default"})
    profiles.add({"name": "default"})
    profiles.add({"name": "hsprof1", "login-by": "cookie,http-chap,http-pap"})
    for table in (config.user_profiles, profiles):
        table.named_row("default")["default"] = "true"
    server = {"name": SERVER, "interface": "bridge", "profile": "hsprof1"}
    config.servers.add({**server, "address-pool": "hs-pool-1", "disabled": "no"})
    config.users.add({"name": "admin", "password": "not-a-voucher"})


def _servers(network: Network, profiles: Table) -> Table:
    kinds: dict[str, Kind] = {
        "name": values.text,
        "interface": network.interface,
        "profile": naming(profiles),
        "address-pool": network.pool,
        "addresses-per-mac": values.count_or_unlimited,
        "idle-timeout": values.time_or_none,
        "keepalive-timeout": values.time_or_none,
        "login-timeout": values.time_or_none,
        "disabled": values.boolean,
    }
    return Table(
        kinds,
        defaults={"profile": "default", "idle-timeout": "5m", "disabled": "true"},
        required=("name", "interface"),
        twin=same_name("server"),
    )


def _ordered(kinds: Mapping[str, Kind], usual: Mapping[str, str], *, unset: bool = False) -> Table:
    manners = Manners(ordered=True, takes_unset=unset)
    return Table(kinds, defaults={**usual, "disabled": "false"}, required=(), manners=manners)


def _users(version: Version, profiles: Table, servers: Table) -> Table:
    kinds: dict[str, Kind] = {
        "name": _user_name,
        "profile": naming(profiles),
        "server": partial(_server, servers),
        **properties.user(version),
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
