"""What a script is made of once it has been read; names of menus and commands are settled."""

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.sandbox.routeros.actions import Action


class ConsoleError(Exception):
    """The line was not understood; nothing of it has been carried out."""

    def __init__(self, problem: str, line: int, column: int) -> None:
        super().__init__(f"{problem} (line {line} column {column})")


@dataclass(frozen=True, slots=True)
class Literal:
    """A word without quotes."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string: plain pieces, and what is put in between when it is run."""

    parts: "tuple[str | Node, ...]"


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Substitution:
    """`[command]`."""

    body: "tuple[Statement, ...]"


@dataclass(frozen=True, slots=True)
class Block:
    """`{commands}`, to be run by whoever is given it."""

    body: "tuple[Statement, ...]"


@dataclass(frozen=True, slots=True)
class ArrayOf:
    """`{1;2}` or `{a=1;b=2}`."""

    items: "tuple[tuple[str | None, Node], ...]"


@dataclass(frozen=True, slots=True)
class Property:
    """A bare name in a condition: what the row has."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Two sides and what is between them; the left one is missing for `!` and `-`."""

    sign: str
    left: "Node | None"
    right: "Node"


Node = Literal | Text | Variable | Substitution | Block | ArrayOf | Property | Operation


@dataclass(frozen=True, slots=True)
class Invocation:
    """One command of a menu."""

    path: str
    name: str
    action: Action | None
    """None for what the console does itself: find, get, print, export."""
    named: Mapping[str, Node]
    loose: tuple[Node, ...] = ()
    flags: frozenset[str] = frozenset()
    where: Node | None = None


@dataclass(frozen=True, slots=True)
class Builtin:
    """One of the language's own commands, `:put` and the like."""

    name: str
    names: tuple[str, ...]
    """The variables that it speaks about."""
    loose: tuple[Node, ...]
    named: Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class Scope:
    """`{commands}` on its own."""

    body: "tuple[Statement, ...]"


@dataclass(frozen=True, slots=True)
class Call:
    """`$name`: what `:parse` read, to be carried out now."""

    name: str


Statement = Invocation | Builtin | Scope | Call
