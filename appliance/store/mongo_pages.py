"""Pages of a MongoDB collection, newest first, each beginning where the last one ended.

The indexes end with the moment, not with the id: a server asked to order by both would sort
everything there is. So it orders by the moment alone, and what is of one moment is asked for apart.
"""

import re
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bson import ObjectId
from pymongo import DESCENDING
from pymongo.asynchronous.collection import AsyncCollection

from appliance.domain.queries import Cursor, Moment
from appliance.store.port import Document

_HEX_ID = re.compile(r"[0-9a-f]{24}", re.ASCII)


def stored_id(value: str) -> str | ObjectId:
    """Return an id as stored: of our shape it is an ObjectId."""
    return ObjectId(value) if _HEX_ID.fullmatch(value) else value


@dataclass(frozen=True, slots=True)
class Pages:
    """The documents of one filter, ordered by one path and, of one moment, by id."""

    target: AsyncCollection[Document]
    where: Document
    newest: str

    async def page(self, limit: int, before: Cursor | None, since: Moment | None) -> list[Document]:
        """Return the newest of them within the bounds."""
        found = list[Document]()
        if before is not None and before.id and _reaches(before, since):
            found = await self._of_moment(before.at, limit, {"$lt": stored_id(before.id)})
        if len(found) < limit:
            found += await self._older(limit - len(found), before, since)
        return found

    async def _older(
        self, limit: int, before: Cursor | None, since: Moment | None
    ) -> list[Document]:
        """Return what is older than the cursor's moment; one too many shows whether one is cut."""
        bounds: Document = {} if before is None else {"$lt": before.at}
        bounds |= {} if since is None else {"$gte": since}
        where = self.where | ({self.newest: bounds} if bounds else {})
        newest = self.target.find(where).sort(self.newest, DESCENDING).limit(limit + 1)
        groups = [list(same) for _, same in groupby([d async for d in newest], self._moment)]
        if sum(map(len, groups)) <= limit:
            return _by_id(groups)
        found, cut = _by_id(groups[:-1]), self._moment(groups[-1][0])
        if len(found) < limit:
            found += await self._of_moment(cut, limit - len(found))
        return found

    async def _of_moment(
        self, moment: object, limit: int, lower: Document | None = None
    ) -> list[Document]:
        where = self.where | {self.newest: moment} | ({} if lower is None else {"_id": lower})
        return [d async for d in self.target.find(where).sort("_id", DESCENDING).limit(limit)]

    def _moment(self, document: Document) -> Any:
        return document.get(self.newest)


def _reaches(before: Cursor, since: Any) -> bool:
    return since is None or before.at >= since


def _by_id(groups: list[list[Document]]) -> list[Document]:
    """Return what is of one moment with the highest id first."""
    ordered = (sorted(same, key=lambda d: str(d["_id"]), reverse=True) for same in groups)
    return [document for same in ordered for document in same]
