"""The device's network as far as a hotspot's set-up touches it: addresses, pools, DHCP, DNS."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from appliance.sandbox.routeros import dhcp, traps, values
from appliance.sandbox.routeros.actions import Menu, setting, stored
from appliance.sandbox.routeros.tables import Manners, Row, Table, naming, same_name
from appliance.sandbox.routeros.values import Kind
from appliance.sandbox.routeros.versions import Version

_INTERFACES = {
    "ether1": "ether",
    "ether2": "ether",
    "ether3": "ether",
    "ether4": "ether",
    "ether5": "ether",
    "wlan1": "wlan",
    "bridge": "bridge",
}
_DNS: dict[str, Kind] = {
    "servers": values.address_list,
    "allow-remote-requests": values.boolean,
}
_OFF = {"disabled": "false"}


@dataclass(frozen=True, slots=True)
class Network:
    """The tables of the network."""

    interfaces: Table
    addresses: Table
    pools: Table
    dhcp_servers: Table
    dhcp_networks: Table
    leases: Table
    options: Table
    option_sets: Table
    dns: Table
    dns_row: Row
    dns_static: Table

    def pool(self, name: str, value: str) -> str | None:
        """Take the name of a pool, or none."""
        return value if value == "none" else naming(self.pools)(name, value)

    def interface(self, name: str, value: str) -> str | None:
        """Take the name of an interface."""
        return naming(self.interfaces)(name, value)

    def menus(self) -> dict[str, Menu]:
        """Return the menus of the network."""
        return {
            "/interface": stored(self.interfaces),
            "/ip/address": stored(self.addresses),
            "/ip/pool": stored(self.pools),
            "/ip/dhcp-server": stored(self.dhcp_servers),
            "/ip/dhcp-server/network": stored(self.dhcp_networks),
            "/ip/dhcp-server/lease": stored(self.leases),
            "/ip/dhcp-server/option": stored(self.options),
            "/ip/dhcp-server/option/sets": stored(self.option_sets),
            "/ip/dns": setting(self.dns_row, self.dns),
            "/ip/dns/static": stored(self.dns_static),
        }


def fresh(version: Version) -> Network:
    """Return a router's network as its quick set-up leaves it."""
    interfaces = Table(
        {
            "name": values.text,
            "mtu": values.whole_number,
            "comment": values.text,
            "disabled": values.boolean,
        },
        defaults={"mtu": "1500", "running": "true", **_OFF},
        manners=Manners(built_in=True),
    )
    for name, kind in _INTERFACES.items():
        interfaces.add({"name": name})
        interfaces.named_row(name)["type"] = kind
    pools = Table(
        {
            "name": values.text,
            "ranges": _ranges,
            "next-pool": values.text,
            "comment": values.text,
        },
        required=("name", "ranges"),
        twin=same_name("pool"),
    )
    options, option_sets = dhcp.options(version)
    servers = dhcp.servers(version, interfaces, pools, option_sets)
    network = Network(
        interfaces=interfaces,
        addresses=_Addresses(interfaces),
        pools=pools,
        dhcp_servers=servers,
        dhcp_networks=dhcp.networks(options, option_sets),
        leases=dhcp.leases(servers),
        options=options,
        option_sets=option_sets,
        dns=Table(
            {"servers": values.address_list, "allow-remote-requests": values.boolean}, required=()
        ),
        dns_row={"servers": "", "dynamic-servers": "192.168.88.1", "allow-remote-requests": "true"},
        dns_static=_dns_static(version),
    )
    _set_up(network)
    return network


def _set_up(network: Network) -> None:
    network.addresses.add({"address": "10.5.50.1/24", "interface": "bridge"})
    network.pools.add({"name": "hs-pool-1", "ranges": "10.5.50.10-10.5.50.254"})
    network.dhcp_servers.add(
        {"name": "dhcp1", "interface": "bridge", "address-pool": "hs-pool-1", "disabled": "no"}
    )
    network.dhcp_networks.add({"address": "10.5.50.0/24", "gateway": "10.5.50.1"})


class _Addresses(Table):
    """Addresses; the network of each follows from it."""

    def __init__(self, interfaces: Table) -> None:
        kinds: dict[str, Kind] = {
            "address": _with_prefix,
            "network": values.address,
            "interface": naming(interfaces),
            "comment": values.text,
            "disabled": values.boolean,
        }
        super().__init__(
            kinds,
            defaults={**_OFF, "dynamic": "false"},
            required=("address", "interface"),
            twin=_same_address,
        )

    def checked(self, row: Mapping[str, str], given: Mapping[str, str]) -> Row:
        """Return the row with these properties set."""
        newer = super().checked(row, given)
        if "address" in given and "network" not in given:
            newer["network"] = str(IPv4Interface(newer["address"]).network.network_address)
        if "interface" in newer:
            newer["actual-interface"] = newer["interface"]
        return newer


def _same_address(old: Row, new: Row) -> str | None:
    same = (old["address"], old["interface"]) == (new["address"], new["interface"])
    return "already have such address" if same else None


def _dns_static(version: Version) -> Table:
    kinds: dict[str, Kind] = {
        "name": values.text,
        "regexp": values.text,
        "type": values.one_of("A", "AAAA", "CNAME", "FWD", "MX", "NS", "NXDOMAIN", "SRV", "TXT"),
        "address": values.address,
        "cname": values.text,
        "ttl": values.time,
        "text": values.text,
        "forward-to": values.text,
        "comment": values.text,
        "disabled": values.boolean,
    }
    if version.at_least(7):
        kinds["match-subdomain"] = values.boolean
    return Table(
        kinds,
        defaults={"ttl": "1d", **_OFF, "dynamic": "false"},
        required=(),
        twin=lambda old, new: "entry already exists" if old == new else None,
        manners=Manners(ordered=True),
    )


def _with_prefix(name: str, value: str) -> str | None:
    """Take an address with its prefix length; alone, it is a /32."""
    try:
        return str(IPv4Interface(value))
    except ValueError:
        raise traps.bad_value(name) from None


def _ranges(name: str, value: str) -> str | None:
    """Take ranges of addresses, comma-separated."""
    try:
        for part in value.split(","):
            first, _, last = part.partition("-")
            if last and IPv4Address(last) < IPv4Address(first):
                raise traps.bad_value(name)
            if not last:
                IPv4Network(first)
    except ValueError:
        raise traps.bad_value(name) from None
    return value
