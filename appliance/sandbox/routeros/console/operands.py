"""The grammar of values: words, strings, variables, brackets, sums and conditions."""

import re
from abc import ABC, abstractmethod

from appliance.sandbox.routeros.console.reader import Reader
from appliance.sandbox.routeros.console.syntax import (
    ArrayOf,
    Literal,
    Node,
    Operation,
    Property,
    Statement,
    Substitution,
    Text,
    Variable,
)

_VARIABLE = re.compile(r"[A-Za-z0-9]+")
_PLAIN = re.compile(r'[^"\\$]+')
_WORD = re.compile(r'[^\s;\])}({"$\[=]+')
_KEY = re.compile(r'(?:"[^"\\$]*"|[A-Za-z.][A-Za-z0-9.-]*)(?==)')
_PROPERTY = re.compile(r"\.?[A-Za-z][A-Za-z0-9-]*")
_RIGHT_SIDE = re.compile(r'[^\s;\])}({"$\[=&|!<>~]+')
_NUMBER = re.compile(
    r"\*[0-9A-Fa-f]+|(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|\d+\.\d+\.\d+\.\d+(?:/\d+)?"
    r"|\d+:\d\d:\d\d|\d[0-9wdhms]*"
)
_SIGNS = (
    (("or", re.compile(r"\|\||or(?![\w-])")),),
    (("and", re.compile(r"&&|and(?![\w-])")),),
    (
        ("!=", re.compile(r"!=")),
        ("<=", re.compile(r"<=")),
        (">=", re.compile(r">=")),
        ("=", re.compile(r"=")),
        ("<", re.compile(r"<")),
        (">", re.compile(r">")),
        ("~", re.compile(r"~")),
        ("in", re.compile(r"in(?![\w-])")),
    ),
    ((".", re.compile(r"\.")), (",", re.compile(r","))),
    (("+", re.compile(r"\+")), ("-", re.compile(r"-(?!>)"))),
    (("*", re.compile(r"\*")), ("/", re.compile(r"/")), ("%", re.compile(r"%"))),
)
_COMPARING = 2
"""The level of signs whose right side, in a condition, is a value and no property."""


class Operands(ABC):
    """Reads values; what is in square brackets or braces is somebody else's."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self._of_rows = False

    @abstractmethod
    def body(self, closing: str) -> tuple[Statement, ...]:
        """Return the commands up to this bracket."""

    def value(self) -> Node:
        """Return the value of an argument."""
        reader = self.reader
        found = self._enclosed()
        if found is not None:
            return found
        word = reader.take(_WORD)
        if word is None:
            raise reader.error("syntax error")
        return Literal(word)

    def condition(self) -> Node:
        """Return what is asked of each row; conditions side by side must all hold."""
        outer, self._of_rows = self._of_rows, True
        found = self._level(0)
        while not self._ended():
            found = Operation("and", found, self._level(0))
        self._of_rows = outer
        return found

    def _ended(self) -> bool:
        self.reader.blank()
        return self.reader.closed

    def _enclosed(self) -> Node | None:
        """Return a value that says by its first character what it is."""
        reader = self.reader
        if reader.skip('"'):
            return self._text()
        if reader.skip("["):
            return Substitution(self._commands("]"))
        if reader.skip("("):
            return self._sum()
        if reader.skip("{"):
            return self._array()
        if reader.skip("$"):
            return self._variable()
        return None

    def _commands(self, closing: str) -> tuple[Statement, ...]:
        outer, self._of_rows = self._of_rows, False
        found = self.body(closing)
        self._of_rows = outer
        return found

    def _sum(self) -> Node:
        found = self._level(0)
        self.reader.blank()
        if not self.reader.skip(")"):
            raise self.reader.error("syntax error")
        return found

    def _variable(self) -> Node:
        start = self.reader.at
        quoted = self.reader.skip('"')
        name = self.reader.take(_PROPERTY if quoted else _VARIABLE)
        if name is None or (quoted and not self.reader.skip('"')):
            raise self.reader.error("expected variable name", start)
        return Variable(name)

    def _text(self) -> Text:
        """Return a string; its opening quote has been read."""
        start, reader = self.reader.at - 1, self.reader
        parts: list[str | Node] = []
        plain = b""
        while not reader.skip('"'):
            if not reader.char:
                raise reader.error("expected closing quote", start)
            piece = reader.take(_PLAIN)
            if piece is not None:
                plain += piece.encode("utf-8", "surrogateescape")
            elif reader.skip("\\"):
                plain += reader.escaped()
            else:
                reader.skip("$")
                parts += [_decoded(plain), self._interpolated()]
                plain = b""
        return Text((*parts, _decoded(plain)))

    def _interpolated(self) -> Node:
        reader = self.reader
        if reader.skip("["):
            return Substitution(self._commands("]"))
        if reader.skip("("):
            return self._sum()
        return self._variable()

    def _array(self) -> ArrayOf:
        items: list[tuple[str | None, Node]] = []
        while True:
            self.reader.take(re.compile(r"[\s;]*"))
            if self.reader.skip("}"):
                return ArrayOf(tuple(items))
            key = self.reader.take(_KEY)
            if key is not None:
                self.reader.skip("=")
            items.append((key and key.strip('"'), self.value()))

    def _level(self, level: int) -> Node:
        """Return what the signs from this level on join."""
        if level == len(_SIGNS):
            return self._indexed()
        found = self._level(level + 1)
        while True:
            sign = self._sign(level)
            if sign is None:
                return found
            self.reader.blank()
            is_value = self._of_rows and level == _COMPARING
            found = Operation(sign, found, self._right() if is_value else self._level(level + 1))

    def _sign(self, level: int) -> str | None:
        start = self.reader.at
        self.reader.blank()
        if self._of_rows and level > _COMPARING:
            self.reader.at = start  # a word in a condition may hold a dot, a slash, a star
            return None
        for sign, pattern in _SIGNS[level]:
            if self.reader.take(pattern) is not None:
                return sign
        self.reader.at = start
        return None

    def _right(self) -> Node:
        self._of_rows = False
        found = self._enclosed()
        self._of_rows = True
        if found is not None:
            return found
        word = self.reader.take(_RIGHT_SIDE)
        return Literal(word or "")

    def _indexed(self) -> Node:
        found = self._operand()
        while self.reader.skip("->"):
            found = Operation("->", found, self._operand())
        return found

    def _operand(self) -> Node:
        reader = self.reader
        reader.blank()
        for sign in ("!", "-"):
            if reader.skip(sign):
                return Operation(sign, None, self._indexed())
        found = self._enclosed()
        if found is not None:
            return found
        number = reader.take(_NUMBER)
        if number is not None:
            return Literal(number)
        word = reader.take(_PROPERTY)
        if word is None:
            raise reader.error("syntax error")
        return Property(word) if self._of_rows else Literal(word)


def _decoded(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
