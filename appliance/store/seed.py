"""Put paybills, owners, routers and plans into the database from a TOML file; safe to repeat."""

import asyncio
import tomllib
from collections.abc import Iterable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from appliance.domain import ids, paybills, plans
from appliance.domain.flaws import Flaw
from appliance.domain.paybills import Paybill, RouterRecord, User
from appliance.domain.plans import Plan
from appliance.domain.secrets import InClear
from appliance.ports import Cipher
from appliance.store import codec, schema
from appliance.store.migrations import SECRETS
from appliance.store.port import Document, Store

_KINDS: dict[str, type] = {
    schema.USERS.name: User,
    schema.ROUTERS.name: RouterRecord,
    schema.PAYBILLS.name: Paybill,
    schema.PLANS.name: Plan,
}
_IN_CLEAR = InClear()


class WrongSeed(Exception):
    """The file cannot be used; the text names the entry and what is wrong."""


async def seed(store: Store, file: Path, cipher: Cipher = _IN_CLEAR) -> dict[str, int]:
    """Store every entry and return how many there are of each collection.

    What exists is brought up to date; fields that the file does not name stay, cached tokens
    among them. Secrets are sealed where there is a key.
    """
    entries = await asyncio.to_thread(_read, file)
    for collection, documents in entries.items():
        for document in documents:
            await _put(store, collection, document, cipher)
    return {collection: len(documents) for collection, documents in entries.items()}


def _read(file: Path) -> dict[str, list[Document]]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise WrongSeed(f"{file}: {error}") from None
    unknown = tables.keys() - _KINDS.keys()
    if unknown:
        raise WrongSeed(f"{min(unknown)}: must be one of {', '.join(_KINDS)}")
    return {name: [_checked(name, entry) for entry in tables.get(name, [])] for name in _KINDS}


def _checked(collection: str, entry: Mapping[str, Any]) -> Document:
    """Return the entry as a document that our own types can read back."""
    document = {**entry, "_id": entry.get("id", "")}
    document.pop("id", None)
    try:
        record: object = codec.record(_KINDS[collection], document)
    except (TypeError, ValueError, KeyError) as error:
        raise WrongSeed(f"{collection} {entry.get('id', entry)}: {error}") from None
    if isinstance(record, Plan):
        _refuse(f"plans {record.id}", plans.flaws(record))
    if isinstance(record, Paybill):
        number, pass_key = record.paybill_info.number, record.credentials.pass_key
        _refuse(f"paybills {number}", paybills.flaws(record, pass_key))
    stored = codec.document(record)
    unknown = _unknown(document, stored)
    if unknown:
        raise WrongSeed(f"{collection}: {unknown} is not a field of it")
    return stored


def _refuse(entry: str, found: Iterable[Flaw]) -> None:
    for flaw in found:
        if flaw.grave:
            raise WrongSeed(f"{entry}: {flaw.what}")


def _unknown(given: Mapping[str, Any], known: Mapping[str, Any]) -> str | None:
    for name, value in given.items():
        if name not in known:
            return name
        if isinstance(value, dict) and (deeper := _unknown(value, known[name])):
            return f"{name}.{deeper}"
    return None


async def _put(store: Store, collection: str, document: Document, cipher: Cipher) -> None:
    key = schema.COLLECTIONS[collection].unique[0] if document["_id"] == "" else "_id"
    there = await store.get(collection, key, _at(document, key))
    if there is None:
        sealed = _sealed(document, {}, cipher)
        await store.insert(collection, {**sealed, "_id": document["_id"] or ids.new_id()})
        return
    merged = _merged(there, _sealed(document, there, cipher))
    merged["_id"] = there["_id"]
    changes = codec.changes(there, merged)
    if changes:
        version = there.get("version", 0)
        await store.change(
            collection,
            there["_id"],
            changes | {"version": version + 1},
            {"version": version or None},
        )


def _sealed(document: Document, there: Document, cipher: Cipher) -> Document:
    """Return the entry as it is to be stored; a secret that has not changed stays as it is."""
    made = deepcopy(document)
    for path in SECRETS:
        secret, stored = codec.at(document, path), codec.at(there, path)
        if secret is None:
            continue
        same = stored is not None and cipher.is_current(stored) and cipher.open(stored) == secret
        codec.put(made, path.split("."), stored if same else cipher.seal(secret))
    return made


def _merged(old: Document, new: Document) -> Document:
    both = {
        name: _merged(old[name], new[name])
        for name in old.keys() & new.keys()
        if isinstance(old[name], dict) and isinstance(new[name], dict)
    }
    return {**old, **new, **both}


def _at(document: Document, path: str) -> str:
    found: Any = document
    for name in path.split("."):
        found = found[name]
    return str(found)
