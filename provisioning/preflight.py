"""What must be right before anything is set up: each trouble in plain words, with its fix."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from provisioning.accounts import permissions
from provisioning.desired import FOLDER, chosen_server, is_guest, mac_of_box
from provisioning.facts import addresses_on, is_seven, the_row, version_of
from provisioning.rows import Row
from provisioning.trouble import Level, Trouble, fail, warn
from provisioning.visit import Look
from provisioning.wish import PROBES, Wish, WrongWish

_SKEW = timedelta(minutes=5)
_CAPS = {"0": 1, "1": 1, "3": 1, "4": 200, "5": 500}
_HOLES: tuple[tuple[tuple[int, ...], tuple[int, ...], str], ...] = (
    ((6,), (6, 42, 1), "CVE-2018-14847: anybody can read its passwords through WinBox"),
    ((6,), (6, 49, 7), "CVE-2023-30799: an administrator can take the whole device over"),
    ((6,), (6, 49, 8), "CVE-2023-32154: a neighbour can run code through IPv6 announcements"),
    ((7,), (7, 9, 1), "CVE-2023-32154: a neighbour can run code through IPv6 announcements"),
    ((7,), (7, 19, 2), "CVE-2025-6563: the hotspot's login page runs a stranger's script"),
)
"""From this version, up to but without that one, and what is wrong."""
_OLDEST = (6, 49)
_PUSH = "then press the reset or mode button, or cut the power, within five minutes"


def troubles(wish: Wish, seen: Look, username: str, now: datetime) -> list[Trouble]:
    """Return everything that is wrong, the worst first; `now` is the box's own time."""
    checks: tuple[Callable[[], Iterator[Trouble]], ...] = (
        lambda: permissions(wish, seen, username),
        lambda: _hotspot_there(seen),
        lambda: _version(seen),
        lambda: _licence(seen),
        lambda: _clock(seen, now),
        lambda: _server(wish, seen),
        lambda: _profile(wish, seen),
        lambda: _garden(seen),
        lambda: _option_114(wish, seen),
    )
    found = [trouble for check in checks for trouble in check()]
    return sorted(found, key=lambda trouble: trouble.level is not Level.FAIL)


def _hotspot_there(seen: Look) -> Iterator[Trouble]:
    """Say why there is no hotspot to work with."""
    mode = the_row(seen.tables, "/system/device-mode")
    if mode.get("hotspot") in {"false", "no"}:
        yield fail(
            f"the router's device mode ({mode.get('mode', 'unknown')}) forbids hotspots",
            f"on the router: /system/device-mode/update hotspot=yes, {_PUSH}",
        )
        return
    if _package_off(seen) or "/ip/hotspot" in _unknown(seen):
        where = "the extra packages of its version and architecture at mikrotik.com/download"
        yield fail(
            "the hotspot package is not installed, or is switched off",
            "on the router: /system package enable hotspot, then /system reboot; where it is not "
            f"listed, upload hotspot-*.npk from {where} and reboot",
        )


def _package_off(seen: Look) -> bool:
    """Say whether version 6, which has a package for it, lacks it or has it switched off."""
    packages = seen.tables.get("/system/package", [])
    rows = [row for row in packages if row.get("name") == "hotspot"]
    if rows:
        return rows[0].get("disabled") in {"true", "yes"}
    return bool(packages) and not is_seven(seen.tables)


def _unknown(seen: Look) -> set[str]:
    return {m for m, words in seen.refused.items() if "not enough permissions" not in words}


def _version(seen: Look) -> Iterator[Trouble]:
    version = version_of(seen.tables)
    if not version:
        return
    shown = ".".join(str(part) for part in version)
    if version < _OLDEST:
        yield fail(f"RouterOS {shown} is too old", "upgrade to 6.49 or newer, better to 7")
    for first, mended, what in _HOLES:
        if first <= version < mended:
            fixed = ".".join(str(part) for part in mended)
            yield warn(
                f"RouterOS {shown} has a known hole, {what}",
                f"upgrade to {fixed} or newer: /system package update install",
            )


def _licence(seen: Look) -> Iterator[Trouble]:
    row = the_row(seen.tables, "/system/license")
    level = row.get("nlevel", "")
    most = _CAPS.get(level)
    if most is not None:
        many = "one user" if most == 1 else f"{most} users"
        say = fail if most == 1 else warn
        yield say(
            f"the router's licence (level {level}) lets {many} on the hotspot at a time",
            "buy a licence of level 5 (500) or 6 (any number)"
            if most > 1
            else "buy a licence of level 4 or more",
        )
    if row.get("level") == "free":
        yield warn(
            "the router's licence (free) carries 1 Mbit/s on each port", "buy a P1 licence or more"
        )


