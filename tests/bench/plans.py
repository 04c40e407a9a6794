"""How the databases find what the product asks for: through an index, or row by row."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from appliance.domain import ids
from appliance.domain.errors import Conflict
from appliance.store.open import opened
from appliance.store.port import Document, Store
from appliance.store.schema import COLLECTIONS, Collection
from appliance.store.sqlite import SqliteStore

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


async def asked(store: Store, collection: Collection) -> AsyncIterator[str]:
    """Ask everything that may be asked of a collection; yield the name of each question."""
    name = collection.name
    for key in ("_id", *collection.unique):
        await store.get(name, key, "x")
        yield f"get {key}"
    for fields in collection.indexes:
        index = fields[0].lstrip("-")
        await store.page(name, index, "x", 20)
        yield f"page {index}"
    if collection.owes:  # a box always names itself where debts have a scope
        await store.due(name, NOW, 32, collection.scope)
        yield "due"
    for path in collection.ttl:
        await store.prune(name, path.lstrip("-"), NOW)
        yield f"prune {path}"
    try:
        await store.change(name, "x", {"status": "y"}, {"version": None})
    except Conflict:
        yield "change"


async def of_sqlite(folder: Path) -> dict[str, list[str]]:
    """Return the plan of every statement that the store issues, by collection and question."""
    folder.mkdir(parents=True, exist_ok=True)
    file, seen = folder / "plans.sqlite3", list[str]()
    store = await SqliteStore.open(file)
    for thread in (store._reader, store._writer):
        await thread.do(lambda connection: connection.set_trace_callback(seen.append))
    statements: dict[str, list[str]] = {}
    for collection in COLLECTIONS.values():
        async for question in asked(store, collection):
            found = [text for text in seen if text.startswith(("SELECT doc", "UPDATE", "DELETE"))]
            statements[f"{collection.name} {question}"] = found
            seen.clear()
    await store.close()
    with closing(sqlite3.connect(file)) as connection:
        return {
            question: [
                row[3] for text in texts for row in connection.execute(f"EXPLAIN QUERY PLAN {text}")
            ]
            for question, texts in statements.items()
        }


def filters(collection: Collection) -> dict[str, Document]:
    """Return what MongoDB is asked for, by question."""
    found: dict[str, Document] = {f"get {key}": {key: "x"} for key in ("_id", *collection.unique)}
    found |= {f"page {f[0].lstrip('-')}": {f[0].lstrip("-"): "x"} for f in collection.indexes}
    if collection.owes:
        scoped: Document = {} if collection.scope is None else {collection.scope: "x"}
        found["due"] = {**scoped, "owed.at": {"$lte": NOW}}
    return found


async def of_mongodb(uri: str, folder: Path) -> dict[str, str] | str:
    """Return how the server says it would look for each, or that it does not say."""
    database = f"plans_{ids.new_id()}"
    async with opened(uri=uri, database=database, data_dir=folder) as store:
        await store.ping()
    plans: dict[str, str] = {}
    async with AsyncMongoClient[Document](uri) as client:
        for collection in COLLECTIONS.values():
            for question, where in filters(collection).items():
                find = {"find": collection.name, "filter": where}
                try:
                    said = await client[database].command("explain", find)
                except PyMongoError:
                    return "not offered"
                plan = json.dumps(said, default=str)
                if "winningPlan" not in plan:
                    return "not offered"
                plans[f"{collection.name} {question}"] = "scan" if "COLLSCAN" in plan else "index"
    return plans


async def measure(mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return how many questions there are and which of them no index answers."""
    if mongodb is None:
        plans = await of_sqlite(folder)
        scans = {name: plan for name, plan in plans.items() if any("SCAN" in p for p in plan)}
        return {"questions": len(plans), "scans": scans}
    told = await of_mongodb(mongodb, folder)
    if isinstance(told, str):
        return {"explain": told}
    return {"questions": len(told), "scans": [name for name, how in told.items() if how == "scan"]}
