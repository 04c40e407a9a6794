"""Questions to the router with an end: a page never waits long for one that is away."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from appliance.domain.errors import RouterRefused, RouterUnreachable

T = TypeVar("T")

SOON = 0.8
"""Seconds until a page says that the router does not answer."""
LONG = 20.0
"""Seconds for reading all of a router that has answered just now."""


class Away(Exception):
    """The router says nothing of use now; the text says why."""


async def asked(question: Awaitable[T], seconds: float = SOON) -> T:
    """Return the router's answer; raise `Away` where there is none in time."""
    try:
        async with asyncio.timeout(seconds):
            return await question
    except TimeoutError:
        raise Away("it did not answer in time") from None
    except (RouterUnreachable, RouterRefused) as error:
        raise Away(str(error) or error.code) from None
