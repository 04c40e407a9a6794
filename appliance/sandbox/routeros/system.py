"""What the device says of itself: identity, resources, clock."""

from appliance.sandbox.routeros import values
from appliance.sandbox.routeros.actions import Menu, fixed, setting
from appliance.sandbox.routeros.hotspot import Hotspot
from appliance.sandbox.routeros.tables import Row, Table
from appliance.sandbox.routeros.versions import Version


def menus(hotspot: Hotspot, version: Version, identity: Row) -> dict[str, Menu]:
    """Return the menus under `/system`."""
    return {
        "/system/identity": setting(identity, Table({"name": values.text})),
        "/system/resource": fixed(lambda: _resource(hotspot, version)),
        "/system/clock": fixed(lambda: _clock(hotspot, version)),
    }


def _resource(hotspot: Hotspot, version: Version) -> Row:
    return {
        "uptime": values.time_text(hotspot.clock.uptime()),
        "version": version.full,
        "factory-software": "7.1" if version.seven else "6.44.6",
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


def _clock(hotspot: Hotspot, version: Version) -> Row:
    now = hotspot.clock.date()
    return {
        "time": f"{now:%H:%M:%S}",
        "date": version.date(now.year, now.month, now.day),
        "time-zone-autodetect": "true",
        "time-zone-name": "Africa/Nairobi",
        "gmt-offset": "+03:00",
        "dst-active": "false",
    }
