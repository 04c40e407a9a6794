"""Takes messages as Africa's Talking does, and refuses what it refuses, in its words."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from aiohttp import web

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.answers import hung_up
from appliance.sandbox.daraja.ledger import Ledger, Sms
from appliance.sandbox.daraja.menu import replaced
from appliance.sandbox.sms.faults import Menu

USERNAME, API_KEY = "sandbox", "pretend-africas-talking-key"
SENDERS = frozenset({"MWANGAZA", "AFRICASTKNG"})
_USUAL_SENDER = "AFRICASTKNG"
_SHILLINGS = "KES 0.8000"
_NUMBER = re.compile(r"\+254[17][0-9]{8}", re.ASCII)
_SEGMENT, _LONG_SEGMENT = 160, 153
_NO_BALANCE, _BLACKLISTED, _GATEWAY = 405, 406, 501
_STATUS = {
    101: "Success",
    403: "InvalidPhoneNumber",
    _NO_BALANCE: "InsufficientBalance",
    _BLACKLISTED: "UserInBlacklist",
    _GATEWAY: "GatewayError",
}


@dataclass(frozen=True, slots=True)
class SmsGateway:
    """The door for messages, and its fault menu."""

    ledger: Ledger
    menu: Menu = field(default_factory=Menu)

    async def send(self, request: web.Request) -> web.Response:
        """Deliver to every number that can be had, and say what became of each."""
        faults = self.menu.now
        await asyncio.sleep(faults.slow_seconds)
        if faults.send == "away":
            return web.Response(status=503, text="Service Unavailable")
        if faults.send == "crash":
            return web.Response(status=500, text="<h1>Internal Server Error</h1>")
        form = {name: str(value) for name, value in (await request.post()).items()}
        refusal = _refusal(request, form)
        if refusal is not None:
            return refusal
        sender = form.get("from") or _USUAL_SENDER
        if sender not in SENDERS:
            return _answer(request, "InvalidSenderId", [])
        recipients = [self._to(number.strip(), form, sender) for number in form["to"].split(",")]
        if faults.send == "lost_answer":
            return hung_up(request)
        sent = sum(one["statusCode"] == 101 for one in recipients)  # noqa: PLR2004
        cost = f"KES {0.8 * sent:.4f}" if sent else "0"
        said = f"Sent to {sent}/{len(recipients)} Total Cost: {cost}"
        return _answer(request, said, recipients)

    async def inbox(self, _: web.Request) -> web.Response:
        """List what is on the phones, the newest first."""
        return web.json_response(
            [
                {"phone": m.phone, "from": m.sender, "text": m.text, "at": m.at.isoformat()}
                for m in reversed(self.ledger.messages)
            ]
        )

    async def faults(self, _: web.Request) -> web.Response:
        """Show the menu."""
        return web.json_response(self.menu.shown())

    async def change_faults(self, request: web.Request) -> web.Response:
        """Replace the menu."""
        return await replaced(self.menu, request)

    def _to(self, number: str, form: Mapping[str, str], sender: str) -> dict[str, str | int]:
        code = self._code(number)
        if code != 101:  # noqa: PLR2004
            return _recipient(code, number, "0", "None")
        phone = number.removeprefix("+")
        self.ledger.write(Sms(phone=phone, text=form["message"], at=names.now(), sender=sender))
        parts = 1 if len(form["message"]) <= _SEGMENT else -(-len(form["message"]) // _LONG_SEGMENT)
        return _recipient(code, number, f"KES {0.8 * parts:.4f}", f"ATXid_{secrets.token_hex(16)}")

    def _code(self, number: str) -> int:
        if not _NUMBER.fullmatch(number):
            return 403
        if self.menu.now.send == "insufficient_balance":
            return _NO_BALANCE
        if self.menu.now.send == "gateway_error":
            return _GATEWAY
        return _BLACKLISTED if number.removeprefix("+") in self.menu.now.refuses else 101


def _refusal(request: web.Request, form: Mapping[str, str]) -> web.Response | None:
    """Return what is wrong with a request as a whole."""
    known = request.headers.get("apiKey") == API_KEY and form.get("username") == USERNAME
    if not request.headers.get("apiKey"):
        return web.Response(status=401, text="Request is missing required HTTP header 'apiKey'")
    for name in ("username", "to", "message"):
        if not form.get(name):
            text = f"Request is missing required form field '{name}'"
            return web.Response(status=400, text=text)
    return (
        None if known else web.Response(status=401, text="The supplied authentication is invalid")
    )


def _recipient(code: int, number: str, cost: str, message_id: str) -> dict[str, str | int]:
    return {
        "statusCode": code,
        "number": number,
        "status": _STATUS[code],
        "cost": cost,
        "messageId": message_id,
    }


def _answer(
    request: web.Request, message: str, recipients: list[dict[str, str | int]]
) -> web.Response:
    """Answer in JSON to who asks for it, and to everybody else in XML."""
    if "application/json" in request.headers.get("Accept", ""):
        data = {"SMSMessageData": {"Message": message, "Recipients": recipients}}
        return web.json_response(data, status=201)
    rows = "".join(
        "<Recipient>"
        + "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in one.items())
        + "</Recipient>"
        for one in recipients
    )
    text = (
        f"<AfricasTalkingResponse><SMSMessageData><Message>{escape(message)}</Message>"
        f"<Recipients>{rows}</Recipients></SMSMessageData></AfricasTalkingResponse>"
    )
    return web.Response(status=201, text=text, content_type="application/xml")
