"""`/export`: the configuration as a script, without what is as it came."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from appliance.sandbox.routeros.actions import Menu
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.tables import Row, Table

_ORDER = (
    "/interface",
    "/ip/dhcp-server/option",
    "/ip/dhcp-server/option/sets",
    "/ip/hotspot/profile",
    "/ip/pool",
    "/ip/dhcp-server",
    "/ip/hotspot",
    "/ip/hotspot/user/profile",
    "/user/group",
    "/ip/address",
    "/ip/dhcp-server/lease",
    "/ip/dhcp-server/network",
    "/ip/dns",
    "/ip/dns/static",
    "/ip/firewall/address-list",
    "/ip/firewall/filter",
    "/ip/firewall/nat",
    "/ip/hotspot/ip-binding",
    "/ip/hotspot/user",
    "/ip/hotspot/walled-garden",
    "/ip/hotspot/walled-garden/ip",
    "/ip/service",
    "/ip/ssh",
    "/system/clock",
    "/system/identity",
    "/system/ntp/client",
)
_BUILT_IN_GROUPS = frozenset({"read", "write", "full"})
_SECRETS = frozenset({"password", "otp-secret", "mac-auth-password"})
_PLAIN = re.compile(r"[A-Za-z0-9_./:*@,+-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "$": "\\$", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_WIDTH = 80
_YES_NO = {"true": "yes", "false": "no"}


@dataclass(frozen=True, slots=True)
class Export:
    """One export, of everything or of one branch."""

    device: Device
    path: str
    secrets: bool
    """Passwords are in it."""
    terse: bool = False
    verbose: bool = False

    def lines(self) -> list[str]:
        """Return the script, line by line."""
        version, now = self.device.version, self.device.clock.date()
        day = version.date(now.year, now.month, now.day)
        said = [
            f"# {day} {now:%H:%M:%S} by RouterOS {version.number}",
            "# software id = ABCD-1234",
            "#",
        ]
        for path in _ORDER:
            menu = self.device.menus.get(path)
            if menu is not None and f"{path}/".startswith(f"{self.path}/"):
                said += self._branch(path, menu)
        return said

    def _branch(self, path: str, menu: Menu) -> Iterator[str]:
        spaced = f"/{path.strip('/').replace('/', ' ')}"
        commands = list(self._single(menu) if menu.single else self._rows(path, menu.table))
        if commands and not self.terse:
            yield spaced
        for words in commands:
            yield from [" ".join([spaced, *words])] if self.terse else _folded(words)

    def _single(self, menu: Menu) -> Iterator[list[str]]:
        changed = self._words(menu.settable, menu.row or {}, menu.initial)
        if changed:
            yield ["set", *changed]

    def _rows(self, path: str, table: Table | None) -> Iterator[list[str]]:
        if table is None:
            return
        for row_id, row in table.rows.items():
            if row.get("dynamic") == "true" or _comes_with_it(path, row):
                continue
            if table.manners.built_in or row.get("default") == "true":
                which = (
                    [row["name"]] if table.manners.built_in else ["[", "find", "default=yes", "]"]
                )
                words = self._words(table.arguments, row, table.originals[row_id])
                if words:
                    yield ["set", " ".join(which), *words]
            else:
                yield ["add", *self._words(table.arguments, row, table.defaults)]

    def _words(self, settable: Iterable[str], row: Row, usual: Mapping[str, str]) -> list[str]:
        return [
            f"{name}={self._value(row[name])}"
            for name in sorted(settable)
            if name in row
            and (self.verbose or row[name] != usual.get(name))
            and (self.secrets or name not in _SECRETS)
        ]

    def _value(self, value: str) -> str:
        shown = _YES_NO.get(value, value)
        if _PLAIN.fullmatch(shown):
            return shown
        return f'"{"".join(map(self._escaped, shown))}"'

    def _escaped(self, char: str) -> str:
        if char in _ESCAPES:
            return _ESCAPES[char]
        if char == "?" and not self.device.version.seven:
            return "\\?"
        if char.isascii() and char.isprintable():
            return char
        return "".join(f"\\{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))


def _comes_with_it(path: str, row: Row) -> bool:
    return path == "/user/group" and row["name"] in _BUILT_IN_GROUPS


def _folded(words: list[str]) -> Iterator[str]:
    """Return one command on as many lines as it needs."""
    line = ""
    for word in words:
        if line and len(line) + len(word) + 3 > _WIDTH:
            yield f"{line} \\"
            line = f"    {word}"
        else:
            line = f"{line} {word}" if line else word
    yield line
