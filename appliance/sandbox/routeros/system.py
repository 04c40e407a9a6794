"""What the device says of itself: identity, resources, clock, licence, packages, device mode."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from appliance.sandbox.routeros import traps, values
from appliance.sandbox.routeros.actions import Action, Answer, Menu, Request, fixed, live, setting
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.tables import Row, Table
from appliance.sandbox.routeros.versions import Version

_PACKAGES_OF_SIX = (
    "routeros-arm",
    "system",
    "advanced-tools",
    "dhcp",
    "hotspot",
    "ppp",
    "routing",
    "security",
    "wireless",
)
_NAIROBI = timedelta(hours=3)
"""What `gmt-offset` says; the device shows local time."""
_MODES = {
    "advanced": frozenset[str](),
    "home": frozenset({"scheduler", "fetch", "hotspot", "sniffer", "traffic-gen", "email", "smb"}),
    "basic": frozenset({"hotspot", "sniffer", "traffic-gen", "zerotier"}),
}
_FEATURES = ("scheduler", "fetch", "hotspot", "sniffer", "traffic-gen", "email", "smb", "zerotier")


class Parts(Protocol):
    """What these menus are about."""

    version: Version
    clock: RouterClock
    faults: Faults
    identity: Row
    ntp: Row
    on_reboot: Callable[[], None]


class DeviceMode:
    """`/system/device-mode`: what is wanted counts from the next time the power has been off."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._wanted: dict[str, str] = {}
        self._told: dict[str, str] = {}

    def row(self) -> Row:
        """Return the mode, and what it lets one do."""
        mode = self._told.get("mode", self._faults.menu.device_mode)
        allowed = {name: "false" if name in _MODES[mode] else "true" for name in _FEATURES}
        return {"mode": mode, **allowed, **self._told}

    def allows(self, feature: str) -> bool:
        """Say whether the device may do this."""
        return self.row()[feature] == "true"

    def power_cut(self) -> None:
        """Take over what was wanted."""
        self._told |= self._wanted
        self._wanted = {}

    def menu(self) -> Menu:
        """Return the menu."""
        kinds = dict.fromkeys(_FEATURES, values.boolean)
        table = Table({"mode": values.one_of(*_MODES), **kinds}, required=())

        def update(request: Request) -> Answer:
            self._wanted = table.checked({}, request.attributes)
            return Answer()

        action = Action(update, frozenset({"mode", *_FEATURES}))
        return fixed(self.row, {"update": action})


def menus(device: Parts, mode: DeviceMode) -> dict[str, Menu]:
    """Return the menus under `/system`."""
    version = device.version
    found = {
        "/system": Menu({"reboot": _reboot(device)}),
        "/system/identity": setting(device.identity, Table({"name": values.text})),
        "/system/resource": fixed(lambda: _resource(device)),
        "/system/clock": _clock_menu(device),
        "/system/license": fixed(lambda: _license(device)),
        "/system/package": live(lambda _, __: _packages(device), {}),
        "/system/ntp/client": setting(device.ntp, _ntp(version)),
    }
    if version.seven:
        found["/system/device-mode"] = mode.menu()
    return found


def fresh_ntp(version: Version) -> Row:
    """Return the NTP client's settings as they come."""
    if version.seven:
        return {"enabled": "false", "mode": "unicast", "servers": "", "vrf": "main"}
    return {"enabled": "false", "primary-ntp": "0.0.0.0", "secondary-ntp": "0.0.0.0"}  # noqa: S104


def _ntp(version: Version) -> Table:
    if version.seven:
        modes = values.one_of("unicast", "broadcast", "multicast", "manycast")
        kinds = {"enabled": values.boolean, "mode": modes, "servers": values.text}
        return Table({**kinds, "vrf": values.text}, required=())
    addresses = {"primary-ntp": values.address, "secondary-ntp": values.address}
    more = {"enabled": values.boolean, "server-dns-names": values.text}
    return Table({**more, **addresses}, required=())


def _reboot(device: Parts) -> Action:
    def command(_: Request) -> Answer:
        device.on_reboot()
        return Answer()

    return Action(command, needs=frozenset({"reboot"}))


def _resource(device: Parts) -> Row:
    return {
        "uptime": values.time_text(device.clock.uptime()),
        "version": device.version.full,
        "factory-software": "7.1" if device.version.seven else "6.44.6",
        "free-memory": "201326592",
        "total-memory": "268435456",
        "cpu": "ARM",
        "cpu-count": "4",
        "cpu-load": "1",
        "free-hdd-space": "100663296",
        "total-hdd-space": "134217728",
        "write-sect-total": "1024",
        "architecture-name": "arm",
        "board-name": "hAP ac^2",
        "platform": "MikroTik",
    }


def _license(device: Parts) -> Row:
    return {
        "software-id": "ABCD-1234",
        "nlevel": str(device.faults.menu.license_level),
        "features": "",
    }


def _packages(device: Parts) -> list[Row]:
    names = ["routeros"] if device.version.seven else list(_PACKAGES_OF_SIX)
    missing = "hotspot" if device.faults.menu.no_hotspot_package else ""
    return [
        {
            ".id": f"*{number}",
            "name": name,
            "version": device.version.number,
            "scheduled": "",
            "disabled": "false",
        }
        for number, name in enumerate(names, 1)
        if name != missing
    ]


def _clock_menu(device: Parts) -> Menu:
    zone = {"time-zone-autodetect": "true", "time-zone-name": "Africa/Nairobi"}
    kinds = Table(
        {
            "time-zone-autodetect": values.boolean,
            "time-zone-name": values.text,
            "date": values.text,
            "time": values.text,
        },
        required=(),
    )

    def row() -> Row:
        now, version = device.clock.date() + _NAIROBI, device.version
        day = version.date(now.year, now.month, now.day)
        fixed_part = {"gmt-offset": "+03:00", "dst-active": "false"}
        return {"time": f"{now:%H:%M:%S}", "date": day, **zone, **fixed_part}

    def change(request: Request) -> Answer:
        newer = kinds.checked({**zone, "date": row()["date"]}, request.attributes)
        if {"date", "time"} & request.attributes.keys():
            local = _moment(newer["date"], newer.get("time", row()["time"]))
            device.clock.set_date(local - _NAIROBI)
        zone.update({name: newer[name] for name in zone})
        return Answer()

    set_it = {"set": Action(change, frozenset(kinds.arguments))}
    return replace(fixed(row, set_it), row=zone, initial=dict(zone), settable=tuple(zone))


def _moment(date: str, time: str) -> datetime:
    for form in ("%Y-%m-%d", "%b/%d/%Y"):
        try:
            return datetime.strptime(f"{date} {time}", f"{form} %H:%M:%S").replace(tzinfo=UTC)
        except ValueError:
            continue
    raise traps.bad_value("date")
