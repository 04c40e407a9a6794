"""Calls of MongoDB's driver: nobody breaks one off, and what went wrong is raised as our errors.

A driver that is cancelled while it looks for a server can lose count of who holds its lock (seen
with PyMongo 4.20: `RuntimeError: Lock is not acquired`); every later call then waits for ever,
though the server is back. So who waits may go, and the call ends by the driver's own limits.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pymongo.errors import DuplicateKeyError, PyMongoError, WriteError

from appliance.domain.errors import Duplicate, StoreUnavailable, Unstorable

# A rule of the owner's for this collection, or too large.
_REFUSES_ONE = frozenset({121, 10334})

T = TypeVar("T")


class Calls:
    """The calls that are under way, whoever still waits for them."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Task[Any]] = set()

    async def ask(self, collection: str, call: Coroutine[Any, Any, T], within: float | None) -> T:
        """Return what a call returns, within so many seconds if that is said.

        Raises `Duplicate`, `Unstorable` or `StoreUnavailable`. A write that is not waited for any
        longer may still be done, as one whose answer is lost.
        """
        task = asyncio.ensure_future(call)
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait({task}, timeout=within)
        if not task.done() or task.cancelled():
            raise StoreUnavailable("no answer in time")
        try:
            return task.result()
        except DuplicateKeyError as error:
            raise Duplicate(collection, str((error.details or {}).get("keyPattern", ""))) from error
        except PyMongoError as error:
            if isinstance(error, WriteError) and error.code in _REFUSES_ONE:
                raise Unstorable(f"{collection}: code {error.code}") from error
            raise StoreUnavailable(type(error).__name__) from error

    async def over(self, within: float) -> None:
        """Let what is under way end by itself, for so many seconds."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be there to hear of it
