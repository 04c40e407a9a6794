"""The indexes of a MongoDB collection: which are wanted, which lack, and how they are made.

The database is shared: an index of another program on the same keys serves as well, whatever its
name, unless it would refuse what is right or let through what is wrong.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure

from appliance.domain.errors import StoreUnavailable
from appliance.store.port import Document
from appliance.store.schema import COLLECTIONS, KEEP_WEBHOOKS, Collection

log = logging.getLogger(__name__)

_COLLECTION_EXISTS = 48
_INDEX_DIFFERS = frozenset({85, 86})
Keys = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Index:
    """One index that a collection must have."""

    keys: Keys
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name that MongoDB gives it."""
        return "_".join(f"{path}_{direction}" for path, direction in self.keys)

    def served_by(self, there: Mapping[str, Any]) -> bool:
        """Say whether an index on the same keys does what this one is for."""
        if bool(there.get("unique")) != bool(self.options.get("unique")):
            return False
        if "expireAfterSeconds" in self.options:
            return "expireAfterSeconds" in there  # how long they keep it is the owner's to say
        return dict(there.get("partialFilterExpression") or {}) == dict(
            self.options.get("partialFilterExpression") or {}
        )


def wanted(collection: Collection) -> list[Index]:
    """Return every index of a collection."""
    found = [_unique_where_text(path) for path in collection.unique]
    plain = (*collection.indexes, *((path,) for path in collection.theirs))
    found += [Index(tuple(map(_key, fields))) for fields in plain]
    kept = int(KEEP_WEBHOOKS.total_seconds())
    found += [Index((_key(path),), {"expireAfterSeconds": kept}) for path in collection.ttl]
    if collection.debts:
        found.append(Index(tuple(map(_key, collection.debts))))
    return found


async def missing(target: AsyncCollection[Document], collection: Collection) -> list[Index]:
    """Return those that are not there, or do not do what they are for."""
    there = await _there(target)
    return [index for index in wanted(collection) if not _is_served(index, there)]


async def prepare_all(database: AsyncDatabase[Document]) -> None:
    """Make every collection and index that is not there."""
    names = set(await database.list_collection_names())
    for declared in COLLECTIONS.values():
        if declared.name not in names:
            await _create_collection(database, declared.name)
        await _prepare(database.get_collection(declared.name), declared)


async def _create_collection(database: AsyncDatabase[Document], name: str) -> None:
    try:
        await database.create_collection(name)
    except CollectionInvalid:
        log.debug("another box was faster collection=%s", name)
    except OperationFailure as error:
        if error.code != _COLLECTION_EXISTS:
            raise


async def _prepare(target: AsyncCollection[Document], collection: Collection) -> None:
    there = await _there(target)
    for index in wanted(collection):
        if not _is_served(index, there):
            await _create(target, index, there)


async def _create(
    target: AsyncCollection[Document], index: Index, there: Mapping[str, Mapping[str, Any]]
) -> None:
    """Make the index; one on the same keys that does something else gives way."""
    for name, theirs in there.items():
        if _keys(theirs) == index.keys:
            log.warning("index made anew collection=%s name=%s", target.name, name)
            await target.drop_index(name)
    try:
        await target.create_index(list(index.keys), **index.options)
    except DuplicateKeyError as error:
        path = index.keys[0][0]
        log.error("one key is there twice, mend it by hand collection=%s key=%s", target.name, path)
        raise StoreUnavailable(f"{target.name}.{path} is there twice") from error
    except OperationFailure as error:
        if error.code not in _INDEX_DIFFERS:
            raise
        log.warning("index differs collection=%s name=%s", target.name, index.name)
        if index.options.get("unique"):  # without it one receipt could pay twice
            raise


async def _there(target: AsyncCollection[Document]) -> dict[str, Mapping[str, Any]]:
    return dict(await target.index_information())


def _is_served(index: Index, there: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(_keys(one) == index.keys and index.served_by(one) for one in there.values())


def _keys(index: Mapping[str, Any]) -> Keys:
    return tuple((str(path), _direction(way)) for path, way in index["key"])


def _direction(way: object) -> int:
    return int(way) if isinstance(way, int | float) else 0  # text, hashed: never one of ours


def _key(path: str) -> tuple[str, int]:
    return path.lstrip("-"), DESCENDING if path.startswith("-") else ASCENDING


def _unique_where_text(path: str) -> Index:
    """Return a unique index of text alone: how servers count null and absent keys differs.

    All text is at least the empty one, and a server sees that a key it is asked for is; that it is
    of type string it does not see, and looks at every document.
    """
    partial = {path: {"$gte": ""}}
    return Index((_key(path),), {"unique": True, "partialFilterExpression": partial})
