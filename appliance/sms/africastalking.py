"""Africa's Talking, bulk SMS, `version1/messaging`: form in, JSON out, one recipient at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from appliance.domain.errors import OutcomeUnknown, SmsRefused, SmsUnavailable
from appliance.domain.messages import Sent
from appliance.sms.gsm7 import segments
from appliance.sms.line import call

LIVE, SANDBOX = "https://api.africastalking.com", "https://api.sandbox.africastalking.com"
_ACCEPTED = frozenset({100, 101, 102})
_FINAL = {
    401: "risk_hold",
    403: "invalid_number",
    404: "unsupported_number",
    406: "blacklisted",
    407: "no_route",
    409: "do_not_disturb",
    502: "rejected_by_gateway",
}
_LATER = {402: "sender_id", 405: "insufficient_balance", 500: "gateway_error", 501: "gateway_error"}
_SENDER = "InvalidSenderId"


@dataclass(frozen=True, slots=True, kw_only=True)
class AfricasTalking:
    """Sends through one account; the one called `sandbox` is theirs for trials."""

    http: httpx.AsyncClient
    username: str
    api_key: str = field(repr=False)
    sender_id: str | None = None
    base_url: str | None = None
    cents: int = 0
    """What a message costs where the answer does not say it in shillings."""

    async def send(self, to: str, text: str) -> Sent:
        """Send one message, once."""
        form = {"username": self.username, "to": f"+{to}", "message": text}
        if self.sender_id:
            form["from"] = self.sender_id
        base = self.base_url or (SANDBOX if self.username == "sandbox" else LIVE)
        answer = await call(
            self.http,
            "POST",
            f"{base}/version1/messaging",
            data=form,
            headers={"apiKey": self.api_key, "Accept": "application/json"},
        )
        if answer.is_client_error:
            raise SmsRefused(f"HTTP {answer.status_code}")
        return self._read(_object(answer), text)

    def _read(self, said: Mapping[str, Any], text: str) -> Sent:
        """Return what became of the message; what proves nothing is `OutcomeUnknown`."""
        data = said.get("SMSMessageData")
        recipients = data.get("Recipients") if isinstance(data, dict) else None
        if isinstance(data, dict) and recipients == []:
            if data.get("Message") == _SENDER:
                raise SmsUnavailable("sender_id")
            raise SmsRefused("no_recipient")
        if not isinstance(recipients, list) or not isinstance(recipients[0], dict):
            raise OutcomeUnknown("unreadable", answered=True)
        one = recipients[0]
        said_code = one.get("statusCode")
        code = said_code if isinstance(said_code, int) else -1
        if code in _ACCEPTED:
            cost = _shillings(one.get("cost"))
            name = one.get("messageId")
            cents = self.cents * segments(text) if cost is None else cost
            return Sent(name[:64] if isinstance(name, str) else None, cents)
        if code in _FINAL:
            raise SmsRefused(_FINAL[code])
        if code in _LATER:
            raise SmsUnavailable(_LATER[code])
        raise OutcomeUnknown("unreadable", answered=True)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _shillings(cost: object) -> int | None:
    """Return what `KES 0.8000` is in hundredths, rounded up; None for other money."""
    currency, _, amount = str(cost).partition(" ")
    if currency != "KES":
        return None
    try:
        cents = Decimal(amount) * 100
        return (
            int(cents.to_integral_value(rounding="ROUND_CEILING")) if 0 <= cents < 10**6 else None
        )
    except InvalidOperation:
        return None
