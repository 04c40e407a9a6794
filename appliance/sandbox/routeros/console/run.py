"""Carries out what was read: statements one after another, and the values in them."""

import time
from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Protocol

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.console import kinds, sums
from appliance.sandbox.routeros.console.kinds import Value
from appliance.sandbox.routeros.console.rows import Condition, Rows
from appliance.sandbox.routeros.console.syntax import (
    ArrayOf,
    Block,
    Builtin,
    Call,
    Invocation,
    Literal,
    Node,
    Operation,
    Property,
    Scope,
    Statement,
    Substitution,
    Text,
    Variable,
)
from appliance.sandbox.routeros.tables import Row

_MOST_STEPS = 200_000
_LONGEST_SECONDS = 20.0
_LETTERS_A_STEP, _LETTERS_AN_ITEM = 256, 64


class Variables:
    """The variables that can be seen from one place."""

    def __init__(self, outer: "Variables | None" = None) -> None:
        self._mine: dict[str, Value] = {}
        self._chain: ChainMap[str, Value] = ChainMap(self._mine, *(outer.seen() if outer else ()))

    def seen(self) -> list[MutableMapping[str, Value]]:
        """Return the places that can be seen, the nearest first."""
        return self._chain.maps

    def make(self, name: str, value: Value, *, everywhere: bool = False) -> None:
        """Begin a variable here, or where every other place can see it."""
        self._chain.maps[-1 if everywhere else 0][name] = value

    def set(self, name: str, value: Value) -> None:
        """Change the nearest variable of this name, or begin it here."""
        holders = (place for place in self._chain.maps if name in place)
        next(holders, self._mine)[name] = value

    def get(self, name: str) -> Value:
        """Return the value; nothing where there is no such variable."""
        return self._chain.get(name)


class Language(Protocol):
    """The language's own commands."""

    def __call__(self, machine: "Machine", command: Builtin, seen: Variables) -> Value:
        """Carry one out."""


Large = Callable[[Invocation, Mapping[str, str]], None]
"""A command about the whole device, with its arguments as text."""


