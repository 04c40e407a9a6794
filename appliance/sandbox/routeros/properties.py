"""The hotspot's properties, as each version knows them."""

import re

from appliance.sandbox.routeros import traps, values
from appliance.sandbox.routeros.values import Kind
from appliance.sandbox.routeros.versions import Version

_LOGIN_BY = ("mac", "cookie", "http-chap", "https", "http-pap", "trial", "mac-cookie")
_PROTOCOLS = ("tcp", "udp", "icmp", "icmpv6", "igmp", "gre", "ipsec-ah", "ipsec-esp", "sctp")
_RATE = re.compile(r"\d+[kMG]?(/\d+[kMG]?)?( \d+[kMG]?/\d+[kMG]?( \d+[kMG]?/\d+[kMG]?( \S+)*)?)?")


def _rate(name: str, value: str) -> str | None:
    """Take a rate limit, the client's upload first."""
    if value and not _RATE.fullmatch(value):
        raise traps.bad_value(name)
    return value


def protocol(name: str, value: str) -> str | None:
    """Take an IP protocol, or all but one."""
    sign = "!" if value.startswith("!") else ""
    rest = value.removeprefix("!")
    return f"{sign}{values.resolved(name, rest, _PROTOCOLS)}" if rest else ""


def _email(name: str, value: str) -> str | None:
    """Take an address of electronic mail."""
    if value and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        raise traps.bad_value(name)
    return value


USER_PROFILE: dict[str, Kind] = {
    "name": values.text,
    "rate-limit": _rate,
    "shared-users": values.count_or_unlimited,
    "session-timeout": values.limit_time,
    "idle-timeout": values.time_or_none,
    "keepalive-timeout": values.time_or_none,
    "status-autorefresh": values.time_or_none,
    "add-mac-cookie": values.boolean,
    "mac-cookie-timeout": values.time,
    "address-list": values.text,
    "parent-queue": values.text,
    "queue-type": values.text,
    "insert-queue-before": values.one_of("bottom", "first"),
    "incoming-filter": values.text,
    "outgoing-filter": values.text,
    "incoming-packet-mark": values.text,
    "outgoing-packet-mark": values.text,
    "on-login": values.text,
    "on-logout": values.text,
    "open-status-page": values.one_of("always", "http-login"),
    "transparent-proxy": values.boolean,
    "advertise": values.boolean,
    "advertise-interval": values.text,
    "advertise-timeout": values.text,
    "advertise-url": values.text,
}
USER_PROFILE_DEFAULTS = {
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
    "rate-limit": _rate,
    "use-radius": values.boolean,
    "install-hotspot-queue": values.boolean,
    "http-proxy": values.text,
    "smtp-server": values.text,
    "split-user-domain": values.boolean,
    "radius-accounting": values.boolean,
    "radius-default-domain": values.text,
    "radius-interim-update": values.text,
    "radius-location-id": values.text,
    "radius-location-name": values.text,
    "radius-mac-format": values.text,
    "nas-port-type": values.text,
    "trial-user-profile": values.text,
}
_TRIAL = {"trial-uptime-limit": values.time, "trial-uptime-reset": values.time}
SERVER_PROFILE_DEFAULTS = {
    "html-directory": "hotspot",
    "login-by": "cookie,http-chap",
    "http-cookie-lifetime": "3d",
    "use-radius": "false",
}
BINDING: dict[str, Kind] = {
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
    "dst-port": values.ports,
    "path": values.text,
    "method": values.text,
    "server": values.text,
    "src-address": values.addresses,
    "action": values.one_of("allow", "deny"),
    "comment": values.text,
    "disabled": values.boolean,
}
WALLED_GARDEN_IP: dict[str, Kind] = {
    "dst-host": values.text,
    "dst-address": values.addresses,
    "dst-address-list": values.text,
    "src-address": values.addresses,
    "src-address-list": values.text,
    "protocol": protocol,
    "dst-port": values.ports,
    "server": values.text,
    "action": values.one_of("accept", "drop", "reject"),
    "comment": values.text,
    "disabled": values.boolean,
}


def server_profile(version: Version) -> dict[str, Kind]:
    """Return the properties of a server's profile; some came and went."""
    kinds = {**_SERVER_PROFILE, **(_TRIAL if version.seven else {"trial-uptime": values.text})}
    if not version.at_least(7, 20):
        kinds["https-redirect"] = values.boolean
    return kinds


def walled_garden(version: Version) -> dict[str, Kind]:
    """Return the properties of a rule about HTTP; version 7 leaves addresses to the other menu."""
    return _WALLED_GARDEN if version.seven else {**_WALLED_GARDEN, "dst-address": values.addresses}


def user(version: Version) -> dict[str, Kind]:
    """Return the properties of a user that name no other row."""
    return {**_USER, **({"otp-secret": values.text} if version.seven else {})}


_USER: dict[str, Kind] = {
    "password": values.text,
    "limit-uptime": values.limit_time,
    "limit-bytes-in": values.whole_number,
    "limit-bytes-out": values.whole_number,
    "limit-bytes-total": values.whole_number,
    "mac-address": values.mac,
    "address": values.address,
    "routes": values.text,
    "email": _email,
    "comment": values.text,
    "disabled": values.boolean,
}
