"""The few verbs a database must have; transitions are pure, so nothing more is needed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from appliance.domain.queries import Cursor, Moment, Slots, Tally

Document = dict[str, Any]
"""JSON-like: text, whole numbers, booleans, aware datetimes, lists, documents; never None."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there is of one collection."""

    count: int
    missing: tuple[str, ...] = ()
    """Declared indexes that are not there."""
    unguarded: bool = False
    """Whether a unique one is among them."""


class Store(Protocol):
    """A database; every write is journaled when its call returns.

    Paths are dotted. A path set to None is absent. Every verb raises `StoreUnavailable` when the
    database does not answer; after that, a write is unknown until it is read back.
    """

    async def insert(self, collection: str, document: Document) -> None:
        """Add a document with its `_id`; raise `Duplicate` when a unique key is taken."""
        ...

    async def get(self, collection: str, key: str, value: str) -> Document | None:
        """Return the document with this unique key (`_id` or a declared one)."""
        ...

    async def change(
        self, collection: str, record_id: str, changes: Mapping[str, Any], when: Mapping[str, Any]
    ) -> None:
        """Set these paths if all of `when` still holds; raise `Conflict` or `Duplicate`."""
        ...

    async def due(
        self, collection: str, now: datetime, limit: int, scope: str | None = None
    ) -> list[Document]:
        """Return documents with `owed.at` up to now, the oldest first.

        With a scope, only those that hold it at the collection's declared scope path.
        """
        ...

    async def page(
        self,
        collection: str,
        index: str | None,
        value: object,
        limit: int,
        *,
        before: Cursor | None = None,
        since: Moment | None = None,
    ) -> list[Document]:
        """Return documents with this value in a declared index, the newest first.

        Without an index, of all documents. Of one moment, the highest id comes first: with the
        place of the last one as `before`, the next page goes on there. `since` is of the page.
        """
        ...

    async def tally(
        self,
        collection: str,
        by: Sequence[str],
        since: datetime,
        until: datetime,
        total: str | None = None,
        *,
        slots: Slots | None = None,
    ) -> list[Tally]:
        """Count the documents from `since` until before `until`, by what they hold at these paths.

        A path that ends in `?` stands for whether they hold anything there. `total` is a path of
        whole numbers to add up. In no order to rely on.
        """
        ...

    def every(self, collection: str) -> AsyncIterator[Document]:
        """Yield every document once, in no order to rely on; writing meanwhile is fine."""
        ...

    async def inspect(self, collection: str) -> Shelf:
        """Return what is there; nothing is made or changed."""
        ...

    async def prune(self, collection: str, path: str, before: datetime) -> int:
        """Remove documents older than this that owe nothing; return how many.

        One that is `undated` stays: nobody knows its age.
        """
        ...

    async def ping(self) -> None:
        """Return when the database answers."""
        ...

    async def close(self) -> None:
        """Finish what is under way and let go."""
        ...
