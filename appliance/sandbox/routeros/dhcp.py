"""The device's DHCP: servers, the networks that they serve, leases and options."""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network

from appliance.sandbox.routeros import traps, values
from appliance.sandbox.routeros.tables import Manners, Row, Table, naming, same_name
from appliance.sandbox.routeros.values import Kind
from appliance.sandbox.routeros.versions import Version

_LAST_CODE = 254


def options(version: Version) -> tuple[Table, Table]:
    """Return options, and sets of them."""
    kinds: dict[str, Kind] = {
        "name": values.text,
        "code": _code,
        "value": values.text,
        "comment": values.text,
    }
    if version.seven:
        kinds["force"] = values.boolean
    made = Table(kinds, required=("name", "code"), twin=same_name("option"))
    several: Kind = partial(_several, made.names)
    sets = Table(
        {"name": values.text, "options": several},
        required=("name", "options"),
        twin=same_name("option set"),
    )
    return made, sets


def servers(version: Version, interfaces: Table, pools: Table, sets: Table) -> Table:
    """Return the servers."""
    kinds: dict[str, Kind] = {
        "name": values.text,
        "interface": naming(interfaces),
        "address-pool": partial(_named_or, pools.names, "static-only"),
        "lease-time": values.time,
        "dhcp-option-set": partial(_named_or, sets.names, "none"),
        "add-arp": values.boolean,
        "lease-script": values.text,
        "relay": values.address,
        "server-address": values.address,
        "bootp-support": values.one_of("none", "static", "dynamic"),
        "conflict-detection": values.boolean,
        "delay-threshold": values.time_or_none,
        "use-radius": values.one_of("no", "yes", "accounting"),
        "authoritative": values.one_of("yes", "no", "after-2sec-delay", "after-10sec-delay"),
        "comment": values.text,
        "disabled": values.boolean,
    }
    return Table(
        kinds,
        defaults={
            "lease-time": "30m" if version.seven else "10m",
            "address-pool": "static-only",
            "authoritative": "yes",
            "disabled": "false" if version.seven else "true",
        },
        required=("name", "interface"),
        twin=same_name("dhcp server"),
    )


def networks(options: Table, sets: Table) -> Table:
    """Return what each network is told."""
    kinds: dict[str, Kind] = {
        "address": _network,
        "gateway": values.address_list,
        "dns-server": values.address_list,
        "ntp-server": values.address_list,
        "netmask": values.whole_number,
        "next-server": values.address,
        "wins-server": values.address_list,
        "boot-file-name": values.text,
        "domain": values.text,
        "dhcp-option": partial(_several, options.names),
        "dhcp-option-set": partial(_named_or, sets.names, "none"),
        "comment": values.text,
    }
    manners = Manners(takes_unset=True)
    return Table(kinds, required=("address",), defaults={"dynamic": "false"}, manners=manners)


def leases(servers: Table) -> Table:
    """Return the leases."""
    kinds: dict[str, Kind] = {
        "address": values.address,
        "mac-address": values.mac,
        "server": partial(_named_or, servers.names, "all"),
        "lease-time": values.time,
        "client-id": values.text,
        "block-access": values.boolean,
        "rate-limit": values.text,
        "comment": values.text,
        "disabled": values.boolean,
    }
    return Table(
        kinds,
        defaults={"disabled": "false", "dynamic": "false", "status": "waiting"},
        required=("address",),
        twin=_same_lease,
        manners=Manners(takes_unset=True),
    )


def _same_lease(old: Row, new: Row) -> str | None:
    mine, other = new.get("mac-address"), old.get("mac-address")
    same = mine is not None and (mine, new.get("server")) == (other, old.get("server"))
    return "already have static lease for this client" if same else None


def _named_or(names: Callable[[], list[str]], word: str, name: str, value: str) -> str | None:
    """Take the name of a row of some table, or this word."""
    return values.resolved(name, value, [word, *names()])


def _several(names: Callable[[], list[str]], name: str, value: str) -> str | None:
    parts = value.split(",") if value else []
    return ",".join(values.resolved(name, part, names()) for part in parts)


def _network(name: str, value: str) -> str | None:
    try:
        return str(IPv4Network(value, strict=False))
    except ValueError:
        raise traps.bad_value(name) from None


def _code(name: str, value: str) -> str | None:
    shown = values.whole_number(name, value) or ""
    if not 1 <= int(shown) <= _LAST_CODE:
        raise traps.Trap(f"value of {name} out of range (1..{_LAST_CODE})", traps.ARGUMENT)
    return shown
