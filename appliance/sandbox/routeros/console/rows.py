"""Commands of menus on the console: find, get, print, and those that the API has too."""

from collections.abc import Callable, Iterable

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.actions import Request
from appliance.sandbox.routeros.console import kinds, printing
from appliance.sandbox.routeros.console.kinds import Identity, Value
from appliance.sandbox.routeros.console.syntax import Invocation
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.tables import Row

Condition = Callable[[Row], bool]


class Rows:
    """The device's menus, for somebody who may do what these policies say."""

    def __init__(self, device: Device, policies: frozenset[str]) -> None:
        self._device = device
        self._policies = policies
        self._numbered: dict[str, list[str]] = {}

    def is_single(self, path: str) -> bool:
        """Say whether this menu has one row and no numbers."""
        return self._device.menus[path].single

    def find(self, path: str, condition: Condition) -> Value:
        """Return the ids of the rows that satisfy it."""
        return [Identity(row[".id"]) for row in self._all(path) if condition(row)]

    def get(self, path: str, which: Value, name: str | None) -> Value:
        """Return one property of one row, or all of them; nothing where it is not set."""
        row = self._single(path) if self.is_single(path) else self._one(path, which)
        if name is None:
            return self._typed(row)
        if name not in row:
            return self._nothing(path, name)
        return self._value(name, row[name])

    def print(self, command: Invocation, condition: Condition, names: str | None) -> list[str]:
        """Return the lines that this print shows."""
        rows = self._chosen(command.path, condition, names)
        if "count-only" in command.flags:
            return [str(len(rows))]
        if self.is_single(command.path):
            return [line for row in rows for line in printing.single(row)]
        self._numbered[command.path] = [row[".id"] for row in rows if ".id" in row]
        seven = self._device.version.seven
        if command.flags & {"detail", "terse"}:
            return printing.details(rows, seven=seven, terse="terse" in command.flags)
        return printing.table(command.path, rows, seven=seven)

    def as_value(self, path: str, condition: Condition, names: str | None) -> Value:
        """Return rows as values."""
        found: list[Value] = [self._typed(row) for row in self._chosen(path, condition, names)]
        return found[0] if found and self.is_single(path) else found

    def perform(self, path: str, name: str, given: dict[str, Value], which: Value) -> Value:
        """Carry out a command that the API has too."""
        attributes = {argument: _text(value) for argument, value in given.items()}
        if which is not None:
            ids = self._ids(path, which)
            if not ids:
                return None
            attributes["numbers"] = ",".join(ids)
        answer = self._device.perform(path, name, Request(attributes, (), self._policies))
        return None if answer.ret is None else Identity(answer.ret)

    def _chosen(self, path: str, condition: Condition, names: str | None) -> list[Row]:
        rows = [row for row in self._all(path) if condition(row)]
        if names is None:
            return rows
        wanted = [".id", *names.split(",")]
        return [{name: row[name] for name in wanted if name in row} for row in rows]

    def _all(self, path: str) -> list[Row]:
        return self._device.perform(path, "print", Request({}, (), self._policies)).rows

    def _single(self, path: str) -> Row:
        return self._all(path)[0]

    def _one(self, path: str, which: Value) -> Row:
        if which is None:
            raise traps.missing("numbers")
        ids = self._ids(path, which)
        if len(ids) > 1:
            raise traps.Trap("invalid internal item number")
        for row in self._all(path):
            if row[".id"] in ids:
                return row
        raise traps.no_item()

    def _ids(self, path: str, which: Value) -> list[str]:
        items = which if isinstance(which, list) else kinds.written(which).split(",")
        return [self._id(path, kinds.written(item)) for item in items]

    def _id(self, path: str, text: str) -> str:
        """Return the id that is meant by an id, a name, or a number of the last print."""
        if text.startswith("*"):
            return text.upper()
        for row in self._all(path):
            if row.get("name") == text:
                return row[".id"]
        numbered = self._numbered.get(path, [])
        if text.isdecimal() and int(text) < len(numbered):
            return numbered[int(text)]
        raise traps.no_item()

    def _nothing(self, path: str, name: str) -> Value:
        """Return nothing for a property that is not set; refuse one that does not exist."""
        table = self._device.menus[path].table
        if table is not None and name not in {*table.arguments, *table.defaults}:
            raise traps.Trap("input does not match any value of value-name")
        return None

    def _typed(self, row: Row) -> dict[str, Value]:
        return {name: self._value(name, text) for name, text in row.items()}

    def _value(self, name: str, text: str) -> Value:
        clock = self._device.faults.menu.console_times == "clock"
        return kinds.of_property(name, text, clock=clock)


def _text(value: Value) -> str:
    if isinstance(value, list):
        return ",".join(_texts(value))
    return kinds.written(value)


def _texts(values: Iterable[Value]) -> list[str]:
    return [kinds.written(value) for value in values]