def _clock(seen: Look, now: datetime) -> Iterator[Trouble]:
    theirs = _router_time(the_row(seen.tables, "/system/clock"))
    if theirs is None or abs(theirs - now) <= _SKEW:
        return
    yield warn(
        f"the router's clock says {theirs:%Y-%m-%d %H:%M} UTC, this box's {now:%Y-%m-%d %H:%M}",
        "let the router reach a time server (apply sets its NTP client), and see that this box's "
        "own clock is right",
    )


def _router_time(row: Row) -> datetime | None:
    text = f"{row.get('date', '')} {row.get('time', '')} {row.get('gmt-offset', '+00:00')}"
    for form in ("%Y-%m-%d %H:%M:%S %z", "%b/%d/%Y %H:%M:%S %z"):
        try:
            return datetime.strptime(text, form).astimezone(UTC)
        except ValueError:
            continue
    return None


def _server(wish: Wish, seen: Look) -> Iterator[Trouble]:
    if "/ip/hotspot" not in seen.tables:
        return
    try:
        server = chosen_server(wish, seen.tables)
    except WrongWish as error:
        yield fail("it is not clear which hotspot is meant", str(error))
        return
    if server is None:
        yield from _interface(wish.interface or "", seen)
    known = wish.box_mac or mac_of_box(wish, seen.tables)
    if is_guest(wish, seen.tables, server) and known is None:
        yield warn(
            "this box stands in the hotspot's own network, where it is a captive guest itself",
            "give its MAC address in hotspot.box_mac, or put it on a network of its own",
        )


def _interface(name: str, seen: Look) -> Iterator[Trouble]:
    """See that there is a network for a hotspot to be made on."""
    if not addresses_on(seen.tables, name):
        yield fail(
            f"the interface {name} has no address",
            f"on the router: /ip address add address=10.5.50.1/24 interface={name}",
        )
    if not any(row.get("interface") == name for row in seen.tables.get("/ip/dhcp-server", [])):
        yield fail(
            f"nothing gives addresses to guests on {name}",
            f"on the router: /ip dhcp-server setup, and choose {name}",
        )


def _profile(wish: Wish, seen: Look) -> Iterator[Trouble]:
    try:
        server = chosen_server(wish, seen.tables)
    except WrongWish:
        return
    name = (server or {}).get("profile")
    for row in seen.tables.get("/ip/hotspot/profile", []):
        if row.get("name") == name:
            yield from _leftovers(row)


def _leftovers(row: Row) -> Iterator[Trouble]:
    folder, name = row.get("html-directory-override", ""), row.get("name", "")
    if folder and folder.removeprefix("flash/") != FOLDER:
        yield warn(
            f"the profile {name} shows somebody else's pages, from {folder}",
            "apply shows ours instead and remembers; remove puts them back",
        )
    if "trial" in row.get("login-by", "").split(","):
        yield warn(
            f"the profile {name} gives everybody a free trial",
            "take `trial` out of its login-by, unless that is meant",
        )
    if row.get("use-radius") in {"true", "yes"}:
        yield warn(
            f"the profile {name} asks a RADIUS server, which may know nothing of vouchers",
            f"on the router: /ip hotspot profile set {name} use-radius=no",
        )


def _garden(seen: Look) -> Iterator[Trouble]:
    menus = ("/ip/hotspot/walled-garden", "/ip/hotspot/walled-garden/ip")
    for row in (row for menu in menus for row in seen.tables.get(menu, [])):
        host = row.get("dst-host", "")
        if host in PROBES and row.get("disabled") != "true":
            yield warn(
                f"the walled garden lets everybody reach {host}, which phones ask whether they are "
                "captive: they will not show the sign-in page",
                "take that row out of the walled garden",
            )


def _option_114(wish: Wish, seen: Look) -> Iterator[Trouble]:
    if not wish.option_114:
        return
    if not wish.portal_url.startswith("https://"):
        yield fail(
            "hotspot.option_114: phones take an https:// portal only (RFC 8908), and "
            "portal.public_url is not",
            "give the portal a name and a certificate that phones trust, or leave the option out",
        )
    if is_seven(seen.tables) and version_of(seen.tables) >= (7, 3):
        yield warn(
            "RouterOS 7.3 and newer announces itself once the hotspot's profile has a dns-name "
            "and a certificate",
            "the option is then needed only for phones that do not ask: it is sent to all",
        )
