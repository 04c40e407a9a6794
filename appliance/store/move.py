"""Carries a box's embedded database into a shared MongoDB, once and for all.

First it looks for whatever is there already and stands in the way. From the first write on the
embedded database is on hold: what was carried over stays as it was, so a move that was cut off is
simply run again, to the same place. Nothing there is ever overwritten: paybills and plans that the
shared database has already stay as they are there, and so does the box's audit log.
"""

import asyncio
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from appliance.domain.errors import ApplianceError, Duplicate
from appliance.store import schema
from appliance.store.codec import at
from appliance.store.hold import OnHold, put_on_hold, why_held
from appliance.store.open import EMBEDDED
from appliance.store.port import Document, Store

# Whoever settles a payment needs its voucher, and a callback its payment: those come first.
_ORDER = (
    schema.USERS,
    schema.PAYBILLS,
    schema.PLANS,
    schema.ROUTERS,
    schema.VOUCHERS,
    schema.SEATS,
    schema.INITIATIONS,
    schema.PAYMENTS,
    schema.WEBHOOKS,
    schema.AUDIT,
    schema.MESSAGES,
)
_NEVER_IN_THE_WAY = frozenset(
    collection.name for collection in (schema.PAYBILLS, schema.PLANS, schema.AUDIT, schema.MESSAGES)
)
"""What may be there of one name already, and stays as it is there."""
_MARGIN = timedelta(days=1)
_BEGUN = "a move to a shared database was begun: run `appliance db move` again, to the same place"
_DONE = "its records are in the shared database now: set mongodb.uri"


class NotMoved(ApplianceError):
    """The move cannot be finished; the text says why. Nothing that was there was changed."""

    code: ClassVar[str] = "not_moved"


@dataclass(slots=True)
class Moved:
    """What became of one collection."""

    collection: str
    copied: int = 0
    there: int = 0
    """Carried over before, some perhaps changed by other boxes since."""
    left: int = 0
    """Stays behind in the embedded database: the audit log goes on as the shared one has it."""
    theirs: list[str] = field(default_factory=list)
    """Kept as the shared database has them."""
    digest: str = ""
    """Of all that was carried over, as it was read back."""


async def move(
    source: Store, target: Store, data_dir: Path, place: str, *, router_is_known: bool = False
) -> list[Moved]:
    """Carry everything over and read it back; `place` names the target without a secret.

    Raises `NotMoved` before the first write where something stands in the way, `OnHold` where a
    move elsewhere was begun, `StoreUnavailable` as any verb. `router_is_known` lets a record of
    this router be there already.
    """
    held = await asyncio.to_thread(why_held, data_dir)
    if held not in {None, f"{_BEGUN}: {place}"}:
        raise OnHold(str(held))
    await target.ping()
    if held is None:
        forgotten = datetime.now(UTC) - schema.KEEP_WEBHOOKS + _MARGIN
        await source.prune(schema.WEBHOOKS.name, "timestamp", forgotten)
        for collection in _ORDER:
            known = router_is_known and collection is schema.ROUTERS
            if collection.name not in _NEVER_IN_THE_WAY and not known:
                await _refuse_what_is_there(source, target, collection)
        await asyncio.to_thread(put_on_hold, data_dir, f"{_BEGUN}: {place}")
    reports = [await _carried(source, target, collection) for collection in _ORDER]
    for report in reports:
        await _read_back(source, target, report)
    await asyncio.to_thread(put_on_hold, data_dir, f"{_DONE} ({place})")
    return reports


def put_away(data_dir: Path) -> bool:
    """Rename the embedded database where it was carried over to its end, and say whether it was.

    Nobody may have it open; its hold stays, so that nobody sells from an empty one.
    """
    if not (why_held(data_dir) or "").startswith(_DONE):
        return False
    embedded, aside = data_dir / EMBEDDED, data_dir / f"{EMBEDDED}.moved"
    if embedded.exists() and not aside.exists():
        embedded.rename(aside)
    return True


async def _refuse_what_is_there(
    source: Store, target: Store, collection: schema.Collection
) -> None:
    """Raise where the target has a record of the same id or key.

    The same receipt twice is for a person to look into, the same owner may sell through another
    paybill there, and boxes that call their routers the same would serve each other's customers.
    """
    async for document in source.every(collection.name):
        for key in ("_id", *collection.unique):
            value = at(document, key)
            there = await target.get(collection.name, key, value) if value else None
            if there is None:
                continue
            alike = collection is schema.USERS and _hash(there) == _hash(document)
            if not alike:
                what = f"{collection.name} {document['_id']}"
                raise NotMoved(f"{what}: one with its {key} is there already")


async def _carried(source: Store, target: Store, collection: schema.Collection) -> Moved:
    report = Moved(collection.name)
    if collection is schema.AUDIT and await _has_a_chain_there(source, target):
        report.left = sum([1 async for _ in source.every(collection.name)])
        return report
    async for document in source.every(collection.name):
        try:
            await target.insert(collection.name, document)
        except Duplicate as error:
            there = await target.get(collection.name, "_id", document["_id"])
            if _same_or_later(document, there):
                report.there += 1
            elif collection.name in _NEVER_IN_THE_WAY or collection is schema.ROUTERS:
                report.theirs.append(document["_id"])
            else:
                what = f"{collection.name} {document['_id']}"
                raise NotMoved(f"{what}: another record there has its {error.key}") from None
        else:
            report.copied += 1
    return report


async def _has_a_chain_there(source: Store, target: Store) -> bool:
    """Say whether this box wrote an audit log there before: two chains cannot be made one."""
    name = schema.AUDIT.name
    async for document in source.every(name):
        there = await target.get(name, "_id", document["_id"])
        if there is not None and not _same_or_later(document, there):
            return True
    return False


async def _read_back(source: Store, target: Store, report: Moved) -> None:
    """Compare, document by document, what is there with what was to be carried over."""
    if report.left:
        return
    digest, count, kept = hashlib.sha256(), 0, set(report.theirs)
    async for document in source.every(report.collection):
        if document["_id"] in kept:
            continue
        there = await target.get(report.collection, "_id", document["_id"])
        if not _same_or_later(document, there):
            raise NotMoved(f"{report.collection} {document['_id']} does not read back")
        digest.update(_hash(document))
        count += 1
    if count != report.copied + report.there:
        raise NotMoved(f"{report.collection}: {count} read back of {report.copied + report.there}")
    report.digest = digest.hexdigest()


def _same_or_later(mine: Document, there: Document | None) -> bool:
    """Say whether it is this document, as it was or as another box has gone on with it."""
    if there is None:
        return False
    return _hash(mine) == _hash(there) or there.get("version", 0) > mine.get("version", 0)


def _hash(document: Document) -> bytes:
    text = json.dumps(document, sort_keys=True, default=_as_text, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)
