"""The language's own commands: `:put`, `:if`, `:do`, `:serialize` and the rest."""

from collections.abc import Callable, Iterable

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.console import kinds, sums
from appliance.sandbox.routeros.console.kinds import Value
from appliance.sandbox.routeros.console.run import Language, Machine, Returned, Variables
from appliance.sandbox.routeros.console.syntax import Builtin


def language(parse: Callable[[str], Value]) -> dict[str, Language]:
    """Return every command by its name; `parse` looks at a script without running it."""
    return {
        "put": _put,
        "error": _error,
        "delay": _nothing,
        "log": _log,
        "nothing": _nothing,
        "return": _return,
        "parse": lambda machine, command, seen: parse(_text(machine, command, seen)),
        "local": _local,
        "global": _global,
        "set": _set,
        "if": _if,
        "do": _do,
        "while": _while,
        "for": _for,
        "foreach": _foreach,
        "onerror": _onerror,
        "serialize": _serialize,
        "len": _len,
        "typeof": lambda machine, command, seen: kinds.kind(_first(machine, command, seen)),
        "tostr": _text,
        "tonum": _tonum,
        "tobool": lambda machine, command, seen: kinds.truth(_first(machine, command, seen)),
        "toarray": _toarray,
        "pick": _pick,
        "find": _find,
    }


def message(trap: traps.Trap) -> str:
    """Return a refusal as the console words it: a missing item has no number here."""
    text = trap.message.replace("no such item (4)", "no such item")
    return text.replace("argument(s) .id", "argument(s) numbers")


def _first(machine: Machine, command: Builtin, seen: Variables) -> Value:
    return machine.value(command.loose[0], seen)


def _text(machine: Machine, command: Builtin, seen: Variables) -> str:
    return kinds.written(_first(machine, command, seen))


def _named(machine: Machine, command: Builtin, seen: Variables, name: str) -> Value:
    if name not in command.named:
        raise traps.missing(name)
    return machine.value(command.named[name], seen)


def _return(machine: Machine, command: Builtin, seen: Variables) -> Value:
    raise Returned(_first(machine, command, seen) if command.loose else None)


def _put(machine: Machine, command: Builtin, seen: Variables) -> Value:
    machine.say(_text(machine, command, seen))
    return None


def _error(machine: Machine, command: Builtin, seen: Variables) -> Value:
    raise traps.Trap(_text(machine, command, seen))


def _log(machine: Machine, command: Builtin, seen: Variables) -> Value:
    topic, said = command.loose
    machine.note(kinds.written(machine.argument(topic, seen)), machine.value(said, seen))
    return None


def _nothing(machine: Machine, command: Builtin, seen: Variables) -> Value:
    return None


def _local(machine: Machine, command: Builtin, seen: Variables) -> Value:
    seen.make(command.names[0], _first(machine, command, seen) if command.loose else None)
    return None


def _global(machine: Machine, command: Builtin, seen: Variables) -> Value:
    if command.loose:
        seen.make(command.names[0], _first(machine, command, seen), everywhere=True)
    return None


def _set(machine: Machine, command: Builtin, seen: Variables) -> Value:
    seen.set(command.names[0], _first(machine, command, seen) if command.loose else None)
    return None


def _if(machine: Machine, command: Builtin, seen: Variables) -> Value:
    answer = sums.yes_or_no(_first(machine, command, seen))
    return machine.block(command.named.get("do" if answer else "else"), seen)


def _do(machine: Machine, command: Builtin, seen: Variables) -> Value:
    try:
        value = machine.block(command.loose[0], seen)
        while "while" in command.named and sums.yes_or_no(_named(machine, command, seen, "while")):
            value = machine.block(command.loose[0], seen)
    except traps.Trap:
        if "on-error" not in command.named:
            raise
        return machine.block(command.named["on-error"], seen)
    return value


def _onerror(machine: Machine, command: Builtin, seen: Variables) -> Value:
    try:
        return machine.block(command.named.get("in"), seen)
    except traps.Trap as trap:
        inner = Variables(seen)
        inner.make(command.names[0], message(trap))
        return machine.block(command.named.get("do"), inner)


def _while(machine: Machine, command: Builtin, seen: Variables) -> Value:
    while sums.yes_or_no(_first(machine, command, seen)):
        machine.block(command.named.get("do"), seen)
    return None


def _for(machine: Machine, command: Builtin, seen: Variables) -> Value:
    start, end = (_number(_named(machine, command, seen, name)) for name in ("from", "to"))
    step = _number(_named(machine, command, seen, "step")) if "step" in command.named else 1
    if step == 0:
        raise traps.bad_value("step")
    for number in range(start, end + (1 if step > 0 else -1), step):
        inner = Variables(seen)
        inner.make(command.names[0], number)
        machine.block(command.named.get("do"), inner)
    return None


def _foreach(machine: Machine, command: Builtin, seen: Variables) -> Value:
    for key, item in _items(_named(machine, command, seen, "in")):
        inner = Variables(seen)
        if len(command.names) > 1:
            inner.make(command.names[0], key)
        inner.make(command.names[-1], item)
        machine.block(command.named.get("do"), inner)
    return None


def _items(value: Value) -> Iterable[tuple[Value, Value]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return list(enumerate(value))
    return [] if value is None else [(0, value)]


def _serialize(machine: Machine, command: Builtin, seen: Variables) -> Value:
    form = kinds.written(_named(machine, command, seen, "to"))
    if form != "json":
        raise traps.Trap("input does not match any value of to")
    options = (
        kinds.written(machine.argument(command.named["options"], seen)).split(",")
        if ("options" in command.named)
        else []
    )
    return kinds.as_json(
        _named(machine, command, seen, "value"),
        strings_stay="json.no-string-conversion" in options,
        pretty="json.pretty" in options,
    )


def _len(machine: Machine, command: Builtin, seen: Variables) -> Value:
    value = _first(machine, command, seen)
    if isinstance(value, list | dict):
        return len(value)
    return len(kinds.written(value).encode("utf-8", "surrogateescape"))


def _tonum(machine: Machine, command: Builtin, seen: Variables) -> Value:
    value = _first(machine, command, seen)
    found = kinds.read(value) if isinstance(value, str) else value
    return found if isinstance(found, int) else None


def _toarray(machine: Machine, command: Builtin, seen: Variables) -> Value:
    value = _first(machine, command, seen)
    if isinstance(value, list | dict):
        return value
    text = kinds.written(value)
    return [kinds.read(part) for part in text.split(",")] if text else []


def _pick(machine: Machine, command: Builtin, seen: Variables) -> Value:
    value, begin, *end = (machine.value(node, seen) for node in command.loose)
    first = _number(begin)
    last = _number(end[0]) if end else first + 1
    if isinstance(value, list):
        return value[first:last] if end else sums.joined("->", value, first)
    return kinds.written(value)[first:last]


def _find(machine: Machine, command: Builtin, seen: Variables) -> Value:
    value, what, *start = (machine.value(node, seen) for node in command.loose)
    after = _number(start[0]) + 1 if start else 0
    if isinstance(value, list):
        places = [i for i, item in enumerate(value) if i >= after and sums.same(item, what)]
        return places[0] if places else None
    place = kinds.written(value).find(kinds.written(what), after)
    return None if place < 0 else place


def _number(value: Value) -> int:
    found = kinds.read(value) if isinstance(value, str) else value
    if not isinstance(found, int) or isinstance(found, bool):
        raise traps.Trap("value should be a number")
    return found
