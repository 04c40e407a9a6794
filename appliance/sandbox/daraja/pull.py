"""`/pulltransactions/v1`: a merchant reads the payments of its last two days."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.answers import Refusal, invalid
from appliance.sandbox.daraja.doors import Doors
from appliance.sandbox.daraja.faults import Menu
from appliance.sandbox.daraja.fields import is_short_code, is_url, matching
from appliance.sandbox.daraja.ledger import Ledger, Paid

PAGE = 100
"""Rows in one answer."""
_WINDOW = timedelta(hours=48)
# A request for exactly two days has been on its way for a moment.
_ALLOWANCE = timedelta(minutes=1)
_REGISTRATION = {
    "ShortCode": is_short_code,
    "RequestType": matching("Pull"),
    "NominatedNumber": matching(r"(0|254)[17][0-9]{8}"),
    "CallBackURL": is_url,
}
_is_date = matching(r"[0-9]{4}(-[0-9]{1,2}){2} [0-9]{1,2}(:[0-9]{2}){2}")
_QUERY = {
    "ShortCode": is_short_code,
    "StartDate": _is_date,
    "EndDate": _is_date,
    "OffSetValue": matching(r"[0-9]{1,9}"),
}


@dataclass(frozen=True, slots=True)
class Pull:
    """Both requests of Pull Transactions."""

    doors: Doors
    menu: Menu
    ledger: Ledger
    _registered: set[str] = field(default_factory=set, repr=False)

    async def register(self, request: web.Request) -> web.Response:
        """Sign a merchant up, once."""
        holder, fields = await self.doors.sign_up(request, _REGISTRATION)
        again = holder.short_code in self._registered
        self._registered.add(holder.short_code)
        said = {
            "ResponseRefID": names.request_id(),
            "ResponseStatus": "1001" if again else "1000",
            "ShortCode": fields["ShortCode"],
            "ResponseDescription": f"Shortcode {'Already ' * again}Registered"
            + " Successfully" * (not again),
        }
        return web.json_response(said)

    async def query(self, request: web.Request) -> web.Response:
        """List payments from StartDate to EndDate, Nairobi's time, from row OffSetValue on."""
        holder, fields = await self.doors.enter(request, _QUERY, "ShortCode")
        if holder.short_code not in self._registered:
            raise Refusal(400, "400.002.02", "Bad Request - ShortCode is not registered for Pull")
        start, end = _moment(fields, "StartDate"), _moment(fields, "EndDate")
        if start < names.now() - _WINDOW - _ALLOWANCE:
            raise Refusal(400, "400.002.02", "Bad Request - StartDate is over 48 hours ago")
        if end < start:
            raise invalid("EndDate")
        found = [
            paid
            for paid in self.ledger.payments
            if paid.short_code == holder.short_code
            and start <= paid.at.replace(microsecond=0) <= end
        ]
        first = int(fields["OffSetValue"])
        return web.json_response(self._said(holder, found[first : first + PAGE]))

    def _said(self, merchant: Merchant, page: list[Paid]) -> dict[str, Any]:
        faults = self.menu.of(None)
        rows = [_row(merchant, paid, faults.pull_dates) for paid in page]
        nothing = "[[]]" if faults.pull_none == "text" else [[]]
        return {
            "ResponseRefID": names.request_id(),
            "ResponseCode": "1000" if rows else "1001",
            "ResponseMessage": "Success" if rows else "No transactions found",
            "Response": [rows] if rows else nothing,
        }


def _row(merchant: Merchant, paid: Paid, dates: str) -> dict[str, str | int]:
    paybill = merchant.type == "paybill"
    return {
        "transactionId": paid.receipt,
        "trxDate": _date(paid.at, dates),
        "msisdn": int(paid.phone),
        "sender": names.first_name(paid.phone),
        "transactiontype": "c2b-pay-bill-debit" if paybill else "c2b-buy-goods-debit",
        "billreference": paid.account if paybill else "",
        "amount": f"{paid.amount}.00",
        "organizationname": merchant.name,
    }


def _date(at: datetime, form: str) -> str:
    match form:
        case "plain":
            return f"{at:%Y-%m-%d %H:%M:%S}"
        case "false_utc":
            return f"{at:%Y-%m-%dT%H:%M:%SZ}"
        case _:
            return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(fields: dict[str, str], name: str) -> datetime:
    try:
        said = datetime.strptime(fields[name], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 # zone follows
    except ValueError as impossible:
        raise invalid(name) from impossible
    return said.replace(tzinfo=names.EAST_AFRICA)
