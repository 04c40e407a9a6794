"""How the language's own commands are written."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """One command: variables it names, values without a name, and values with one."""

    names: int = 0
    least: int = 0
    most: int = 0
    named: frozenset[str] = frozenset()
    blocks: frozenset[str] = frozenset()
    """Which of the named ones are commands in braces."""
    block_first: bool = False
    """The value without a name is commands in braces."""


def _named(*names: str) -> frozenset[str]:
    return frozenset(names)


_ONE = Form(least=1, most=1)
_DO = _named("do")

FORMS: dict[str, Form] = {
    "put": _ONE,
    "error": _ONE,
    "delay": _ONE,
    "log": Form(least=2, most=2),
    "parse": _ONE,
    "return": Form(most=1),
    "nothing": Form(),
    "local": Form(names=1, most=1),
    "global": Form(names=1, most=1),
    "set": Form(names=1, most=1),
    "if": Form(least=1, most=1, named=_named("do", "else"), blocks=_named("do", "else")),
    "do": Form(
        least=1,
        most=1,
        named=_named("on-error", "while"),
        blocks=_named("on-error"),
        block_first=True,
    ),
    "while": Form(least=1, most=1, named=_DO, blocks=_DO),
    "for": Form(names=1, named=_named("from", "to", "step", "do"), blocks=_DO),
    "foreach": Form(names=1, named=_named("in", "do"), blocks=_DO),
    "len": _ONE,
    "typeof": _ONE,
    "tostr": _ONE,
    "tonum": _ONE,
    "tobool": _ONE,
    "toarray": _ONE,
    "pick": Form(least=2, most=3),
    "find": Form(least=2, most=3),
}
SEVEN: dict[str, Form] = {
    "onerror": Form(names=1, named=_named("in", "do"), blocks=_named("in", "do")),
}


def serialize(*, options: bool) -> Form:
    """Return the form of `:serialize`; its options are younger than the command."""
    return Form(named=_named("to", "value", *(["options"] if options else [])))
