"""Rows of one menu: what may be set, how it reads back, and the ids that never repeat."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from appliance.sandbox.routeros import traps, values
from appliance.sandbox.routeros.values import Kind

Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What is unusual about a table."""

    needs: frozenset[str] = frozenset({"write"})
    """The policies for changing it."""
    hidden: frozenset[str] = frozenset()
    """What is taken and never shown."""
    built_in: bool = False
    """Its rows are there from the start and can only be set."""
    fixed: frozenset[str] = frozenset()
    """What is there from the start and cannot be set."""
    takes_unset: bool = False
    """There is a command that takes a property away."""
    only_added: bool = False
    """Rows are added and removed, and never set."""
    ordered: bool = False
    """The order of its rows matters: a new one may be placed, and rows may be moved."""
    keeps: Callable[[Row], str | None] = lambda row: None
    """Why a row cannot be removed."""


class Table:
    """A menu that keeps what it is given."""

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        *,
        defaults: Mapping[str, str] | None = None,
        required: Iterable[str] = ("name",),
        twin: Callable[[Row, Row], str | None] = lambda old, new: None,
        manners: Manners | None = None,
    ) -> None:
        """Take each argument's kind; `twin` says why two rows may not stand side by side."""
        self.rows: dict[str, Row] = {}
        self.originals: dict[str, Row] = {}
        """Each row as it was added."""
        self.manners = manners or Manners()
        self._kinds = kinds
        self._defaults = dict(defaults or {})
        self._required = tuple(required)
        self._twin = twin
        self._ids = count(1)

    @property
    def arguments(self) -> list[str]:
        """Return what may be set."""
        return list(self._kinds)

    @property
    def defaults(self) -> Mapping[str, str]:
        """Return what a new row begins with."""
        return self._defaults

    def shown(self, row: Row) -> Row:
        """Return what of a row may be looked at."""
        hidden = self.manners.hidden
        return {n: v for n, v in row.items() if n not in hidden} if hidden else row

    def checked(self, row: Mapping[str, str], given: Mapping[str, str]) -> Row:
        """Return the row with these properties set."""
        return self._with(dict(row), given)

    def add(self, given: Mapping[str, str]) -> str:
        """Keep a new row and return its id."""
        for name in self._required:
            if name not in given:
                raise traps.missing(name)
        row = self.checked(self._defaults, given)
        self._refuse_twins(row, None)
        row_id = self._new_id()
        self.rows[row_id] = row
        self.originals[row_id] = dict(row)
        return row_id

    def set(self, row_ids: Iterable[str], given: Mapping[str, str]) -> None:
        """Change these rows, or none of them."""
        newer = {row_id: self.checked(self.row(row_id), given) for row_id in row_ids}
        for row_id, row in newer.items():
            self._refuse_twins(row, row_id)
        self.rows.update(newer)

    def remove(self, row_ids: Iterable[str]) -> None:
        """Forget these rows, or none of them."""
        going = [self._existing(row_id) for row_id in row_ids]
        for row_id in going:
            why = self.manners.keeps(self.rows[row_id])
            if why is not None:
                raise traps.Trap(f"failure: {why}")
        for row_id in going:
            self.rows.pop(row_id, None)
            self.originals.pop(row_id, None)

    def move(self, row_ids: Iterable[str], before: str | None) -> None:
        """Put these rows before that one; without one, at the end."""
        moving = [self._existing(row_id) for row_id in row_ids]
        rest = [row_id for row_id in self.rows if row_id not in moving]
        place = len(rest) if before is None else rest.index(self._existing(before))
        order = [*rest[:place], *moving, *rest[place:]]
        self.rows = {row_id: self.rows[row_id] for row_id in order}

    def unset(self, row_ids: Iterable[str], name: str) -> None:
        """Take a property away from these rows, or give it back its default."""
        if name not in self._kinds:
            raise traps.Trap("input does not match any value of value-name", traps.ARGUMENT)
        for row_id in row_ids:
            row = self.row(row_id)
            row.pop(name, None)
            if name in self._defaults:
                row[name] = self._defaults[name]

    def row(self, row_id: str) -> Row:
        """Return a row; raise the router's refusal when there is none."""
        return self.rows[self._existing(row_id)]

    def named(self, name: str) -> tuple[str, Row] | None:
        """Return the first row of this name, with its id."""
        return next((item for item in self.rows.items() if item[1].get("name") == name), None)

    def named_row(self, name: str) -> Row:
        """Return the row of this name, which is there."""
        return self.rows[self.id_of(name)]

    def row_of(self, which: str) -> Row:
        """Return the row with this id or this name."""
        return self.rows.get(which) or self.named_row(which)

    def id_of(self, name: str) -> str:
        """Return the id of the row of this name; raise the router's refusal without one."""
        found = self.named(name)
        if found is None:
            raise traps.no_item()
        return found[0]

    def names(self) -> list[str]:
        """Return every row's name."""
        return [row["name"] for row in self.rows.values()]

    def renumber(self) -> None:
        """Give every row another id, as a reboot may."""
        moved = {row_id: self._new_id() for row_id in self.rows}
        self.rows = {moved[row_id]: row for row_id, row in self.rows.items()}
        self.originals = {moved[row_id]: self.originals[row_id] for row_id in moved}

    def _new_id(self) -> str:
        return f"*{next(self._ids):X}"

    def _existing(self, row_id: str) -> str:
        if row_id not in self.rows:
            raise traps.no_item()
        return row_id

    def _with(self, row: Row, given: Mapping[str, str]) -> Row:
        for name, value in given.items():
            if name not in self._kinds:
                raise traps.unknown_parameter(name)
            shown = self._kinds[name](name, value)
            if shown is None or (shown == "" and name not in self._required):
                row.pop(name, None)
            elif shown == "":
                raise traps.bad_value(name)
            else:
                row[name] = shown
        return {name: row[name] for name in [*self._kinds, *row] if name in row}

    def _refuse_twins(self, row: Row, row_id: str | None) -> None:
        for other_id, other in self.rows.items():
            why = self._twin(other, row)
            if why is not None and other_id != row_id:
                raise traps.Trap(f"failure: {why}")


def naming(table: Table) -> Kind:
    """Return the kind that names a row of another table: by id, in full, or by its beginning."""

    def kind(name: str, value: str) -> str | None:
        row = table.rows.get(value)
        return row["name"] if row is not None else values.resolved(name, value, table.names())

    return kind


def same_name(kind: str) -> Callable[[Row, Row], str | None]:
    """Return the rule that a name is used once in its menu."""

    def twin(old: Row, new: Row) -> str | None:
        twice = old["name"] == new["name"]
        return f"already have {kind} with such name" if twice else None

    return twin
