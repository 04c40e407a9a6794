"""The desired state: from what is asked and what is there, the rows that must stand, in order.

The order never cuts our own way in: accounts first, the services' limits last.
"""

from collections.abc import Iterable, Iterator

from appliance.domain.hosts import mac
from provisioning.facts import (
    addresses_on,
    api_host,
    is_seven,
    network_holds,
    networks_of,
    servers_attribute,
)
from provisioning.rows import FILES, TAG, Row, Tables, Wanted, notes
from provisioning.wish import Wish, WrongWish, is_address

FOLDER = TAG
"""The pages' folder; under `flash` where the device has one, for the rest is lost at a reboot."""
OPTION = f"{TAG}-api"
LIMITED = ("api", "api-ssl")
ORDER = (
    "/user/group",
    "/user",
    "/system/ntp/client",
    "/ip/hotspot/user/profile",
    FILES,
    "/ip/hotspot/walled-garden/ip",
    "/ip/hotspot/ip-binding",
    "/ip/hotspot/profile",
    "/ip/hotspot",
    "/ip/dhcp-server/option",
    "/ip/dhcp-server/network",
    "/ip/service",
)
"""Every menu in which something may be wanted, in the order in which it is done."""
_LOGIN_BY = "cookie,http-pap"
_PAP = "http-pap"


def desired(wish: Wish, tables: Tables) -> list[Wanted]:
    """Return what must stand; raise `WrongWish` where that cannot be said."""
    server = chosen_server(wish, tables)
    return [
        *_account(wish, tables),
        *_clock(wish, tables),
        *_speeds(wish),
        *_pages(wish, tables),
        *_garden(wish),
        *_bypass(wish, tables, server),
        *_hotspot(wish, tables, server),
        *_option_114(wish, tables, server),
        *_services(wish, tables),
    ]


def folder_of(tables: Tables) -> str:
    """Return where the pages go on this device."""
    flash = any(
        row.get("name") == "flash" and row.get("type") in {"directory", "disk"}
        for row in tables.get(FILES, [])
    )
    return f"flash/{FOLDER}" if flash else FOLDER


def chosen_server(wish: Wish, tables: Tables) -> dict[str, str] | None:
    """Return the hotspot to work with; None where one is to be made."""
    servers = tables.get("/ip/hotspot", [])
    if wish.interface is not None:
        there = [row for row in servers if row.get("interface") == wish.interface]
        return there[0] if there else None
    if wish.server is not None:
        named = [row for row in servers if row.get("name") == wish.server]
        if not named:
            raise WrongWish(f"--server: there is no hotspot {wish.server!r}; {_known(servers)}")
        return named[0]
    running = [row for row in servers if row.get("disabled") != "true"]
    if len(running) != 1:
        raise WrongWish(
            f"say which hotspot with --server, or make one with --interface; {_known(servers)}"
        )
    return running[0]


def _known(servers: Iterable[Row]) -> str:
    names = ", ".join(row.get("name", "?") for row in servers)
    return f"there are: {names}" if names else "there is none"


def _account(wish: Wish, tables: Tables) -> Iterator[Wanted]:
    """Want the box's own account, unless somebody made one of that name."""
    standing = next((r for r in tables.get("/user", []) if r.get("name") == wish.username), None)
    if "/user" not in tables or (standing is not None and standing.get("comment") != TAG):
        return
    yield Wanted(menu="/user/group", key=("name", TAG), values={"policy": wish.policies})
    yield Wanted(
        menu="/user",
        key=("name", wish.username),
        values={"group": TAG, "address": f"{wish.box}/32", "comment": TAG},
        once={"password": wish.password},
    )


def _clock(wish: Wish, tables: Tables) -> Iterator[Wanted]:
    """Want a clock that is set: it starts in 1970, and certificates go by it."""
    menu = "/system/ntp/client"
    row = next(iter(tables.get(menu, [])), None)
    by_us = any(about[0] == menu for about in notes(tables))
    if row is None or (row.get("enabled") in {"true", "yes"} and not by_us):
        return
    servers = servers_attribute(wish.ntp, seven=is_seven(tables))
    yield Wanted(
        menu=menu,
        key=None,
        values={"enabled": "yes", servers: wish.ntp},
        ours=False,
    )


def _speeds(wish: Wish) -> Iterator[Wanted]:
    """Want a user profile for each speed and number of devices that is for sale."""
    seen = set()
    for plan in wish.plans:
        if not plan.active or plan.profile in seen:
            continue
        seen.add(plan.profile)
        rate = {"rate-limit": plan.rate_limit} if plan.rate_limit else {}
        yield Wanted(
            menu="/ip/hotspot/user/profile",
            key=("name", plan.profile),
            values={**rate, "shared-users": str(plan.devices)},
        )


def _pages(wish: Wish, tables: Tables) -> Iterator[Wanted]:
    folder = folder_of(tables)
    if is_seven(tables):
        yield Wanted(menu=FILES, key=("name", folder), values={"type": "directory"})
    for name, contents in sorted(wish.pages.items()):
        yield Wanted(menu=FILES, key=("name", f"{folder}/{name}"), values={"contents": contents})


