"""One HTTP call to Daraja: sent once, and its silence told apart from its refusal."""

import re
from collections.abc import Mapping
from typing import Any

import httpx

from appliance.domain.errors import GatewayRefused, GatewayUnavailable, OutcomeUnknown

BASE_URLS = {
    "sandbox": "https://sandbox.safaricom.co.ke",
    "production": "https://api.safaricom.co.ke",
}
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_FORBIDDEN, _TOO_MANY = 403, 429
_INVALID_TOKEN = frozenset({"404.001.03", "400.003.01", "401.002.01", "401.003.01"})
_NO_PRODUCT = re.compile("no apiproduct match", re.IGNORECASE)
_BUSY = frozenset({"500.003.02", "500.003.03"})
# What is refused for its form was refused before anything was started.
_CHECKED_FIRST = ("400.", "401.", "404.", "405")
# The one code that means six things: only these words prove that nothing was started.
_CATCH_ALL = "500.001.1001"
_NOT_STARTED = {
    "unable to lock subscriber": "prompt_open",
    "wrong credentials": "merchant_config",
    "merchant does not exist": "merchant_config",
}


class InvalidToken(Exception):
    """Daraja no longer takes this token; nothing was started."""


async def send(
    http: httpx.AsyncClient, url: str, token: str, body: Mapping[str, str]
) -> dict[str, Any]:
    """POST once and return the JSON of a 200 without `errorCode`.

    Raises `InvalidToken`, `GatewayRefused` (nothing was started), `GatewayUnavailable` (nothing
    was sent) or `OutcomeUnknown` (it left, and nobody can say).
    """
    try:
        answer = await http.post(url, json=body, headers={"Authorization": f"Bearer {token}"})
    except _NOT_SENT as error:
        raise GatewayUnavailable(type(error).__name__) from error
    except httpx.HTTPError as error:
        raise OutcomeUnknown(type(error).__name__) from error
    found = json_of(answer)
    code = found.get("errorCode")
    if code is None and answer.is_success and found:
        return found
    raise _refusal(answer, found, str(code or ""))


def json_of(answer: httpx.Response) -> dict[str, Any]:
    """Return the answer's JSON object; empty for an empty body, a list or somebody's web page."""
    try:
        found = answer.json()
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refusal(answer: httpx.Response, found: Mapping[str, Any], code: str) -> Exception:
    """Return what an answer means that is no acceptance; only what proves it is a refusal."""
    if "fault" in found:
        return _of_the_gateway(found["fault"])
    if answer.status_code == _FORBIDDEN and not found:
        return GatewayUnavailable("blocked before Daraja")
    if answer.status_code == _TOO_MANY or code in _BUSY:
        return GatewayRefused("mpesa_busy", code)
    message = str(found.get("errorMessage", ""))
    if code in _INVALID_TOKEN and not _NO_PRODUCT.search(message):
        return InvalidToken(code)
    reason = _reason(code, message)
    if reason is not None:
        return GatewayRefused(reason, code)
    return OutcomeUnknown(code or f"HTTP {answer.status_code}", answered=bool(code))


def _reason(code: str, message: str) -> str | None:
    """Return the customer's sentence for an error that proves that nothing was started."""
    if code.startswith(_CHECKED_FIRST):
        phone = "PhoneNumber" in message or "PartyA" in message
        return "not_mpesa_number" if phone else "merchant_config"
    if code == _CATCH_ALL:
        said = message.lower()
        return next((reason for words, reason in _NOT_STARTED.items() if words in said), None)
    return None


def _of_the_gateway(fault: object) -> Exception:
    """Return what a fault of the API gateway means: some come after Daraja took the request."""
    detail = fault.get("detail") if isinstance(fault, dict) else None
    code = str(detail.get("errorcode", "")) if isinstance(detail, dict) else ""
    if code.startswith("policies.ratelimit."):
        return GatewayRefused("mpesa_busy", code)
    if code.endswith((".invalid_access_token", ".access_token_expired")):
        return InvalidToken(code)
    return OutcomeUnknown(code or "fault", answered=True)
