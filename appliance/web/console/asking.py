"""Questions to the router with an end: a page never waits long for one that is away."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from appliance.domain.errors import RouterRefused, RouterUnreachable

T = TypeVar("T")

SOON = 0.8
"""Seconds until a page says that the router does not answer."""
LONG = 20.0
"""Seconds for reading all of a router that has answered just now."""


class Away(Exception):
    """The router says nothing of use now; the text says why."""


@dataclass(frozen=True, slots=True)
class Together(Generic[T]):
    """Asks a long question once for all who want its answer meanwhile, as who reloads a page."""

    _under_way: dict[Hashable, asyncio.Task[T]] = field(default_factory=dict)

    async def ask(self, about: Hashable, question: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the answer; the question has an end of its own, and outlives who asks."""
        task = self._under_way.get(about)
        if task is None:
            task = self._under_way[about] = asyncio.create_task(question())
            task.add_done_callback(lambda done: self._over(about, done))
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Have the next who asks look anew: what is under way may be from before a change."""
        self._under_way.clear()

    def _over(self, about: Hashable, done: asyncio.Task[T]) -> None:
        if self._under_way.get(about) is done:
            del self._under_way[about]
        if not done.cancelled():
            done.exception()  # perhaps nobody is left who would hear of it


async def asked(question: Awaitable[T], seconds: float = SOON) -> T:
    """Return the router's answer; raise `Away` where there is none in time."""
    try:
        async with asyncio.timeout(seconds):
            return await question
    except TimeoutError:
        raise Away("it did not answer in time") from None
    except (RouterUnreachable, RouterRefused) as error:
        raise Away(str(error) or error.code) from None
