"""What the router's own tables say about it: its version, its networks, its certificates."""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from provisioning.rows import TAG, Row, Tables
from provisioning.wish import is_address


def the_row(tables: Tables, menu: str) -> dict[str, str]:
    """Return the one row of a menu that has one; empty where there is no such menu."""
    return next(iter(tables.get(menu, [])), {})


def is_seven(tables: Tables) -> bool:
    """Say whether this is RouterOS 7."""
    return version_of(tables) >= (7,)


def version_of(tables: Tables) -> tuple[int, ...]:
    """Return the version's numbers: `7.21.4 (stable)` is (7, 21, 4)."""
    text = the_row(tables, "/system/resource").get("version", "")
    parts = text.partition(" ")[0].split(".")
    numbers = ("".join(c for c in part if c.isdecimal()) for part in parts)
    return tuple(int(number) for number in numbers if number)


def addresses_on(tables: Tables, interface: str | None) -> list[dict[str, str]]:
    """Return the router's own addresses on this interface."""
    return [
        row
        for row in tables.get("/ip/address", [])
        if row.get("interface") == interface and row.get("disabled") != "true"
    ]


def network_holds(row: Row, address: str) -> bool:
    """Say whether an address is in the network of one of the router's."""
    try:
        return IPv4Address(address) in IPv4Interface(row.get("address", "")).network
    except ValueError:
        return False


def api_host(tables: Tables, server: Row | None) -> str | None:
    """Return the name under which the router serves `api.json` by HTTPS, if it does."""
    name = TAG if server is None else server.get("profile")
    for row in tables.get("/ip/hotspot/profile", []):
        if row.get("name") == name and row.get("dns-name"):
            return row["dns-name"] if row.get("ssl-certificate", "none") != "none" else None
    return None


def networks_of(tables: Tables, interface: str | None) -> list[dict[str, str]]:
    """Return the DHCP networks of an interface."""
    own = addresses_on(tables, interface)
    return [
        row
        for row in tables.get("/ip/dhcp-server/network", [])
        if any(same_network(row, address) for address in own)
    ]


def same_network(row: Row, address: Row) -> bool:
    """Say whether a DHCP network is that of one of the router's addresses."""
    try:
        return IPv4Network(row.get("address", "")) == IPv4Interface(address["address"]).network
    except ValueError:
        return False


def servers_attribute(ntp: str, *, seven: bool) -> str:
    """Return what the NTP client calls its servers; version 6 tells names and addresses apart."""
    if seven:
        return "servers"
    return "primary-ntp" if is_address(ntp) else "server-dns-names"
