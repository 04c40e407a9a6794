"""Every menu and its commands; what a command answers is rows, and sometimes one value."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from appliance.sandbox.routeros import traps, values
from appliance.sandbox.routeros.hotspot import Hotspot, LoginRefused
from appliance.sandbox.routeros.live import ACTIVE, COOKIE, HOST, Live
from appliance.sandbox.routeros.queries import matches
from appliance.sandbox.routeros.tables import Row, Table

VERSION = "7.21.4 (stable)"
_PRINT_FLAGS = frozenset({"detail", "stats", "without-paging", "count-only"})
_HIDDEN = "*****"


@dataclass(frozen=True, slots=True)
class Request:
    """One command as it came: attributes, query words, and the policies of whoever asks."""

    attributes: Mapping[str, str]
    queries: tuple[str, ...] = ()
    policies: frozenset[str] = frozenset()

    @property
    def row_ids(self) -> list[str]:
        """Return the rows that are meant; raise where none is named."""
        named = self.attributes.get(".id") or self.attributes.get("numbers")
        if named is None:
            raise traps.missing(".id")
        return named.split(",")

    @property
    def rest(self) -> dict[str, str]:
        """Return the attributes that are not about which rows."""
        return {n: v for n, v in self.attributes.items() if n not in {".id", "numbers"}}


@dataclass(slots=True)
class Answer:
    """What comes back before `!done`, and what `!done` itself carries."""

    rows: list[Row] = field(default_factory=list)
    ret: str | None = None
    printed: bool = False
    """A print without rows says `!empty`."""


Command = Callable[[Request], Answer]
Menu = Mapping[str, Command]


def all_menus(hotspot: Hotspot, name: str) -> dict[str, Menu]:
    """Return every menu by its path."""
    config = hotspot.config
    identity = {"name": name}
    return {
        "/ip/hotspot": _stored(config.servers),
        "/ip/hotspot/profile": _stored(config.server_profiles),
        "/ip/hotspot/user": _stored(config.users) | {"reset-counters": _reset(config.users)},
        "/ip/hotspot/user/profile": _stored(config.user_profiles),
        "/ip/hotspot/ip-binding": _stored(config.bindings),
        "/ip/hotspot/walled-garden": _stored(config.walled_garden),
        "/ip/hotspot/walled-garden/ip": _stored(config.walled_garden_ip),
        "/ip/hotspot/active": _live(hotspot, ACTIVE) | {"login": _login(hotspot)},
        "/ip/hotspot/host": _live(hotspot, HOST),
        "/ip/hotspot/cookie": _live(hotspot, COOKIE),
        "/system/identity": _fixed(lambda: identity) | {"set": _identity(identity)},
        "/system/resource": _fixed(lambda: _resource(hotspot)),
        "/system/clock": _fixed(lambda: _clock(hotspot)),
    }


def _stored(table: Table) -> dict[str, Command]:
    def add(request: Request) -> Answer:
        return Answer(ret=table.add(request.attributes))

    def change(request: Request) -> Answer:
        table.set(request.row_ids, request.rest)
        return Answer()

    def remove(request: Request) -> Answer:
        table.remove(request.row_ids)
        return Answer()

    def disabled(value: str) -> Command:
        def command(request: Request) -> Answer:
            table.set(request.row_ids, {"disabled": value})
            return Answer()

        return command

    def rows(_: str, __: str | None) -> Iterable[Row]:
        return ({".id": row_id, **row} for row_id, row in table.rows.items())

    return {
        **_printing(rows),
        "add": add,
        "set": change,
        "remove": remove,
        "enable": disabled("no"),
        "disable": disabled("yes"),
        "comment": change,
    }


def _live(hotspot: Hotspot, live: Live[Any]) -> dict[str, Command]:
    def remove(request: Request) -> Answer:
        for row_id in request.row_ids:
            live.remove(hotspot, row_id)
        return Answer()

    return {**_printing(lambda key, value: live.rows(hotspot, key, value)), "remove": remove}


def _fixed(row: Callable[[], Row]) -> dict[str, Command]:
    return _printing(lambda _, __: [row()])


def _printing(rows: Callable[[str, str | None], Iterable[Row]]) -> dict[str, Command]:
    def show(request: Request) -> Answer:
        given = request.attributes
        for name in given.keys() - _PRINT_FLAGS - {".proplist"}:
            raise traps.unknown_parameter(name)
        key, value = _first_equality(request.queries)
        found = [row for row in rows(key, value) if matches(row, request.queries)]
        if "count-only" in given:
            return Answer(ret=str(len(found)))
        wanted = given.get(".proplist")
        return Answer(rows=[_seen(row, wanted, request.policies) for row in found], printed=True)

    return {"print": show, "getall": show}


def _first_equality(queries: tuple[str, ...]) -> tuple[str, str | None]:
    """Return what every row must have: with no operation, the first query is one of an AND."""
    if not queries or any(query.startswith("#") for query in queries):
        return "", None
    name, equals, value = queries[0].removeprefix("=").partition("=")
    return (name, value) if equals and name[:1] not in {"-", "<", ">"} else ("", None)


def _seen(row: Row, wanted: str | None, policies: frozenset[str]) -> Row:
    """Return the row as this reader may see it."""
    shown = row
    if "password" in row and "sensitive" not in policies:
        shown = {**row, "password": _HIDDEN}
    if wanted is None:
        return shown
    return {name: shown[name] for name in wanted.split(",") if name in shown}


def _reset(users: Table) -> Command:
    def command(request: Request) -> Answer:
        for row_id in request.row_ids:
            users.row(row_id).update({"uptime": "0s", "bytes-in": "0", "bytes-out": "0"})
        return Answer()

    return command


def _login(hotspot: Hotspot) -> Command:
    known = {"user", "password", "ip", "mac-address", "domain"}

    def command(request: Request) -> Answer:
        given = request.attributes
        for name in given.keys() - known:
            raise traps.unknown_parameter(name)
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

    return command


def _identity(row: Row) -> Command:
    def command(request: Request) -> Answer:
        row.update(request.attributes)
        return Answer()

    return command


def _resource(hotspot: Hotspot) -> Row:
    return {
        "uptime": values.time_text(hotspot.clock.uptime()),
        "version": VERSION,
        "factory-software": "7.1",
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


def _clock(hotspot: Hotspot) -> Row:
    now = hotspot.clock.date()
    return {
        "time": f"{now:%H:%M:%S}",
        "date": f"{now:%Y-%m-%d}",
        "time-zone-autodetect": "true",
        "time-zone-name": "Africa/Nairobi",
        "gmt-offset": "+03:00",
        "dst-active": "false",
    }
