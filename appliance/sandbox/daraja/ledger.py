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
    checkout_request_id: str | None = field(repr=False)
    """None when the customer paid by hand."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversed:
    """Money that went back to a phone."""

    phone: str = field(repr=False)
    receipt: str
    original: str
    """The receipt of the payment."""
    amount: int
    short_code: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """One callback, after the merchant answered it or was not there."""

    url: str = field(repr=False)
    body: dict[str, Any] = field(repr=False)
    status: int | None
    """The merchant's HTTP status; None when it was not reached in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message to a merchant's registered or named URL, and how it was received."""

    url: str = field(repr=False)
    body: dict[str, Any] = field(repr=False)
    status: int | None
    """The merchant's HTTP status; None when it was not reached in time."""
    answer: str
    """The body of the merchant's answer."""


class Confirmation(Sent):
    """Money came in."""


class Validation(Sent):
    """The question whether money may come in."""


class Result(Sent):
    """What became of a status request or a reversal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """A message on a phone."""

    phone: str = field(repr=False)
    text: str = field(repr=False)
    at: datetime
    sender: str = "MPESA"


Entry = Push | Paid | Reversed | Callback | Confirmation | Validation | Result | Sms


@dataclass(slots=True)
class Ledger:
    """Lists in the order of events, and a way to wait for one."""

    pushes: list[Push] = field(default_factory=list)
    payments: list[Paid] = field(default_factory=list)
    callbacks: list[Callback] = field(default_factory=list)
    messages: list[Sms] = field(default_factory=list)
    confirmations: list[Confirmation] = field(default_factory=list)
    validations: list[Validation] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    reversals: list[Reversed] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def write(self, entry: Entry) -> None:
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
            case Reversed():
                self.reversals.append(entry)
            case Confirmation() | Validation() | Result():
                self._file(entry)
        self._changed.set()
        self._changed = asyncio.Event()

    def _file(self, sent: Confirmation | Validation | Result) -> None:
        match sent:
            case Confirmation():
                self.confirmations.append(sent)
            case Validation():
                self.validations.append(sent)
            case Result():
                self.results.append(sent)

    async def wait_for(self, predicate: Callable[["Ledger"], bool], timeout: float) -> None:  # noqa: ASYNC109 # the callers' word
        """Return once the predicate holds; raise `TimeoutError` after so many seconds."""
        async with asyncio.timeout(timeout):
            while not predicate(self):
                await self._changed.wait()

    def shown(self) -> dict[str, Any]:
        """Return everything in JSON's own types."""
        return {
            "pushes": [push.fields for push in self.pushes],
            "payments": [_dated(paid) for paid in self.payments],
            "callbacks": [asdict(callback) for callback in self.callbacks],
            "messages": [_dated(sms) for sms in self.messages],
            "confirmations": [asdict(sent) for sent in self.confirmations],
            "validations": [asdict(sent) for sent in self.validations],
            "results": [asdict(sent) for sent in self.results],
            "reversals": [_dated(back) for back in self.reversals],
        }


def _dated(entry: Paid | Reversed | Sms) -> dict[str, Any]:
    return asdict(entry) | {"at": entry.at.isoformat()}
