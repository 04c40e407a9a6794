"""Load, decide, save; if somebody was faster, load and decide again."""

from collections.abc import Callable
from typing import TypeVar

from appliance.domain.errors import ApplianceError, Conflict
from appliance.ports import Record, Records

R = TypeVar("R", bound=Record)

# Each round that we lose, somebody else won: this many losses in a row mean a bug.
_ROUNDS = 20


class Missing(ApplianceError):
    """A document that another one names is not there."""

    code = "missing"


class Moved(Conflict):
    """Somebody else has changed what an operator was deciding about."""

    def __str__(self) -> str:
        return f"Somebody has changed {self.args[0]} meanwhile. Look at it again, then decide."


async def evolve(
    records: Records[R],
    record: R,
    step: Callable[[R], R],
    then: Callable[[R], None] | None = None,
) -> R:
    """Return the record after `step`, stored; an unchanged record costs no write.

    `then` is called with what this call stored, and not at all when somebody else had done it.
    """
    for _ in range(_ROUNDS):
        after = step(record)
        if after == record:
            return record
        try:
            stored = await records.change(record, after)
        except Conflict:
            record = await load(records, record.id)
            continue
        if then is not None:
            then(stored)
        return stored
    raise Conflict(record.id)


async def load(records: Records[R], record_id: str) -> R:
    """Return the latest of a record that must be there."""
    return _there(await records.get(record_id), record_id)


async def recall(records: Records[R], record_id: str) -> R:
    """Return a record that must be there, good enough to be evolved."""
    return _there(await records.recall(record_id), record_id)


def _there(found: R | None, record_id: str) -> R:
    if found is None:
        raise Missing(record_id)
    return found
