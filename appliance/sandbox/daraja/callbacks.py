"""STK callbacks, and who carries them: each is sent once, whatever the merchant answers."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from appliance.sandbox.daraja import names, results
from appliance.sandbox.daraja.faults import Faults
from appliance.sandbox.daraja.ledger import Callback, Ledger
from appliance.sandbox.daraja.transactions import Outcome, Transaction

log = logging.getLogger(__name__)

LATE = 90.0
"""Seconds after which what is late comes."""
_PATIENCE = 10.0


def bodies(transaction: Transaction, outcome: Outcome, faults: Faults) -> list[dict[str, Any]]:
    """Return what the merchant will be sent, in order; empty when it is told nothing."""
    usual = body(transaction, outcome, faults.callback_items)
    match faults.callback:
        case "never":
            return []
        case "twice":
            return [usual, usual]
        case "wrong_amount":
            more = transaction.order.amount + 1
            return [body(transaction, outcome, faults.callback_items, amount=more)]
        case "unknown_checkout":
            another = names.checkout_request_id(outcome.at, "254700000000")
            usual["Body"]["stkCallback"]["CheckoutRequestID"] = another
            return [usual]
        case _:
            return [usual]


def body(
    transaction: Transaction, outcome: Outcome, items: str, amount: int | None = None
) -> dict[str, Any]:
    """Return one callback; only a success has metadata."""
    code, words = results.in_a_callback(outcome.code)
    callback: dict[str, Any] = {**transaction.ids, "ResultCode": code, "ResultDesc": words}
    if outcome.receipt is not None:
        paid = float(amount or transaction.order.amount)
        listed = _items(transaction, outcome, outcome.receipt, paid)
        callback["CallbackMetadata"] = {"Item": _arranged(listed, items)}
    return {"Body": {"stkCallback": callback}}


@dataclass(frozen=True, slots=True)
class Courier:
    """Carries messages to merchants; of callbacks it writes down how they were received."""

    ledger: Ledger
    _http: aiohttp.ClientSession = field(repr=False)

    async def deliver(self, transaction: Transaction, message: dict[str, Any]) -> None:
        """Bring a callback, once."""
        url = transaction.order.callback_url
        headers = {"Businessshortcode": transaction.order.merchant.short_code}
        status, _ = await self.send(url, message, headers)
        self.ledger.write(Callback(url=url, body=message, status=status))

    async def send(
        self,
        url: str,
        message: dict[str, Any],
        headers: Mapping[str, str] | None = None,
        seconds: float = _PATIENCE,
    ) -> tuple[int | None, str]:
        """Send once, follow no redirect, never again; return status and answer."""
        content = {"Content-Type": "application/json;charset=UTF-8"}
        try:
            async with self._http.post(
                URL(url, encoded=True),
                json=message,
                headers=content | dict(headers or {}),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=seconds),
            ) as answer:
                return answer.status, (await answer.read()).decode(errors="replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("message not delivered error=%s", type(error).__name__)
            return None, ""


@asynccontextmanager
async def courier(ledger: Ledger) -> AsyncIterator[Courier]:
    """Keep a courier until the block ends; every callback is a connection of its own."""
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        yield Courier(ledger, http)


def _items(
    transaction: Transaction, outcome: Outcome, receipt: str, paid: float
) -> list[dict[str, Any]]:
    return [
        {"Name": "Amount", "Value": paid},
        {"Name": "MpesaReceiptNumber", "Value": receipt},
        {"Name": "Balance"},
        {"Name": "TransactionDate", "Value": int(names.stamp(outcome.at))},
        {"Name": "PhoneNumber", "Value": int(transaction.order.phone)},
    ]


def _arranged(listed: list[dict[str, Any]], items: str) -> list[dict[str, Any]]:
    amount, receipt, balance, date, phone = listed
    match items:
        case "four":
            return [amount, receipt, date, phone]
        case "reordered":
            return [phone, balance, date, amount, receipt]
        case "java_balance":
            value = "{Amount={BasicAmount=83570.48, MinimumAmount=8357048, CurrencyCode=KES}}"
            return [amount, receipt, balance | {"Value": value}, date, phone]
        case _:
            return listed
