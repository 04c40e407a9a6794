"""How SQLite counts: one statement over the columns, and over the JSON of what has none."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.domain.queries import Slots, Tally
from appliance.store.schema import Collection
from appliance.store.sqlite_tables import IN_DOC, column_paths, ms, places, quoted

_MS = timedelta(milliseconds=1)


def tally_query(
    declared: Collection,
    by: Sequence[str],
    times: tuple[datetime, datetime],
    total: str | None,
    slots: Slots | None,
) -> tuple[str, list[object]]:
    """Return the statement and what is bound to its marks."""
    newest, values = quoted(declared.newest), list[object]()

    def value(path: str) -> str:
        if path in column_paths(declared):
            return quoted(path)
        values.extend(places(path))
        return IN_DOC

    groups = [
        f"{value(path[:-1])} IS NOT NULL" if path.endswith("?") else value(path) for path in by
    ]
    if slots is not None:
        groups.append(f"({newest} + ?) / ?")
        values += [slots.offset // _MS, slots.length // _MS]
    sums = "0" if total is None else f"coalesce(sum({value(total)}), 0)"
    columns = ", ".join((*groups, "count(*)", sums))
    grouped = ", ".join(str(place) for place in range(1, len(groups) + 1))
    query = (
        f"SELECT {columns} FROM {declared.name} WHERE {newest} >= ? AND {newest} < ?"  # noqa: S608 # our own names
        + (f" GROUP BY {grouped}" if groups else " HAVING count(*) > 0")
    )
    return query, [*values, *map(ms, times)]


def tallied(row: tuple[Any, ...], by: Sequence[str], slots: Slots | None) -> Tally:
    """Return what a row of the answer says."""
    group = tuple(
        bool(found) if path.endswith("?") else found for path, found in zip(by, row, strict=False)
    )
    *_, count, total = row
    return Tally(group, count, total, None if slots is None else began(row[len(by)], slots))


def began(number: int, slots: Slots) -> datetime:
    """Return when the slot of this number began."""
    return datetime.fromtimestamp(0, UTC) + number * slots.length - slots.offset
