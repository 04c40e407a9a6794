"""`/mpesa/transactionstatus` and `/mpesa/reversal`: acknowledged at once, done afterwards."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from appliance.sandbox.daraja import names, reports, results
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.answers import invalid
from appliance.sandbox.daraja.callbacks import Courier
from appliance.sandbox.daraja.doors import Doors, unknown_token
from appliance.sandbox.daraja.errands import Errands
from appliance.sandbox.daraja.faults import Menu
from appliance.sandbox.daraja.fields import (
    Fits,
    is_amount,
    is_short_code,
    is_url,
    matching,
    optional,
    words_up_to,
)
from appliance.sandbox.daraja.ledger import Paid, Result
from appliance.sandbox.daraja.money import Money
from appliance.sandbox.daraja.reports import Asked

_CIPHER = 256
"""Bytes of a password under a 2048-bit key."""


def _is_credential(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) >= _CIPHER
    except (binascii.Error, ValueError):
        return False


_RECEIPT = matching(r"[A-Za-z0-9]{10}")
_INITIATED: Mapping[str, Fits] = {
    "Initiator": words_up_to(30),
    "SecurityCredential": _is_credential,
}
_ANSWERED: Mapping[str, Fits] = {
    "ResultURL": is_url,
    "QueueTimeOutURL": is_url,
    "Remarks": words_up_to(100),
    "Occasion": optional(words_up_to(100)),
}
_STATUS: Mapping[str, Fits] = {
    **_INITIATED,
    "CommandID": matching("TransactionStatusQuery"),
    "TransactionID": optional(_RECEIPT),
    "OriginalConversationID": optional(words_up_to(60)),
    "PartyA": is_short_code,
    "IdentifierType": matching("[24]"),
    **_ANSWERED,
}
_REVERSAL: Mapping[str, Fits] = {
    **_INITIATED,
    "CommandID": matching("TransactionReversal"),
    "TransactionID": _RECEIPT,
    "Amount": is_amount,
    "ReceiverParty": is_short_code,
    "RecieverIdentifierType": matching("11"),  # Safaricom's spelling
    **_ANSWERED,
}


@dataclass(frozen=True, slots=True)
class BackOffice:
    """What a merchant's API operator may ask for."""

    doors: Doors
    menu: Menu
    money: Money
    courier: Courier
    errands: Errands
    _receipts: dict[str, str] = field(default_factory=dict, repr=False)
    """The payment that an earlier request, by its OriginatorConversationID, was about."""

    async def status(self, request: web.Request) -> web.Response:
        """Take the question what became of a payment."""
        holder, fields = await self.doors.enter(request, _STATUS, "PartyA", unknown_token)
        if not fields["TransactionID"] and not fields["OriginalConversationID"]:
            raise invalid("TransactionID")
        earlier = self._receipts.get(fields["OriginalConversationID"], "")
        asked = _asked(holder, fields, fields["TransactionID"] or earlier)
        return self._acknowledged(asked, reverses=False)

    async def reversal(self, request: web.Request) -> web.Response:
        """Take the order to give a payment back."""
        holder, fields = await self.doors.enter(request, _REVERSAL, "ReceiverParty")
        return self._acknowledged(_asked(holder, fields, fields["TransactionID"]), reverses=True)

    def _acknowledged(self, asked: Asked, *, reverses: bool) -> web.Response:
        self._receipts[asked.originator] = asked.receipt
        self.errands.start(self._done(asked, reverses=reverses))
        said = {"ResponseDescription": "Accept the service request successfully."}
        return web.json_response({**asked.ids, "ResponseCode": "0", **said})

    async def _done(self, asked: Asked, *, reverses: bool) -> None:
        faults = self.menu.of(None)
        await asyncio.sleep(faults.initiator_delay)
        if faults.initiator_sent == "timeout":
            await self._send(asked.timeout_url, reports.failed(asked, results.BUSY))
            return
        payment = self.money.paid(asked.merchant, asked.receipt)
        code = self._refusal(asked, payment, reverses=reverses)
        if payment is None or code is not None:
            body = reports.failed(asked, code or results.NO_SUCH_RECEIPT)
        elif reverses:
            back = self.money.give_back(payment)
            left = self.money.account(asked.merchant, back.at)
            body = reports.reversed_(asked, back, left, faults.initiator_items)
        else:
            body = reports.found(asked, payment, faults.initiator_items)
        for _ in range({"twice": 2, "never": 0}.get(faults.initiator_sent, 1)):
            await self._send(asked.result_url, body)

    def _refusal(self, asked: Asked, payment: Paid | None, *, reverses: bool) -> str | None:
        ordered = self.menu.of(None).initiator_result
        if ordered not in {None, results.PAID}:
            return ordered
        if asked.initiator != asked.merchant.initiator:
            return results.BAD_INITIATOR
        if payment is None:
            return results.NO_SUCH_RECEIPT
        if reverses and self.money.was_reversed(payment):
            return results.ALREADY_REVERSED
        if reverses and payment.amount != asked.amount:
            return results.NOT_ALLOWED
        return None

    async def _send(self, url: str, body: reports.Report) -> None:
        status, answer = await self.courier.send(url, body)
        self.money.ledger.write(Result(url=url, body=body, status=status, answer=answer))


def _asked(merchant: Merchant, fields: Mapping[str, str], receipt: str) -> Asked:
    return Asked(
        merchant=merchant,
        initiator=fields["Initiator"],
        receipt=receipt.upper(),
        amount=int(fields.get("Amount", 0)),
        result_url=fields["ResultURL"],
        timeout_url=fields["QueueTimeOutURL"],
        occasion=fields["Occasion"],
        originator=names.request_id(),
        conversation=names.conversation_id(names.now()),
    )
