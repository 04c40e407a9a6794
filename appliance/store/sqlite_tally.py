"""How SQLite counts: one statement over the columns, and over the JSON of what has none."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.domain.queries import Slots, Tally
from appliance.store.schema import Collection
from appliance.store.sqlite_tables import column_paths, ms, places, quoted

_MS = timedelta(milliseconds=1)


def tally_query(
    declared: Collection,
    by: Sequence[str],
    times: tuple[datetime, datetime],
    total: str | None,
    slots: Slots | None,
) -> tuple[str, list[object]]:
    """Return the statement and what is bound to its marks."""
    newest, values, groups = quoted(declared.newest), list[object](), list[str]()
    apart = _apart(declared, by)
    if apart:  # all of them at once: the JSON is then read once
        groups.append(f"json_extract(doc, {', '.join('?' * (len(apart) + 1))})")
        values += [_place(path) for path in (*apart, apart[0])]
    for path in by:
        if path.endswith("?"):
            groups.append(f"{_held(declared, path[:-1], values)} IS NOT NULL")
        elif path not in apart:
            groups.append(quoted(path))
    if slots is not None:
        groups.append(f"({newest} + ?) / ?")
        values += [slots.offset // _MS, slots.length // _MS]
    sums = "0" if total is None else f"coalesce(sum({_held(declared, total, values)}), 0)"
    counted = ", ".join((*groups, "count(*)", sums))
    grouped = ", ".join(str(place) for place in range(1, len(groups) + 1))
    query = (
        f"SELECT {counted} FROM {declared.name} WHERE {newest} >= ? AND {newest} < ?"  # noqa: S608 # our own names
        + (f" GROUP BY {grouped}" if groups else " HAVING count(*) > 0")
    )
    return query, [*values, *map(ms, times)]


def tallied(
    declared: Collection, row: tuple[Any, ...], by: Sequence[str], slots: Slots | None
) -> Tally:
    """Return what a row of the answer says."""
    *rest, count, total = row
    apart = _apart(declared, by)
    held = dict(zip(apart, json.loads(rest.pop(0)), strict=False)) if apart else {}
    there = iter(rest)
    group = tuple(
        held[path] if path in held else bool(next(there)) if path.endswith("?") else next(there)
        for path in by
    )
    return Tally(group, count, total, None if slots is None else _began(next(there), slots))


def _apart(declared: Collection, by: Sequence[str]) -> list[str]:
    """Return the paths whose values no column has."""
    columns = column_paths(declared)
    return [path for path in by if not path.endswith("?") and path not in columns]


def _held(declared: Collection, path: str, values: list[object]) -> str:
    if path in column_paths(declared):
        return quoted(path)
    values.append(_place(path))
    return "json_extract(doc, ?)"


def _place(path: str) -> str:
    return places(path)[1]


def _began(number: int, slots: Slots) -> datetime:
    return datetime.fromtimestamp(0, UTC) + number * slots.length - slots.offset
