"""The device's firewall, as a set-up writes into it: rules are checked and kept, never applied."""

from appliance.sandbox.routeros import properties, values
from appliance.sandbox.routeros.actions import Menu, stored
from appliance.sandbox.routeros.tables import Manners, Table
from appliance.sandbox.routeros.values import Kind

_STATES = ("established", "invalid", "new", "related", "untracked")
_FILTER = (
    *("accept", "drop", "reject", "return", "jump", "log", "passthrough", "tarpit"),
    *("add-dst-to-address-list", "add-src-to-address-list", "fasttrack-connection"),
)
_NAT = ("accept", "dst-nat", "src-nat", "masquerade", "redirect", "netmap", "return", "jump", "log")
_OFF = {"disabled": "false"}


def menus(interface: Kind) -> dict[str, Menu]:
    """Return the firewall's menus; `interface` takes the name of one."""
    matching: dict[str, Kind] = {
        "chain": values.text,
        "src-address": values.addresses,
        "dst-address": values.addresses,
        "src-address-list": values.text,
        "dst-address-list": values.text,
        "protocol": properties.protocol,
        "src-port": values.ports,
        "dst-port": values.ports,
        "in-interface": interface,
        "out-interface": interface,
        "log": values.boolean,
        "log-prefix": values.text,
        "comment": values.text,
        "disabled": values.boolean,
    }
    states: dict[str, Kind] = {"connection-state": values.several_of(*_STATES)}
    translating: dict[str, Kind] = {"to-addresses": values.addresses, "to-ports": values.ports}
    addresses: dict[str, Kind] = {
        "list": values.text,
        "address": values.text,
        "timeout": values.time,
        "comment": values.text,
        "disabled": values.boolean,
    }
    return {
        "/ip/firewall/filter": stored(
            _rules({**matching, **states, "action": values.one_of(*_FILTER)})
        ),
        "/ip/firewall/nat": stored(
            _rules({**matching, **translating, "action": values.one_of(*_NAT)})
        ),
        "/ip/firewall/address-list": stored(
            Table(
                addresses,
                defaults={**_OFF, "dynamic": "false"},
                required=("list", "address"),
                twin=lambda old, new: (
                    "already have such entry"
                    if (old["list"], old["address"]) == (new["list"], new["address"])
                    else None
                ),
            )
        ),
    }


def _rules(kinds: dict[str, Kind]) -> Table:
    return Table(
        kinds,
        defaults={"action": "accept", **_OFF, "dynamic": "false"},
        required=("chain",),
        manners=Manners(ordered=True, takes_unset=True),
    )
