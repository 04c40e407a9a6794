"""`mortal_drain FOLDER N`: take calls in, move spooled ones on, and die at the N-th boundary.

A boundary is just before or just after a write to the database or to the spool. The database is a
file beside the spool, and is away for the first call.
"""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from appliance.domain import debts
from appliance.domain.errors import StoreUnavailable
from appliance.domain.records import WebhookLog
from appliance.flows.intake import Intake
from appliance.store.open import opened, opened_spool
from appliance.store.port import Document, Store
from appliance.store.records import books
from tests.mortal import Countdown, crossing

CALLS = 4
"""All but the last go by the spool."""
NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def call(number: int) -> WebhookLog:
    return WebhookLog(
        id=f"{number:024x}",
        source="mpesa_confirmation",
        type="c2b_confirmation",
        timestamp=NOON,
        raw_body=f"call {number}",
        owed=debts.owing(debts.Kind.SETTLE, NOON),
    )


class Noon:
    """A clock that stands still: the daemon's own would be imported with all of the daemon."""

    def now(self) -> datetime:
        return NOON

    def certain(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


def away_for(store: Store, count: int) -> None:
    """Have the first writes fail."""
    insert, left = store.insert, count

    async def inserting(collection: str, document: Document) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            raise StoreUnavailable("away")
        await insert(collection, document)

    setattr(store, "insert", inserting)  # noqa: B010 # mypy


async def work(folder: Path, boundary: int) -> None:
    life = Countdown(boundary)
    async with (
        opened(uri=None, database="", data_dir=folder) as store,
        opened_spool(uri="far", data_dir=folder) as spool,
    ):
        assert spool is not None
        for owner, name in ((store, "insert"), (spool, "keep"), (spool, "remove")):
            setattr(owner, name, crossing(getattr(owner, name), life.cross))
        away_for(store, 1)
        kept = books(store)
        intake = Intake(
            payments=kept.payments,
            webhooks=kept.webhooks,
            hand_over=lambda _: None,
            clock=Noon(),
            spool=spool,
        )
        await intake.drain()
        for number in range(CALLS):
            while number == CALLS - 1 and spool.waiting:
                await intake.drain()
            await intake.take(call(number))
            print(number, flush=True)  # noqa: T201 # what was answered with 0 Accepted


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), int(sys.argv[2])))
