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
_FORBIDDEN, _TOO_MANY, _SERVER_ERROR = 403, 429, 500
_INVALID_TOKEN = frozenset({"404.001.03", "400.003.01", "401.002.01", "401.003.01"})
_NO_PRODUCT = re.compile("no apiproduct match", re.IGNORECASE)
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
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _refusal(answer: httpx.Response, found: Mapping[str, Any], code: str) -> Exception:
    message = str(found.get("errorMessage", ""))
    if code in _INVALID_TOKEN:
        hopeless = _NO_PRODUCT.search(message)
        return GatewayRefused("merchant_config", code) if hopeless else InvalidToken(code)
    if "fault" in found or answer.status_code == _TOO_MANY or code in {"500.003.02", "500.003.03"}:
        return GatewayRefused("mpesa_busy", code or "fault")
    if answer.status_code == _FORBIDDEN and not found:
        return GatewayUnavailable("blocked before Daraja")
    if code and code != _CATCH_ALL and answer.status_code < _SERVER_ERROR:
        phone = "PhoneNumber" in message or "PartyA" in message
        return GatewayRefused("not_mpesa_number" if phone else "merchant_config", code)
    if code == _CATCH_ALL:
        for words, reason in _NOT_STARTED.items():
            if words in message.lower():
                return GatewayRefused(reason, code)
    return OutcomeUnknown(code or f"HTTP {answer.status_code}")
