"""What earlier versions and other programs left behind, brought into today's shape.

A migration reads a document, computes what differs, and writes it under a guard: cut off anywhere,
it is simply run again. Every run looks at every document, since other programs go on writing.
"""

import logging
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from appliance.domain.clock import whole_milliseconds
from appliance.domain.errors import Conflict
from appliance.domain.secrets import InClear
from appliance.ports import Cipher, Clock
from appliance.store.codec import at, put
from appliance.store.port import Document, Store
from appliance.store.schema import MIGRATIONS, PAYBILLS

log = logging.getLogger(__name__)

Step = Callable[[Document, Cipher], dict[str, Any]]
SECRETS = (
    "credentials.consumerKey",
    "credentials.consumerSecret",
    "credentials.passKey",
    "credentials.securityCredential",
    "credentials.accessToken",
)
"""Where a paybill keeps what nobody may read."""
_OLD_KEYS = {
    "consumerKey": "consumerKey",
    "consumerSecret": "consumerSecret",
    "passkey": "passKey",
}
_CACHED = ("accessToken", "tokenExpiresAt", "lastTokenRefresh")
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step; `step` returns what to set by path, and None for what goes."""

    name: str
    collection: str
    says: str
    step: Step


@dataclass(frozen=True, slots=True)
class Change:
    """What one migration does to one document, in words that hold no secret."""

    migration: str
    document: str
    lines: tuple[str, ...]


def _type(document: Document, _: Cipher) -> dict[str, Any]:
    info = document.get("paybillInfo")
    if not isinstance(info, dict) or "type" in info:
        return {}
    return {"paybillInfo.type": "paybill"}


def _credentials(document: Document, _: Cipher) -> dict[str, Any]:
    old = document.get("apiConfig")
    if not isinstance(old, dict):
        return {}
    keys = {new: old[name] for name, new in _OLD_KEYS.items() if name in old}
    there = document.get("credentials")
    if not isinstance(there, dict):
        return {"credentials": keys, "apiConfig": None}
    cached = {f"credentials.{name}": None for name in _CACHED if name in there}
    return {f"credentials.{name}": key for name, key in keys.items()} | cached | {"apiConfig": None}


def _sealed(document: Document, cipher: Cipher) -> dict[str, Any]:
    stored = {path: at(document, path) for path in SECRETS}
    return {
        path: cipher.seal(cipher.open(secret))
        for path, secret in stored.items()
        if isinstance(secret, str) and secret and not cipher.is_current(secret)
    }


ALL = (
    Migration("1-paybill-type", PAYBILLS.name, "say that a paybill is one", _type),
    Migration("2-credentials", PAYBILLS.name, "keys out of apiConfig", _credentials),
    Migration("3-sealed-secrets", PAYBILLS.name, "seal secrets with the first key", _sealed),
)


@dataclass(frozen=True, slots=True)
class Migrations:
    """Every migration on one store."""

    store: Store
    cipher: Cipher
    clock: Clock

    @property
    def _due(self) -> list[Migration]:
        """Return what this box can do: without a key it seals nothing."""
        keyless = isinstance(self.cipher, InClear)
        return [migration for migration in ALL if not (keyless and migration.step is _sealed)]

    async def pending(self) -> list[Change]:
        """Return all that a run would change; nothing is written, indexes included."""
        shelves: dict[str, list[Document]] = {}
        found = []
        for migration in self._due:
            if migration.collection not in shelves:
                every = self.store.every(migration.collection)
                shelves[migration.collection] = [deepcopy(document) async for document in every]
            for document in shelves[migration.collection]:
                changes = migration.step(document, self.cipher)
                if changes:
                    found.append(_described(migration, document, changes))
                for path, value in changes.items():
                    put(document, path.split("."), value)
        return found

    async def applied(self) -> list[str]:
        """Return the names of those that were ever run to their end."""
        return sorted([document["_id"] async for document in self.store.every(MIGRATIONS.name)])

    async def run(self) -> AsyncIterator[Change]:
        """Do what is pending, yielding each change once it is on the disk."""
        await self.store.ping()  # unique keys first: what is written below relies on them
        for migration in self._due:
            count = 0
            async for document in self.store.every(migration.collection):
                changes = await self._bring(migration, document)
                if changes:
                    count += 1
                    yield _described(migration, document, changes)
            await self._record(migration, count)

    async def _bring(self, migration: Migration, document: Document) -> dict[str, Any]:
        """Return what was changed in this document."""
        found: Document | None = document
        for _ in range(_ROUNDS):
            changes = {} if found is None else migration.step(found, self.cipher)
            if found is None or not changes:
                return {}
            version = found.get("version", 0)
            try:
                await self.store.change(
                    migration.collection,
                    found["_id"],
                    changes | {"version": version + 1},
                    _as_read(found, changes),
                )
            except Conflict:
                found = await self.store.get(migration.collection, "_id", found["_id"])
            else:
                log.info("migrated %s=%s by=%s", migration.collection, found["_id"], migration.name)
                return changes
        raise Conflict(f"{migration.collection} {document['_id']}")

    async def _record(self, migration: Migration, count: int) -> None:
        there = await self.store.get(MIGRATIONS.name, "_id", migration.name)
        now = whole_milliseconds(self.clock.now())
        if there is None:
            made = {"_id": migration.name, "appliedAt": now, "changed": count}
            await self.store.insert(MIGRATIONS.name, made)
        elif count:
            more = {"appliedAt": now, "changed": there.get("changed", 0) + count}
            await self.store.change(MIGRATIONS.name, migration.name, more, {})


def _as_read(document: Document, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the guard: the version, and each leaf that the change replaces or was made from."""
    guard = {"version": document.get("version")}
    for path in changes:
        value = at(document, path)
        leaves = _leaves(path, value) if isinstance(value, dict) else {path: value}
        guard.update(leaves)
    return guard


def _leaves(path: str, value: dict[str, Any]) -> dict[str, Any]:
    return {f"{path}.{name}": one for name, one in value.items() if isinstance(one, str)}


def _described(migration: Migration, document: Document, changes: dict[str, Any]) -> Change:
    number = at(document, "paybillInfo.number") or document["_id"]
    lines = [_line(document, path, value) for path, value in sorted(changes.items())]
    return Change(migration.name, f"{migration.collection} {number}", tuple(lines))


def _line(document: Document, path: str, value: Any) -> str:
    old = at(document, path)
    if value is None:
        parts = f" ({', '.join(sorted(old))})" if isinstance(old, dict) else ""
        return f"{path}{parts} is removed"
    if isinstance(value, dict):
        return f"{path} is made of {', '.join(sorted(value))}"
    if path in SECRETS:
        return f"{path} is {'replaced' if old is not None else 'set'} (not shown)"
    return f"{path} = {value!r}"