class Returned(Exception):
    """A script or a function has said what it gives: nothing after that is carried out."""

    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class Machine:
    """One script under way."""

    def __init__(
        self,
        rows: Rows,
        language: Mapping[str, Language],
        say: Callable[[str], None],
        large: Mapping[str, Large],
    ) -> None:
        """Take the menus, the language, where lines go, and the commands about the whole device."""
        self._say = say
        self._rows = rows
        self._language = language
        self._large = large
        self._steps = 0
        self._until = time.monotonic() + _LONGEST_SECONDS
        self._within = 0

    def run(self, body: Iterable[Statement], seen: Variables) -> Value:
        """Carry out commands and return what the last one gave."""
        value: Value = None
        for statement in body:
            value = self._one(statement, seen)
        return value

    def script(self, body: Iterable[Statement], seen: Variables) -> Value:
        """Carry out a script, to its end or to its `:return`."""
        try:
            return self.run(body, seen)
        except Returned as returned:
            return returned.value

    def spend(self, value: Value) -> Value:
        """Count a value that was made as work, by its size: so nothing grows without end."""
        self._step(_size(value) // _LETTERS_A_STEP)
        return value

    def _step(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MOST_STEPS or time.monotonic() > self._until:
            raise traps.Trap("interrupted", 2)

    def say(self, line: str) -> None:
        """Print a line."""
        self.spend(line)
        self._say(line)

    def note(self, topic: str, said: Value) -> None:
        """Write into the device's log."""
        self._rows.perform("/log", topic, {"message": said}, None)

    def block(self, node: Node | None, seen: Variables) -> Value:
        """Carry out the commands in braces."""
        self._step(1)
        return self.run(node.body, Variables(seen)) if isinstance(node, Block) else None

    def value(self, node: Node, seen: Variables, row: Row | None = None) -> Value:
        """Return what a value is now; of a row, where a condition asks about one."""
        match node:
            case Operation():
                return self._operation(node, seen, row)
            case Text(parts):
                return self.spend(
                    "".join(
                        part
                        if isinstance(part, str)
                        else kinds.written(self.value(part, seen, row))
                        for part in parts
                    )
                )
            case Property(name):
                found = None if row is None else row.get(name)
                return None if found is None else kinds.of_property(name, found, clock=True)
            case Substitution(body):
                return self._substituted(body, seen)
            case _:
                return self._simple(node, seen)

    def _substituted(self, body: Iterable[Statement], seen: Variables) -> Value:
        self._within += 1
        try:
            return self.run(body, Variables(seen))
        finally:
            self._within -= 1

    def _simple(self, node: Literal | Variable | ArrayOf | Block, seen: Variables) -> Value:
        match node:
            case Literal(text):
                return kinds.read(text)
            case Variable(name):
                found = seen.get(name)
                return self.spend(found) if isinstance(found, str) else found
            case ArrayOf(items):
                return self.spend(self._array(items, seen))
            case Block():
                raise traps.Trap("cannot use commands as a value")

    def condition(self, node: Node | None, seen: Variables) -> Condition:
        """Return the test that a condition puts to each row."""
        if node is None:
            return lambda row: True
        return lambda row: _holds(self.value(node, seen, row))

    def _one(self, statement: Statement, seen: Variables) -> Value:
        self._step(1)
        match statement:
            case Scope(body):
                return self.run(body, Variables(seen))
            case Builtin(name):
                found = self._language[name](self, statement, seen)
                return self.spend(found) if isinstance(found, str) else found
            case Call(name):
                return self._call(seen.get(name))
            case Invocation():
                return self._invoke(statement, seen)

    def _call(self, value: Value) -> Value:
        """Carry out what `:parse` read; it sees no variables but its own."""
        return self.script(value.body, Variables()) if isinstance(value, kinds.Code) else None

    def _invoke(self, command: Invocation, seen: Variables) -> Value:
        if command.action is not None:
            return self._perform(command, seen)
        given = {name: self.argument(node, seen) for name, node in command.named.items()}
        match command.name:
            case "find":
                return self._rows.find(command.path, self.condition(command.where, seen))
            case "get":
                return self._get(command, given, seen)
            case "print":
                return self._print(command, given, seen)
            case _:
                loose = [kinds.written(self.argument(node, seen)) for node in command.loose]
                texts = {name: kinds.written(value) for name, value in given.items()}
                if loose:
                    texts["file-name"] = loose[0]
                self._large[command.name](command, texts)
                return None

    def _perform(self, command: Invocation, seen: Variables) -> Value:
        given = {name: self.argument(node, seen) for name, node in command.named.items()}
        names = command.action.loose if command.action else ()
        for name, node in zip(names, command.loose, strict=False):
            given[name] = self.argument(node, seen)
        which = given.pop("numbers", None)
        if which is None and "numbers" in names:
            raise traps.missing("numbers")
        return self._rows.perform(command.path, command.name, given, which)

    def _get(self, command: Invocation, given: Mapping[str, Value], seen: Variables) -> Value:
        loose = [self.argument(node, seen) for node in command.loose]
        which, name = given.get("numbers"), given.get("value-name")
        if loose and which is None and not self._rows.is_single(command.path):
            which = loose.pop(0)
        if loose:
            name = loose.pop(0)
        return self._rows.get(command.path, which, None if name is None else kinds.written(name))

    def _print(self, command: Invocation, given: Mapping[str, Value], seen: Variables) -> Value:
        condition = self.condition(command.where, seen)
        names = kinds.written(given["proplist"]) if "proplist" in given else None
        if "as-value" in command.flags:
            return self._rows.as_value(command.path, condition, names)
        lines = self._rows.print(command, condition, names)
        counted = "count-only" in command.flags
        for line in () if counted and self._within else lines:
            self.say(line)
        return int(lines[0]) if counted else None

    def argument(self, node: Node, seen: Variables) -> Value:
        """Return the value of an argument; a word without quotes stays the text that it is."""
        return node.text if isinstance(node, Literal) else self.value(node, seen)

    def _array(self, items: tuple[tuple[str | None, Node], ...], seen: Variables) -> Value:
        if items and all(key is not None for key, _ in items):
            return {key or "": self.value(node, seen) for key, node in items}
        return [self.value(node, seen) for _, node in items]

    def _operation(self, node: Operation, seen: Variables, row: Row | None) -> Value:
        right = node.right
        if node.left is None:
            found = self.value(right, seen, row)
            return sums.opposite(found) if node.sign == "!" else sums.negative(found)
        left = self.value(node.left, seen, row)
        if node.sign == "and":
            return sums.yes_or_no(left) and sums.yes_or_no(self.value(right, seen, row))
        if node.sign == "or":
            return sums.yes_or_no(left) or sums.yes_or_no(self.value(right, seen, row))
        return self.spend(sums.joined(node.sign, left, self.value(right, seen, row)))


def _size(value: Value) -> int:
    match value:
        case str():
            return len(value)
        case list():
            return sum(_LETTERS_AN_ITEM + _size(item) for item in value)
        case dict():
            return _size(list(value.values()))
        case _:
            return 0


def _holds(value: Value) -> bool:
    return False if value is None else sums.yes_or_no(value)
