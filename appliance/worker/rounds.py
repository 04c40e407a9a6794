"""Loops that come round, whether there is work or not, so that one that hangs is noticed."""

import asyncio
from typing import TypeVar

T = TypeVar("T")

_LONGEST_IDLE = 10.0


async def next_of(queue: asyncio.Queue[T]) -> T | None:
    """Return what is next in the queue, or None after a while without anything."""
    try:
        async with asyncio.timeout(_LONGEST_IDLE):
            return await queue.get()
    except TimeoutError:
        return None


def is_stopping() -> bool:
    """Say whether this task itself was told to end, and not something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
