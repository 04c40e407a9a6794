"""What a menu is: its commands, what each takes and needs, and what it answers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.queries import matches
from appliance.sandbox.routeros.tables import Row, Table

READ, WRITE = frozenset({"read"}), frozenset({"write"})
POLICY = frozenset({"write", "policy"})
HIDDEN = "*****"
"""Stands for what only the policy `sensitive` may see."""

_SECRETS = frozenset({"password", "otp-secret", "mac-auth-password"})
_PRINT_FLAGS = frozenset({"detail", "stats", "without-paging", "count-only"})
_ROW = frozenset({".id", "numbers"})
_NUMBERS = ("numbers",)


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
        return {n: v for n, v in self.attributes.items() if n not in _ROW}


@dataclass(slots=True)
class Answer:
    """What comes back before `!done`, and what `!done` itself carries."""

    rows: list[Row] = field(default_factory=list)
    ret: str | None = None
    printed: bool = False
    """A print without rows says `!empty`."""


@dataclass(frozen=True, slots=True)
class Action:
    """One command of a menu."""

    run: Callable[[Request], Answer]
    arguments: frozenset[str] = frozenset()
    needs: frozenset[str] = WRITE
    """The policies that a group must hold."""
    loose: tuple[str, ...] = ()
    """What values mean that come without a name, in their order."""
    on_console: bool = True


@dataclass(frozen=True, slots=True)
class Menu:
    """The commands of one path."""

    actions: Mapping[str, Action]
    table: Table | None = None
    """The rows, where they are kept as they were given."""
    single: bool = False
    """There is one row, and no row has a number."""
    row: Row | None = None
    """That row, where it can be set."""
    initial: Mapping[str, str] = field(default_factory=dict)
    """As it came."""
    settable: tuple[str, ...] = ()


def stored(table: Table, more: Mapping[str, Action] | None = None) -> Menu:
    """Return the menu of a table."""
    return Menu({**_kept(table), **(more or {})}, table)


def live(rows: Callable[[str, str | None], Iterable[Row]], more: Mapping[str, Action]) -> Menu:
    """Return the menu of rows that come and go by themselves."""
    return Menu({**printing(rows), **more})


def fixed(row: Callable[[], Row], more: Mapping[str, Action] | None = None) -> Menu:
    """Return the menu of one row that is only looked at."""
    return Menu({**printing(lambda _, __: [row()]), **(more or {})}, single=True)


def setting(row: Row, kinds: Table) -> Menu:
    """Return the menu of one row that can be set; `kinds` says to what."""

    def change(request: Request) -> Answer:
        row.update(kinds.checked(row, request.attributes))
        return Answer()

    settable = tuple(kinds.arguments)
    actions = {**printing(lambda _, __: [row]), "set": Action(change, frozenset(settable))}
    return Menu(actions, single=True, row=row, initial=dict(row), settable=settable)


def on_rows(run: Callable[[str], None]) -> Action:
    """Return a command that does something to each of the rows it is given."""

    def command(request: Request) -> Answer:
        for row_id in request.row_ids:
            run(row_id)
        return Answer()

    return Action(command, _ROW, loose=_NUMBERS)


def printing(rows: Callable[[str, str | None], Iterable[Row]]) -> dict[str, Action]:
    """Return the commands that show rows."""

    def show(request: Request) -> Answer:
        given = request.attributes
        key, value = _first_equality(request.queries)
        found = [row for row in rows(key, value) if matches(row, request.queries)]
        if "count-only" in given:
            return Answer(ret=str(len(found)))
        wanted = given.get(".proplist")
        return Answer(rows=[_seen(row, wanted, request.policies) for row in found], printed=True)

    takes = _PRINT_FLAGS | {".proplist"}
    return {
        "print": Action(show, takes, READ),
        "getall": Action(show, takes, READ, on_console=False),
    }


def perform(
    menus: Mapping[str, Menu], refused: Mapping[str, str], path: str, name: str, request: Request
) -> Answer:
    """Carry a command out, or raise what this router says of it."""
    menu = menus.get(path)
    if menu is None:
        raise traps.no_menu()
    action = menu.actions.get(name)
    if action is None:
        raise traps.no_command()
    refusal = refused.get(f"{path}/{name}")
    if refusal is not None:
        raise traps.Trap(refusal)
    if not action.needs <= request.policies:
        raise traps.no_permission()
    if request.queries and action.needs != READ:
        raise traps.Trap("queries are for print only")
    for given in request.attributes.keys() - action.arguments:
        raise traps.unknown_parameter(given)
    return action.run(request)


def _kept(table: Table) -> dict[str, Action]:
    manners = table.manners
    actions = printing(lambda key, value: _rows(table, key, value))
    if not manners.only_added:
        actions |= _changing(table)
    if not manners.built_in:
        actions |= {"add": _adding(table), "remove": _removing(table)}
    if manners.ordered:
        actions["move"] = _moving(table)
    if manners.takes_unset:
        actions["unset"] = _unsetting(table)
    return actions


def _rows(table: Table, key: str, value: str | None) -> Iterable[Row]:
    for row_id, row in table.rows.items():
        if value is None or (row_id if key == ".id" else row.get(key)) == value:
            yield {".id": row_id, **table.shown(row)}


def _removing(table: Table) -> Action:
    def command(request: Request) -> Answer:
        table.remove(request.row_ids)
        return Answer()

    return Action(command, _ROW, table.manners.needs, _NUMBERS)


def _changing(table: Table) -> dict[str, Action]:
    def change(request: Request) -> Answer:
        table.set(request.row_ids, request.rest)
        return Answer()

    names, needs = frozenset(table.arguments) - table.manners.fixed, table.manners.needs
    actions = {"set": Action(change, names | _ROW, needs, _NUMBERS)}
    if "disabled" in names:
        actions |= {"enable": _disabling(table, "no"), "disable": _disabling(table, "yes")}
    if "comment" in names:
        actions["comment"] = Action(change, _ROW | {"comment"}, needs, (*_NUMBERS, "comment"))
    return actions


def _adding(table: Table) -> Action:
    names = frozenset(table.arguments)
    placing = frozenset({"place-before"}) if table.manners.ordered else frozenset[str]()
    about = placing | {"copy-from"}

    def command(request: Request) -> Answer:
        pattern = request.attributes.get("copy-from")
        row = {} if pattern is None else table.row_of(pattern)
        copied = {name: row[name] for name in names & row.keys()}
        given = {n: v for n, v in request.attributes.items() if n not in about}
        made = table.add(copied | given)
        before = request.attributes.get("place-before")
        if before is not None:
            table.move([made], before)
        return Answer(ret=made)

    return Action(command, names | about, table.manners.needs)


def _moving(table: Table) -> Action:
    def command(request: Request) -> Answer:
        table.move(request.row_ids, request.attributes.get("destination"))
        return Answer()

    arguments = _ROW | {"destination"}
    return Action(command, arguments, table.manners.needs, (*_NUMBERS, "destination"))


def _unsetting(table: Table) -> Action:
    def command(request: Request) -> Answer:
        if "value-name" not in request.attributes:
            raise traps.missing("value-name")
        table.unset(request.row_ids, request.attributes["value-name"])
        return Answer()

    arguments = _ROW | {"value-name"}
    return Action(command, arguments, table.manners.needs, (*_NUMBERS, "value-name"))


def _disabling(table: Table, value: str) -> Action:
    def command(request: Request) -> Answer:
        table.set(request.row_ids, {"disabled": value})
        return Answer()

    return Action(command, _ROW, table.manners.needs, _NUMBERS)


def _first_equality(queries: tuple[str, ...]) -> tuple[str, str | None]:
    """Return what every row must have: with no operation, the first query is one of an AND."""
    if not queries or any(query.startswith("#") for query in queries):
        return "", None
    name, equals, value = queries[0].removeprefix("=").partition("=")
    return (name, value) if equals and name[:1] not in {"-", "<", ">"} else ("", None)


def _seen(row: Row, wanted: str | None, policies: frozenset[str]) -> Row:
    """Return the row as this reader may see it."""
    shown = row
    secrets = () if "sensitive" in policies else _SECRETS & row.keys()
    if secrets:
        shown = {**row, **dict.fromkeys(secrets, HIDDEN)}
    if wanted is None:
        return shown
    return {name: shown[name] for name in wanted.split(",") if name in shown}
