"""What must be done: the wanted rows held against the router's tables."""

from collections.abc import Iterable, Iterator

from provisioning.desired import FOLDER, OPTION, ORDER
from provisioning.rows import FILES, NOTES, TAG, Change, Kind, Note, Row, Tables, Wanted, notes

_PRUNED = frozenset(
    {FILES, "/ip/hotspot/walled-garden/ip", "/ip/hotspot/ip-binding", "/ip/dhcp-server/option"}
)
"""Where what is ours goes as soon as it is no longer wanted. The rest goes with `remove`: vouchers
that were sold may still need a profile."""
_BY_COMMENT = frozenset({"/ip/hotspot/walled-garden/ip", "/ip/hotspot/ip-binding", "/user"})
_BY_NAME = {
    "/user/group": TAG,
    "/ip/hotspot/profile": TAG,
    "/ip/hotspot": TAG,
    "/ip/dhcp-server/option": OPTION,
}


def to_be_done(wanted: Iterable[Wanted], tables: Tables) -> list[Change]:
    """Return the least that brings the router to what is wanted, in a safe order."""
    wishes, kept = list(wanted), notes(tables)
    changes = [change for wish in wishes for change in _towards(wish, tables, kept)]
    standing = {(wish.menu, wish.name) for wish in wishes}
    about = {(w.menu, w.name, attribute) for w in wishes if not w.ours for attribute in w.values}
    undone = [note for key, note in kept.items() if key not in about]
    return [*_put_back(undone, tables), *_pruned(tables, standing), *changes]


def to_be_undone(tables: Tables) -> list[Change]:
    """Return what takes back everything that was made and puts back everything that was changed."""
    changes = list(_put_back(notes(tables).values(), tables))
    gone = [change for menu in ORDER for change in _ours_in(menu, tables)]
    later = {menu: place for place, menu in enumerate(ORDER)}
    return sorted([*changes, *gone], key=lambda change: -later.get(change.menu, len(ORDER)))


def in_use(tables: Tables) -> list[str]:
    """Return the profiles of ours that must stay: hotspot users still have them."""
    used = {row.get("profile") for row in tables.get("/ip/hotspot/user", [])}
    mine = (row["name"] for row in tables.get("/ip/hotspot/user/profile", []) if "name" in row)
    return [name for name in mine if _is_speed(name) and name in used]


def _towards(
    wish: Wanted, tables: Tables, kept: dict[tuple[str, str, str], Note]
) -> Iterator[Change]:
    row = wish.found(tables.get(wish.menu, []))
    if row is None:
        if wish.ours:
            yield Change(
                kind=Kind.ADD,
                menu=wish.menu,
                name=wish.name,
                key=wish.key,
                after=wish.values,
                once=wish.once,
            )
        return
    differing = wish.differing(row)
    if differing:
        yield Change(
            kind=Kind.CHANGE,
            menu=wish.menu,
            name=wish.name,
            key=wish.key,
            row_id=row.get(".id"),
            before={name: row.get(name, "") for name in differing},
            after=differing,
            foreign=not wish.ours,
            notes=() if wish.ours else tuple(_noted(wish, row, differing, kept)),
        )


def _noted(
    wish: Wanted,
    row: Row,
    differing: dict[str, str],
    kept: dict[tuple[str, str, str], Note],
) -> Iterator[Note]:
    """Note what was there; of a value that we had set ourselves, what was there before that."""
    for attribute, value in differing.items():
        now, old = row.get(attribute, ""), kept.get((wish.menu, wish.name, attribute))
        before = now
        ours: tuple[str, ...] = (value,)
        if old is not None and old.is_ours(now):
            before, ours = old.before, tuple(dict.fromkeys((*old.ours, value)))
        yield Note(
            menu=wish.menu,
            name=wish.name,
            attribute=attribute,
            ours=ours,
            before=before,
            row_id=None if old is None else old.row_id,
        )


def _put_back(undone: Iterable[Note], tables: Tables) -> Iterator[Change]:
    """Put values back, unless somebody has changed them since; then they are theirs."""
    rows: dict[tuple[str, str], list[Note]] = {}
    for note in undone:
        rows.setdefault((note.menu, note.name), []).append(note)
    for (menu, name), kept in rows.items():
        key = None if not name else _key(menu, name)
        row = Wanted(menu=menu, key=key).found(tables.get(menu, [])) or {}
        ours = [n for n in kept if row and n.is_ours(row.get(n.attribute, ""))]
        yield from (_forgotten(note) for note in kept if note not in ours)
        if ours:
            yield Change(
                kind=Kind.CHANGE,
                menu=menu,
                name=name,
                key=key,
                row_id=row.get(".id"),
                before={note.attribute: row.get(note.attribute, "") for note in ours},
                after={note.attribute: note.before for note in ours},
                foreign=True,
                notes=tuple(ours),
                put_back=True,
            )


def _forgotten(note: Note) -> Change:
    label = f"note about {note.menu} {note.name} {note.attribute}".replace("  ", " ")
    return Change(kind=Kind.REMOVE, menu=NOTES, name=label, row_id=note.row_id)


def _key(menu: str, name: str) -> tuple[str, str]:
    return ("address" if menu == "/ip/dhcp-server/network" else "name", name)


def _pruned(tables: Tables, standing: set[tuple[str, str]]) -> Iterator[Change]:
    for menu in ORDER:
        if menu in _PRUNED:
            yield from (c for c in _ours_in(menu, tables) if not _is_needed(c, standing))


def _is_needed(change: Change, standing: set[tuple[str, str]]) -> bool:
    """Say whether a row is wanted, or is the folder of a file that is."""
    within = f"{change.name}/"
    return (change.menu, change.name) in standing or (
        change.menu == FILES and any(n.startswith(within) for m, n in standing if m == FILES)
    )


def _ours_in(menu: str, tables: Tables) -> list[Change]:
    """Return the removals of what is ours in this menu; files before the folder they are in."""
    used = in_use(tables) if menu == "/ip/hotspot/user/profile" else []
    found = [
        Change(kind=Kind.REMOVE, menu=menu, name=_name(menu, row), row_id=row.get(".id"))
        for row in tables.get(menu, [])
        if _is_ours(menu, row) and row.get("name") not in used
    ]
    return sorted(found, key=lambda change: -change.name.count("/")) if menu == FILES else found


def _name(menu: str, row: Row) -> str:
    by_comment = menu in _BY_COMMENT and menu != "/user"
    return row.get("comment" if by_comment else "name", "")


def _is_ours(menu: str, row: Row) -> bool:
    name, comment = row.get("name", ""), row.get("comment", "")
    if menu in _BY_COMMENT:
        return comment == TAG or comment.startswith(f"{TAG} ")
    if menu == "/ip/hotspot/user/profile":
        return _is_speed(name)
    if menu == FILES:
        return any(name == f or name.startswith(f"{f}/") for f in (FOLDER, f"flash/{FOLDER}"))
    return name == _BY_NAME.get(menu)


def _is_speed(name: str) -> bool:
    """Say whether a user profile's name is one that only this product gives."""
    return name.startswith("appliance-") and name.endswith(".")
