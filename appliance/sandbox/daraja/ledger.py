"""What really happened, for those who check."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Push:
    """One push that came with a good token."""

    fields: dict[str, Any] = field(repr=False)
    """The body as received."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Money that left a phone."""

    phone: str = field(repr=False)
    receipt: str
    amount: int
    account: str
    short_code: str
    checkout_request_id: str = field(repr=False)
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One callback, after the merchant answered it or was not there."""

    url: str = field(repr=False)
    body: dict[str, Any] = field(repr=False)
    status: int | None
    """The merchant's HTTP status; None when it was not reached in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """A message on a phone."""

    phone: str = field(repr=False)
    text: str = field(repr=False)
    at: datetime


@dataclass(slots=True)
class Ledger:
    """Lists in the order of events, and a way to wait for one."""

    pushes: list[Push] = field(default_factory=list)
    payments: list[Paid] = field(default_factory=list)
    callbacks: list[Callback] = field(default_factory=list)
    messages: list[Sms] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def write(self, entry: Push | Paid | Callback | Sms) -> None:
        """Add an entry and wake who waits for it."""
        match entry:
            case Push():
                self.pushes.append(entry)
            case Paid():
                self.payments.append(entry)
            case Callback():
                self.callbacks.append(entry)
            case Sms():
                self.messages.append(entry)
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, predicate: Callable[["Ledger"], bool], timeout: float) -> None:  # noqa: ASYNC109 # the callers' word
        """Return once the predicate holds; raise `TimeoutError` after so many seconds."""
        async with asyncio.timeout(timeout):
            while not predicate(self):
                await self._changed.wait()

    def shown(self) -> dict[str, Any]:
        """Return everything in JSON's own types."""
        return {
            "pushes": [push.fields for push in self.pushes],
            "payments": [asdict(paid) | {"at": paid.at.isoformat()} for paid in self.payments],
            "callbacks": [asdict(callback) for callback in self.callbacks],
            "messages": [asdict(sms) | {"at": sms.at.isoformat()} for sms in self.messages],
        }
