"""`/mpesa/stkpush` and `/mpesa/stkpushquery`: what comes in, and what goes wrong on the way."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from appliance.sandbox.daraja import answers, checks, results
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.answers import CATCH_ALL, Refusal
from appliance.sandbox.daraja.express import Express, locked
from appliance.sandbox.daraja.faults import Menu
from appliance.sandbox.daraja.ledger import Ledger, Push
from appliance.sandbox.daraja.oauth import Tokens
from appliance.sandbox.daraja.transactions import Transaction

_ACCEPTED = "Success. Request accepted for processing"
_REFUSALS: Mapping[str, tuple[int, str, str]] = {
    "busy": (500, "500.003.02", "System is busy. Please try again in few minutes."),
    "quota": (500, "500.003.03", "Error Occurred: Quota Violation"),
    "internal": (500, "500.003.1001", "Internal Server Error"),
    "empty_500": (500, CATCH_ALL, ""),
    "empty_200": (200, CATCH_ALL, ""),
    "refused_merchant": (500, CATCH_ALL, "Merchant does not exist"),
    "wrong_credentials": (500, CATCH_ALL, "[MerchantValidate] - Wrong credentials"),
    "invalid_phone": (400, "400.002.02", "Bad Request - Invalid PhoneNumber"),
    "no_product": answers.NO_PRODUCT,
}


@dataclass(frozen=True, slots=True)
class Stk:
    """The two requests of M-Pesa Express."""

    merchants: Sequence[Merchant]
    tokens: Tokens
    menu: Menu
    ledger: Ledger
    express: Express
    clock: Callable[[], datetime]
    """By which it sees whether a request was signed just now."""

    async def push(self, request: web.Request) -> web.Response:
        """Take a push: the phone rings before this answers."""
        holder = self.tokens.holder(request)
        fields = await answers.fields_of(request)
        self.ledger.write(Push(fields))
        order = checks.push(fields, holder, self.merchants, self.clock())
        faults = self.menu.of(order.phone)
        if (kept_out := self._kept_out(faults.push, order.phone, holder)) is not None:
            return kept_out
        transaction = await self.express.accept(order, faults)
        if faults.push == "lost_answer":
            return answers.hung_up(request)
        if faults.push == "slow":
            await asyncio.sleep(faults.slow_seconds)
        return web.json_response(_accepted(transaction))

    async def query(self, request: web.Request) -> web.Response:
        """Say what became of a push, as far as Daraja would."""
        holder = self.tokens.holder(request)
        fields = await answers.fields_of(request)
        merchant, checkout = checks.query(fields, holder, self.merchants, self.clock())
        transaction = self.express.find(checkout)
        if transaction is None or transaction.order.merchant != merchant:
            raise _no_such_transaction()
        transaction.queries += 1
        return self._said(transaction, request)

    def _kept_out(self, fault: str, phone: str, holder: Merchant) -> web.Response | None:
        """Return the answer of a push that starts nothing."""
        if fault == "invalid_token_once" and self.menu.first_time(phone):
            self.tokens.kill(holder)
            raise Refusal(404, "404.001.03", "Invalid Access Token")
        if fault == "subscriber_locked":
            raise locked()
        if fault == "spike_arrest":
            return answers.spike_arrest()
        if fault == "html_403":
            return answers.blocked()
        return answers.error(*_REFUSALS[fault]) if fault in _REFUSALS else None

    def _said(self, transaction: Transaction, request: web.Request) -> web.Response:
        outcome = transaction.outcome
        code = outcome.code if outcome else results.IN_FLIGHT
        match self.menu.of(transaction.order.phone).query:
            case "never":
                return answers.hung_up(request)
            case "spike_arrest":
                return answers.spike_arrest()
            case "errors_at_200":
                return answers.error(200, CATCH_ALL, "")
            case "flaky" if transaction.queries % 2:
                raise _no_such_transaction()
            case "in_flight_500" if outcome is None:
                return answers.error(500, CATCH_ALL, "The transaction is being processed")
            case "in_flight_forever":
                code = results.IN_FLIGHT
            case "false_2029" if outcome is None:
                code = results.WRONG_STORE
        return web.json_response(_status(transaction, code))


def _accepted(transaction: Transaction) -> dict[str, Any]:
    return {
        **transaction.ids,
        "ResponseCode": "0",
        "ResponseDescription": _ACCEPTED,
        "CustomerMessage": _ACCEPTED,
    }


def _status(transaction: Transaction, code: str) -> dict[str, Any]:
    shown, words = results.in_a_query(code)
    return {
        "ResponseCode": "0",
        "ResponseDescription": "The service request has been accepted successfully",
        **transaction.ids,
        "ResultCode": shown,
        "ResultDesc": words,
    }


def _no_such_transaction() -> Refusal:
    return Refusal(500, CATCH_ALL, "The transaction does not Exist")
