"""How the databases find what the product asks for: through an index, or row by row."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from appliance.domain import ids
from appliance.domain.errors import Conflict
from appliance.domain.queries import HOUR, Cursor, Slots
from appliance.store.mongodb import MongoStore
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
    async for question in _lists(store, collection):
        yield question
    if collection.owes:  # a box always names itself where debts have a scope
        await store.due(name, NOW, 32, collection.scope)
        yield "due"
    for path in collection.ttl:
        await store.prune(name, path.lstrip("-"), NOW)
        yield f"prune {path}"
    if collection.append_only:
        return
    try:
        await store.change(name, "x", {"status": "y"}, {"version": None})
    except Conflict:
        yield "change"


async def _lists(store: Store, collection: Collection) -> AsyncIterator[str]:
    name = collection.name
    for fields in collection.indexes:
        index = fields[0].lstrip("-")
        await store.page(name, index, "x", 20)
        yield f"page {index}"
        if collection.newest != "_id":
            await store.page(name, index, "x", 20, before=Cursor(NOW, "x"), since=NOW)
            yield f"page {index} on"
    if f"-{collection.newest}" in {*(fields[0] for fields in collection.indexes), *collection.ttl}:
        await store.page(name, None, None, 20)
        yield "page"
        await store.page(name, None, None, 20, before=Cursor(NOW, "x"), since=NOW)
        yield "page on"
        await store.tally(name, ("status",), NOW, NOW, "amount", slots=Slots(HOUR))
        yield "tally"


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
            found = [text for text in seen if text.startswith(("SELECT", "UPDATE", "DELETE"))]
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


def scans(question: str, plan: list[str]) -> bool:
    """Say whether this plan looks at every row; a page of all is the first few of an index."""
    if question.endswith(" page"):
        plan = [step for step in plan if " USING INDEX " not in step]
    return any(step.startswith("SCAN") or step == "COLLSCAN" for step in plan)


class Overheard(CommandListener):
    """What the driver sends."""

    def __init__(self) -> None:
        self.commands: list[Document] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.commands.append(dict(event.command))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing more to hear."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing more to hear."""

    def questions(self) -> list[Document]:
        """Return each filter sent, as a find, and forget them."""
        found = []
        for command in self.commands:
            shape = {"filter": command.get("filter"), "sort": command.get("sort")}
            if "find" in command:
                found.append({"find": command["find"], **{k: v for k, v in shape.items() if v}})
            if "aggregate" in command:  # what it counts is what its first stage finds
                match = command["pipeline"][0]["$match"]
                found.append({"find": command["aggregate"], "filter": match})
            for one in (*command.get("updates", ()), *command.get("deletes", ())):
                target = command.get("update", command.get("delete"))
                found.append({"find": target, "filter": one["q"]})
        self.commands.clear()
        return found


async def of_mongodb(uri: str) -> dict[str, list[str]]:
    """Return the stages that the server says it would take for each, from top to bottom."""
    heard, name = Overheard(), f"plans_{ids.new_id()}"
    told: AsyncMongoClient[Document] = AsyncMongoClient(uri, tz_aware=True, event_listeners=[heard])
    store = MongoStore(told, name)
    plans: dict[str, list[str]] = {}
    async with AsyncMongoClient[Document](uri, tz_aware=True) as client:
        await store.ping()
        heard.commands.clear()
        for collection in COLLECTIONS.values():
            async for question in asked(store, collection):
                stages = [await _stages(client[name], find) for find in heard.questions()]
                plans[f"{collection.name} {question}"] = [one for plan in stages for one in plan]
    await store.close()
    return plans


async def _stages(database: AsyncDatabase[Document], find: Document) -> list[str]:
    """Return a find's plan; of several clauses one that an index answers is enough.

    A server finds that one by itself, but the stand-in does not say so when it is asked to explain.
    """
    stages = await _explained(database, find)
    if "COLLSCAN" not in stages or len(find["filter"]) == 1:
        return stages
    clauses = [find | {"filter": {path: value}} for path, value in find["filter"].items()]
    plans = [await _explained(database, clause) for clause in clauses]
    return next((plan for plan in plans if "COLLSCAN" not in plan), stages)


async def _explained(database: AsyncDatabase[Document], find: Document) -> list[str]:
    said = await database.command("explain", find, verbosity="queryPlanner")
    stage, stages = said["queryPlanner"]["winningPlan"], list[str]()
    stage = stage.get("queryPlan", stage)
    while stage:
        stages.append(stage["stage"])
        stage = stage.get("inputStage")
    return stages


async def measure(mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return how many questions there are and which of them no index answers."""
    plans = await (of_sqlite(folder) if mongodb is None else of_mongodb(mongodb))
    by_row = {question: plan for question, plan in plans.items() if scans(question, plan)}
    return {"questions": len(plans), "scans": by_row}