def _garden(wish: Wish) -> Iterator[Wanted]:
    """Let everybody reach the portal, and nothing else of the box, before they have paid."""
    host, port = wish.portal
    where = "dst-address" if is_address(host) else "dst-host"
    values = {where: host, "protocol": "tcp", "dst-port": str(port), "action": "accept"}
    yield _in_garden("portal", values)
    for name in wish.hosts:
        yield _in_garden(f"host {name}", {"dst-host": name, "action": "accept"})


def _in_garden(label: str, values: dict[str, str]) -> Wanted:
    key = ("comment", f"{TAG} {label}")
    return Wanted(menu="/ip/hotspot/walled-garden/ip", key=key, values={**values, "disabled": "no"})


def _bypass(wish: Wish, tables: Tables, server: Row | None) -> Iterator[Wanted]:
    """Let the box through where it is itself a guest of the hotspot."""
    found = wish.box_mac
    if found is None and is_guest(wish, tables, server):
        found = mac_of_box(wish, tables)
    found = found or _bypassed_already(wish, tables)
    if found is None:
        return
    values = {"mac-address": mac(found), "address": wish.box, "type": "bypassed", "disabled": "no"}
    yield Wanted(menu="/ip/hotspot/ip-binding", key=("comment", f"{TAG} box"), values=values)


def _bypassed_already(wish: Wish, tables: Tables) -> str | None:
    """Return the MAC address that lets the box through now: without it, it could be cut off."""
    for row in tables.get("/ip/hotspot/ip-binding", []):
        if row.get("comment") == f"{TAG} box" and row.get("address") == wish.box:
            return row.get("mac-address")
    return None


def is_guest(wish: Wish, tables: Tables, server: Row | None) -> bool:
    """Say whether the box stands in the hotspot's own network."""
    interface = wish.interface if server is None else server.get("interface")
    return any(network_holds(row, wish.box) for row in addresses_on(tables, interface))


def mac_of_box(wish: Wish, tables: Tables) -> str | None:
    """Return the box's MAC address, where the router has seen it."""
    for menu in ("/ip/hotspot/host", "/ip/arp", "/ip/dhcp-server/lease"):
        for row in tables.get(menu, []):
            if row.get("address") == wish.box and row.get("mac-address"):
                return row["mac-address"]
    return None


def _hotspot(wish: Wish, tables: Tables, server: Row | None) -> Iterator[Wanted]:
    if server is not None and server.get("name") != TAG:
        yield from _adopted(tables, server)
        return
    interface = wish.interface if server is None else server.get("interface", "")
    own = [row["address"].partition("/")[0] for row in addresses_on(tables, interface)]
    values = {"html-directory-override": folder_of(tables), "login-by": _LOGIN_BY}
    if own:
        values["hotspot-address"] = own[0]
    yield Wanted(menu="/ip/hotspot/profile", key=("name", TAG), values=values)
    values = {"interface": interface or "", "profile": TAG, "disabled": "no"}
    yield Wanted(menu="/ip/hotspot", key=("name", TAG), values=values)


def _adopted(tables: Tables, server: Row) -> Iterator[Wanted]:
    """Want our pages on a hotspot that was there before us, and a login that its form can use."""
    name = server.get("profile", "default")
    rows = tables.get("/ip/hotspot/profile", [])
    row = next((r for r in rows if r.get("name") == name), {})
    methods = [part for part in row.get("login-by", "").split(",") if part]
    if _PAP not in methods:
        methods.append(_PAP)
    values = {"html-directory-override": folder_of(tables), "login-by": ",".join(methods)}
    yield Wanted(menu="/ip/hotspot/profile", key=("name", name), values=values, ours=False)


def _option_114(wish: Wish, tables: Tables, server: Row | None) -> Iterator[Wanted]:
    """Tell phones by DHCP where to ask about their time (RFC 8910), where that can work."""
    if not wish.option_114:
        return
    name = api_host(tables, server)
    if name is None:
        raise WrongWish(
            "hotspot.option_114: phones ask by HTTPS only. Give the hotspot's profile a dns-name "
            "and a certificate of that name that phones trust (ssl-certificate), not one made on "
            "the router; then run this again."
        )
    values = {"code": "114", "value": f"'https://{name}/api'"}
    if is_seven(tables):
        values["force"] = "yes"
    yield Wanted(menu="/ip/dhcp-server/option", key=("name", OPTION), values=values)
    for row in networks_of(tables, (server or {}).get("interface")):
        options = [o for o in row.get("dhcp-option", "").split(",") if o and o != OPTION]
        yield Wanted(
            menu="/ip/dhcp-server/network",
            key=("address", row["address"]),
            values={"dhcp-option": ",".join([*options, OPTION])},
            ours=False,
        )


def _services(wish: Wish, tables: Tables) -> Iterator[Wanted]:
    """Want the API's services to take this box; who is let in already stays let in."""
    if not wish.limit_services:
        return
    for row in tables.get("/ip/service", []):
        if row.get("name") not in LIMITED or row.get("disabled") == "true":
            continue
        allowed = [part for part in row.get("address", "").split(",") if part]
        if not any(network_holds({"address": part}, wish.box) for part in allowed):
            allowed.append(f"{wish.box}/32")
        values = {"address": ",".join(allowed)}
        yield Wanted(menu="/ip/service", key=("name", row["name"]), values=values, ours=False)
