"""How Daraja words its answers to a request."""

import json
from typing import Any

from aiohttp import web

from appliance.sandbox.daraja import names

CATCH_ALL = "500.001.1001"
NO_PRODUCT = (
    401,
    "401.003.01",
    "Error Occurred - Invalid Access Token - Invalid API call as no apiproduct match found",
)
_INCAPSULA = """<html style="height:100%"><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW">
</head><body style="margin:0px;height:100%"><iframe id="main-iframe" width="100%" height="100%">
Request unsuccessful. Incapsula incident ID: 1234000560190123456-98765432101234567</iframe></body>
</html>"""


class Refusal(Exception):
    """Daraja says no, in this status, code and words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.status = status
        self.code = code
        self.message = message

    def response(self) -> web.Response:
        """Return the refusal as it goes out."""
        return error(self.status, self.code, self.message)


def error(status: int, code: str, message: str) -> web.Response:
    """Return an error body; a few of them come with status 200."""
    body = {"requestId": names.request_id(), "errorCode": code, "errorMessage": message}
    return web.json_response(body, status=status)


def spike_arrest() -> web.Response:
    """Return the fault of the API gateway in front of Daraja."""
    fault = {
        "faultstring": "Spike arrest violation. Allowed rate : MessageRate{messagesPerPeriod=1}",
        "detail": {"errorcode": "policies.ratelimit.SpikeArrestViolation"},
    }
    return web.json_response({"fault": fault}, status=429)


def blocked() -> web.Response:
    """Return the page of the firewall in front of Safaricom."""
    return web.Response(status=403, text=_INCAPSULA, content_type="text/html")


def hung_up(request: web.Request) -> web.Response:
    """Close the connection; the answer returned here is never sent."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()


def invalid(name: str) -> Refusal:
    """Return the refusal of one field."""
    return Refusal(400, "400.002.02", f"Bad Request - Invalid {name}")


async def fields_of(request: web.Request, first: str = "BusinessShortCode") -> dict[str, Any]:
    """Return the JSON object that was sent; whatever is not JSON lacks the first field."""
    if request.content_type != "application/json":
        raise invalid(first)
    try:
        found = json.loads(await request.read())
    except (ValueError, RecursionError) as unreadable:
        raise Refusal(400, "400.002.05", "Invalid Request Payload") from unreadable
    if not isinstance(found, dict):
        raise Refusal(400, "400.002.05", "Invalid Request Payload")
    return found
