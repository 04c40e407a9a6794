"""How MongoDB counts: one pipeline, of what every server since 4.4 and the stand-in take."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from appliance.domain.queries import Slots, Tally
from appliance.store.port import Document

_EPOCH = datetime.fromtimestamp(0, UTC)
_MS = timedelta(milliseconds=1)


def pipeline(
    newest: str,
    by: Sequence[str],
    times: tuple[datetime, datetime],
    total: str | None,
    slots: Slots | None,
) -> list[Document]:
    """Return the stages."""
    since, until = times
    key: Document = {f"g{place}": _held(path) for place, path in enumerate(by)}
    if slots is not None:
        key["slot"] = _slot(newest, slots)
    counted = {"count": {"$sum": 1}, "total": {"$sum": 0 if total is None else f"${total}"}}
    return [
        {"$match": {newest: {"$gte": since, "$lt": until}}},
        {"$group": {"_id": key, **counted}},
    ]


def tallied(found: Document, by: Sequence[str], slots: Slots | None) -> Tally:
    """Return what a document of the answer says."""
    key = found["_id"]
    group = tuple(key.get(f"g{place}") for place in range(len(by)))
    slot = None if slots is None else _EPOCH + int(key["slot"]) * _MS
    return Tally(group, found["count"], found["total"], slot)


def _held(path: str) -> Any:
    """Return what a document holds at a path; with `?`, whether it is more than nothing."""
    return {"$gt": [f"${path[:-1]}", None]} if path.endswith("?") else f"${path}"


def _slot(newest: str, slots: Slots) -> Document:
    """Return when the slot began, in milliseconds; `$dateTrunc` is of 5.0 and later only."""
    since_epoch = {"$subtract": [f"${newest}", _EPOCH]}
    local = {"$add": [since_epoch, slots.offset // _MS]}
    return {"$subtract": [since_epoch, {"$mod": [local, slots.length // _MS]}]}
