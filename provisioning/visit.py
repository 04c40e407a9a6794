"""One visit to the router: read everything that matters, do one change after another, read back."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from appliance.domain.errors import ApplianceError, RouterRefused, RouterUnreachable
from provisioning.desired import ORDER, desired
from provisioning.difference import to_be_done, to_be_undone
from provisioning.door import Door
from provisioning.rows import FILES, NOTES, Change, Kind, Note, Wanted, stands
from provisioning.wish import Wish

MENUS = (
    *ORDER,
    NOTES,
    *("/system/identity", "/system/resource", "/system/clock", "/system/license"),
    *("/system/package", "/system/device-mode"),
    *("/ip/hotspot/user", "/ip/hotspot/host", "/ip/address", "/ip/arp"),
    *("/ip/dhcp-server", "/ip/dhcp-server/lease", "/certificate"),
)
_SERVICES = "/ip/service"
# What the router has learned of others is all dynamic there, and is only looked at.
_LEARNED = frozenset({"/ip/hotspot/host", "/ip/arp", "/ip/dhcp-server/lease"})


class NotTaken(ApplianceError):
    """The router said yes and does not have it; or it would no longer let us in."""

    code = "not_taken"


class Stopped(ApplianceError):
    """Some steps are done and the rest are not: doing it again goes on from there."""

    code = "stopped"


@dataclass(frozen=True, slots=True)
class Look:
    """What the router shows."""

    tables: Mapping[str, list[dict[str, str]]]
    refused: Mapping[str, str] = field(default_factory=dict)
    """Menus that it has not, or does not show to us, each with its words."""


async def look(door: Door) -> Look:
    """Read every menu that matters; one that cannot be read is not an error yet."""
    tables: dict[str, list[dict[str, str]]] = {}
    refused: dict[str, str] = {}
    for menu in dict.fromkeys(MENUS):
        try:
            tables[menu] = await _rows(door, menu)
        except RouterRefused as error:
            refused[menu] = str(error)
    return Look(tables, refused)


async def _rows(door: Door, menu: str) -> list[dict[str, str]]:
    """Return what is configured; what the router makes by itself comes and goes."""
    rows = await door.print(menu)
    return rows if menu in _LEARNED else [row for row in rows if row.get("dynamic") != "true"]


def planned(wish: Wish, seen: Look) -> list[Change]:
    """Return what `apply` would do now."""
    return to_be_done(desired(wish, seen.tables), seen.tables)


async def apply(
    door: Door, changes: Iterable[Change], told: Callable[[Change], None] = lambda change: None
) -> int:
    """Do the changes in their order, reading each back, and return how many there were."""
    done, steps = 0, list(changes)
    for change in steps:
        try:
            await _one(door, change)
        except (RouterRefused, RouterUnreachable, NotTaken) as error:
            what = f"{change.kind} {change.menu} {change.name}".rstrip()
            raise Stopped(
                f"after {done} of {len(steps)} steps, at {what}: {error}. "
                "What is done stays; run it again to go on"
            ) from error
        told(change)
        done += 1
    return done


async def undo(door: Door, seen: Look, told: Callable[[Change], None] = lambda change: None) -> int:
    """Take back everything that was made here."""
    return await apply(door, to_be_undone(seen.tables), told)


async def _one(door: Door, change: Change) -> None:
    if change.kind is Kind.REMOVE:
        if change.row_id is not None:
            await door.remove(change.menu, change.row_id)
    elif change.put_back:
        await _write(door, change)
        await _read_back(door, change)
        await _forget(door, change.notes)
    else:
        for note in change.notes:
            await _write_down(door, note)
        await _write(door, change)
        await _read_back(door, change)
        if change.menu == _SERVICES:
            await _still_let_in(door, change)


async def _forget(door: Door, notes: Iterable[Note]) -> None:
    for note in notes:
        if note.row_id is not None:
            await door.remove(NOTES, note.row_id)


async def _write_down(door: Door, note: Note) -> None:
    """Keep what was there before it is changed; the router keeps it, so a new box can undo."""
    if note.row_id is None:
        await door.add(NOTES, note.row)
    else:
        await door.set(NOTES, note.row_id, {"comment": note.row["comment"]})


async def _write(door: Door, change: Change) -> None:
    if change.menu == FILES and "contents" in change.after:
        await door.upload(change.name, change.after["contents"])
    elif change.kind is Kind.CHANGE:
        await door.set(change.menu, change.row_id, change.told)
    else:
        name = dict([change.key]) if change.key else {}
        await door.add(change.menu, {**name, **change.told, **change.once})


async def _read_back(door: Door, change: Change) -> None:
    wanted = Wanted(menu=change.menu, key=change.key, values=change.after)
    row = wanted.found(await _rows(door, change.menu))
    if row is None:
        raise NotTaken("the router took it, and it is not there")
    wrong = [n for n, value in change.after.items() if not stands(change.menu, row, n, value)]
    if wrong:
        raise NotTaken(f"the router took it, and shows something else for {', '.join(wrong)}")


async def _still_let_in(door: Door, change: Change) -> None:
    """Sign in once more; if that no longer works, put the limit back while we still can."""
    try:
        await door.knock()
    except (RouterRefused, RouterUnreachable) as error:
        await door.set(change.menu, change.row_id, change.before)
        raise NotTaken(
            "with this limit the router would not let this box in again, so it was put back: "
            "is hotspot.box the address from which the router sees it?"
        ) from error
