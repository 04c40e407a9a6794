"""Every menu of the device, by its path."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from appliance.sandbox.routeros import fetch, firewall, system, traps, values
from appliance.sandbox.routeros.accounts import Accounts
from appliance.sandbox.routeros.actions import (
    POLICY,
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
from appliance.sandbox.routeros.files import Files
from appliance.sandbox.routeros.hotspot import Hotspot, LoginRefused
from appliance.sandbox.routeros.live import ACTIVE, COOKIE, HOST, Live
from appliance.sandbox.routeros.logs import Log
from appliance.sandbox.routeros.network import Network
from appliance.sandbox.routeros.services import Services, SshSettings
from appliance.sandbox.routeros.system import DeviceMode
from appliance.sandbox.routeros.versions import Version

_LOGIN = frozenset({"user", "password", "ip", "mac-address", "domain"})


class Parts(system.Parts, Protocol):
    """What the menus are about."""

    network: Network
    files: Files
    fetch: Callable[[str, str], None]
    log: Log
    mode: DeviceMode
    accounts: Accounts
    certificates: Certificates
    services: Services
    ssh: SshSettings
    hotspot: Hotspot


def all_menus(device: Parts) -> dict[str, Menu]:
    """Return every menu by its path."""
    return {
        **_hotspot(device.hotspot, device.version),
        **_access(device),
        **device.network.menus(),
        **firewall.menus(device.network.interface),
        "/file": device.files.menu(),
        "/tool": fetch.menu(device),
        "/log": device.log.menu(),
        **system.menus(device, device.mode),
    }


def _access(device: Parts) -> dict[str, Menu]:
    return {
        "/certificate": stored(device.certificates.table, _certifying(device)),
        "/ip/service": stored(device.services.table),
        "/ip/ssh": setting(device.ssh.row, device.ssh.kinds),
        "/user": stored(device.accounts.users),
        "/user/group": stored(device.accounts.groups),
        "/user/ssh-keys": stored(device.accounts.keys, {"import": _import_key(device)}),
    }


def _hotspot(hotspot: Hotspot, version: Version) -> dict[str, Menu]:
    config = hotspot.config
    pages_again = Action(lambda request: Answer(), frozenset({"numbers"}), loose=("numbers",))
    of_server = {"reset-html": pages_again} if version.seven else {}
    of_profile = {} if version.seven else {"reset-html-directory": pages_again}
    servers = stored(config.servers)
    return {
        "/ip/hotspot": stored(
            config.servers, {"add": _add_server(hotspot, servers.actions["add"]), **of_server}
        ),
        "/ip/hotspot/profile": stored(config.server_profiles, of_profile),
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


def _add_server(hotspot: Hotspot, add: Action) -> Action:
    """Return `add` with the default of `disabled` that the device is told to have."""

    def command(request: Request) -> Answer:
        usual = {"disabled": "yes" if hotspot.faults.menu.hotspot_add_disabled else "no"}
        return add.run(replace(request, attributes={**usual, **request.attributes}))

    return replace(add, run=command)


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


def _certifying(device: Parts) -> dict[str, Action]:
    def sign(request: Request) -> Answer:
        name = request.attributes.get("number")
        if name is None:
            raise traps.missing("number")
        device.certificates.sign(name, request.attributes.get("ca"))
        return Answer()

    def export(request: Request) -> Answer:
        name = request.attributes.get("numbers", "")
        row = device.certificates.table.row_of(name)
        signed = device.certificates.signed(row["name"])
        if signed is None:
            raise traps.Trap("failure: certificate is not signed")
        file = request.attributes.get("file-name") or f"cert_export_{row['name']}"
        device.files.put(f"{file}.crt", signed.pem(with_key=False))
        return Answer()

    signing = frozenset({"number", "ca", "name"})
    exporting = frozenset({"numbers", ".id", "file-name", "type", "export-passphrase"})
    return {
        "sign": Action(sign, signing, loose=("number",)),
        "export-certificate": Action(export, exporting, loose=("numbers",)),
    }


def _import_key(device: Parts) -> Action:
    def command(request: Request) -> Answer:
        for name in ("public-key-file", "user"):
            if name not in request.attributes:
                raise traps.missing(name)
        text = device.files.text(request.attributes["public-key-file"])
        if text is None:
            raise traps.Trap("input does not match any value of public-key-file", traps.ARGUMENT)
        device.accounts.keys.add({"user": request.attributes["user"], "key": text})
        return Answer()

    return Action(command, frozenset({"public-key-file", "user", "info"}), POLICY)
