"""The console's grammar: what a line means, or where it stops meaning anything."""

import re
from collections.abc import Callable, Iterator, Mapping

from appliance.sandbox.routeros.console.language import Form
from appliance.sandbox.routeros.console.names import Command, Names, argument
from appliance.sandbox.routeros.console.operands import Operands
from appliance.sandbox.routeros.console.reader import Reader
from appliance.sandbox.routeros.console.syntax import (
    Block,
    Builtin,
    Call,
    Invocation,
    Literal,
    Node,
    Scope,
    Statement,
)

_WORD = re.compile(r"\.\.|[A-Za-z][A-Za-z0-9-]*|[0-9][A-Za-z0-9-]*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9.-]*(?==)")
_FLAG = re.compile(r"[A-Za-z][A-Za-z0-9-]*(?=[\s;\])}]|$)")
_VARIABLE = re.compile(r"[A-Za-z0-9]+")
_VARIABLES = re.compile(r"[A-Za-z0-9]+(?:,[A-Za-z0-9]+)?")


class Parser(Operands):
    """Reads one script from its beginning to its end."""

    def __init__(self, reader: Reader, names: Names, forms: Mapping[str, Form]) -> None:
        super().__init__(reader)
        self._names = names
        self._forms = forms
        self._path = ""

    def script(self) -> tuple[Statement, ...]:
        """Return every command up to the end."""
        return tuple(_until_none(self.next))

    def next(self) -> Statement | None:
        """Return the next command; None at the end."""
        found = self._statement()
        if found is None and self.reader.char:
            raise self.reader.error("syntax error")
        return found

    def body(self, closing: str) -> tuple[Statement, ...]:
        """Return the commands up to this bracket, which is read too."""
        outer = self._path
        found = tuple(_until_none(self._statement))
        if not self.reader.skip(closing):
            kind = {"}": "brace", "]": "bracket"}[closing]
            raise self.reader.error(f"expected closing {kind}")
        self._path = outer
        return found

    def _statement(self) -> Statement | None:
        while True:
            self.reader.gap()
            if self.reader.closed:
                return None
            if self.reader.skip("{"):
                return Scope(self.body("}"))
            found = self._command()
            if found is not None:
                return found

    def _command(self) -> Statement | None:
        """Return a command; None where the line only enters a menu."""
        reader = self.reader
        if reader.skip(":"):
            return self._builtin(reader.at, reader.take(_WORD))
        if reader.skip("$"):
            return self._call()
        rooted = reader.skip("/")
        path, entered = self._entered("" if rooted else self._path)
        if reader.closed and (entered or rooted):
            self._path = path
            return None
        start = reader.at
        word = reader.take(_WORD)
        if word is None:
            raise reader.error("syntax error")
        command = self._names.command(path, word)
        if command is None:
            return self._elsewhere(start, word, rooted=rooted or entered)
        return self._invocation(path, command)

    def _call(self) -> Call:
        name = self.reader.take(_VARIABLE)
        if name is None:
            raise self.reader.error("expected variable name")
        self.reader.blank()
        self._settled()
        return Call(name)

    def _entered(self, path: str) -> tuple[str, bool]:
        """Return the path that the words here lead to, and whether there were any."""
        reader, entered = self.reader, False
        while True:
            start = reader.at
            word = reader.take(_WORD)
            further = None if word is None else self._names.submenu(path, word)
            if further is None or self._slash_too_early():
                reader.at = start
                return path, entered
            path, entered = further, True
            if not reader.skip("/"):
                reader.blank()

    def _slash_too_early(self) -> bool:
        return self.reader.char == "/" and not self._names.version.seven

    def _elsewhere(self, start: int, word: str, *, rooted: bool) -> Builtin:
        """Take a word that is no menu and no command here; the language's own need no colon."""
        if not rooted and word in self._forms:
            return self._builtin(start, word)
        if self.reader.char == "/" and self._names.version.seven:
            raise self.reader.error("syntax error")
        rest = self.reader.take(re.compile(r"[^\s;]*")) or ""
        raise self.reader.error(f"bad command name {word}{rest.rstrip(']})')}", start)

    def _invocation(self, path: str, command: Command) -> Invocation:
        outer, self._path = self._path, path
        named: dict[str, Node] = {}
        loose: list[Node] = []
        flags: set[str] = set()
        where: Node | None = None
        while True:
            spaced = self.reader.blank()
            if self.reader.closed:
                break
            if command.conditions or "where" in flags:
                self.reader.take(re.compile(r"where(?=\s)\s*"))
                where = self.condition()
                break
            if not spaced:
                raise self.reader.error("expected end of command")
            self._argument(command, named, loose, flags)
        self._path = outer
        self._settled()
        return Invocation(
            path, command.name, command.action, named, tuple(loose), frozenset(flags), where
        )

    def _argument(
        self, command: Command, named: dict[str, Node], loose: list[Node], flags: set[str]
    ) -> None:
        start = self.reader.at
        word = self.reader.take(_NAME)
        if word is not None:
            name = argument(command, word)
            if name is None:
                raise self.reader.error("expected end of command", start)
            self.reader.at += 1
            self.reader.blank()
            named[name] = Literal("") if self.reader.closed else self.value()
            return
        flag = self.reader.take(_FLAG)
        if flag is not None and flag in command.flags:
            flags.add(flag)
            return
        self.reader.at = start
        if len(loose) >= sum(name not in named for name in command.loose):
            raise self.reader.error("expected end of command", start)
        loose.append(self.value())

    def _builtin(self, start: int, name: str | None) -> Builtin:
        form = self._forms.get(name or "")
        if name is None or form is None:
            rest = self.reader.take(re.compile(r"[^\s;\])}]*")) or ""
            raise self.reader.error(f"bad command name {name or ''}{rest}", start)
        names = tuple(self._variables()) if form.names else ()
        loose: list[Node] = []
        named: dict[str, Node] = {}
        while self.reader.blank() or self.reader.char in {"{", "(", "["}:
            if self.reader.closed:
                break
            self._value_of(form, loose, named)
        if len(loose) < form.least:
            raise self.reader.error("syntax error")
        self._settled()
        return Builtin(name, names, tuple(loose), named)

    def _variables(self) -> list[str]:
        self.reader.blank()
        quoted = self.reader.skip('"')
        word = self.reader.take(_VARIABLES)
        if word is None or (quoted and not self.reader.skip('"')):
            raise self.reader.error("expected variable name")
        return word.split(",")

    def _value_of(self, form: Form, loose: list[Node], named: dict[str, Node]) -> None:
        start = self.reader.at
        word = self.reader.take(_NAME)
        if word is not None and word in form.named:
            self.reader.at += 1
            is_code = word in form.blocks and self.reader.skip("{")
            named[word] = Block(self.body("}")) if is_code else self.value()
            return
        self.reader.at = start
        if len(loose) >= form.most:
            raise self.reader.error("expected end of command")
        if form.block_first and not loose and self.reader.skip("{"):
            loose.append(Block(self.body("}")))
        else:
            loose.append(self.value())

    def _settled(self) -> None:
        if not self.reader.closed:
            raise self.reader.error("expected end of command")


def _until_none(step: Callable[[], Statement | None]) -> Iterator[Statement]:
    while (found := step()) is not None:
        yield found
