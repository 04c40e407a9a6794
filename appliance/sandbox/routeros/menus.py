"""Every menu of the device, by its path."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from appliance.sandbox.routeros import fetch, system, traps, values
from appliance.sandbox.routeros.accounts import Accounts
from appliance.sandbox.routeros.actions import (
    Action,
    Answer,
    Menu,
    Request,
    live,
    on_rows,
    setting,
    stored,
)
from appliance.sandbox.routeros.certificates import Certificates
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.files import Files
from appliance.sandbox.routeros.hotspot import Hotspot, LoginRefused
from appliance.sandbox.routeros.live import ACTIVE, COOKIE, HOST, Live
from appliance.sandbox.routeros.network import Network
from appliance.sandbox.routeros.services import Services, SshSettings
from appliance.sandbox.routeros.system import DeviceMode
from appliance.sandbox.routeros.tables import Row
from appliance.sandbox.routeros.versions import Version

_LOGIN = frozenset({"user", "password", "ip", "mac-address", "domain"})


class Parts(Protocol):
    """What the menus are about."""

    version: Version
    clock: RouterClock
    faults: Faults
    identity: Row
    ntp: Row
    on_reboot: Callable[[], None]
    network: Network
    files: Files
    fetch: Callable[[str, str], None]
    mode: DeviceMode
    accounts: Accounts
    certificates: Certificates
    services: Services
    ssh: SshSettings
    hotspot: Hotspot


def all_menus(device: Parts) -> dict[str, Menu]:
    """Return every menu by its path."""
    return {
        **_hotspot(device.hotspot),
        **_access(device),
        **device.network.menus(),
        "/file": device.files.menu(),
        "/tool": fetch.menu(device),
        **system.menus(device, device.mode),
    }


def _access(device: Parts) -> dict[str, Menu]:
    return {
        "/certificate": stored(device.certificates.table, {"sign": _sign(device.certificates)}),
        "/ip/service": stored(device.services.table),
        "/ip/ssh": setting(device.ssh.row, device.ssh.kinds),
        "/user": stored(device.accounts.users),
        "/user/group": stored(device.accounts.groups),
        "/user/ssh-keys": stored(device.accounts.keys),
    }


def _hotspot(hotspot: Hotspot) -> dict[str, Menu]:
    config = hotspot.config
    return {
        "/ip/hotspot": stored(config.servers),
        "/ip/hotspot/profile": stored(config.server_profiles),
        "/ip/hotspot/user": stored(config.users, {"reset-counters": _reset(hotspot)}),
        "/ip/hotspot/user/profile": stored(config.user_profiles),
        "/ip/hotspot/ip-binding": stored(config.bindings),
        "/ip/hotspot/walled-garden": stored(config.walled_garden),
        "/ip/hotspot/walled-garden/ip": stored(config.walled_garden_ip),
        "/ip/hotspot/active": _live(hotspot, ACTIVE, {"login": _login(hotspot)}),
        "/ip/hotspot/host": _live(hotspot, HOST, {}),
        "/ip/hotspot/cookie": _live(hotspot, COOKIE, {}),
    }


def _live(hotspot: Hotspot, rows: Live[Any], more: Mapping[str, Action]) -> Menu:
    remove = on_rows(lambda row_id: rows.remove(hotspot, row_id))
    return live(lambda key, value: rows.rows(hotspot, key, value), {"remove": remove, **more})


def _reset(hotspot: Hotspot) -> Action:
    counters = {"uptime": "0s", "bytes-in": "0", "bytes-out": "0"}
    return on_rows(lambda row_id: hotspot.config.users.row(row_id).update(counters))


def _login(hotspot: Hotspot) -> Action:
    def command(request: Request) -> Answer:
        given = request.attributes
        for name in ("user", "ip"):
            if name not in given:
                raise traps.missing(name)
        address = values.address("ip", given["ip"]) or ""
        mac = given.get("mac-address")
        try:
            session = hotspot.login(
                given["user"],
                given.get("password", ""),
                address,
                None if mac is None else values.mac("mac-address", mac),
                "admin",
            )
        except LoginRefused as refusal:
            raise traps.Trap(f"{hotspot.faults.menu.login_trap_prefix}{refusal}") from None
        if hotspot.faults.menu.api_login_makes_cookie:
            hotspot.cookies.issue("mac-cookie", session.user, session.mac)
        return Answer()

    return Action(command, _LOGIN)


def _sign(certificates: Certificates) -> Action:
    def command(request: Request) -> Answer:
        name = request.attributes.get("number") or request.attributes.get("numbers")
        if name is None:
            raise traps.missing("number")
        certificates.sign(name, request.attributes.get("ca"))
        return Answer()

    return Action(command, frozenset({"number", "numbers", ".id", "ca", "name"}), loose=("number",))
