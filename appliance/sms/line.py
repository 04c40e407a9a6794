"""One HTTP call to a provider: sent once, and its silence told apart from its refusal."""

from typing import Any

import httpx

from appliance.domain.errors import OutcomeUnknown, SmsUnavailable

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_AWAY = {
    401: "credentials",
    402: "insufficient_balance",
    403: "credentials",
    429: "busy",
    503: "away",
}
"""What proves that nothing was sent, and may be otherwise later: with time, or by the operator."""


async def call(http: httpx.AsyncClient, method: str, url: str, **more: Any) -> httpx.Response:
    """Return an answer that is neither an outage nor a crash of the provider's.

    Raises `SmsUnavailable` where nothing was sent, `OutcomeUnknown` where nobody can say.
    """
    try:
        answer = await http.request(method, url, **more)
    except _NOT_SENT as error:
        raise SmsUnavailable("unreachable") from error
    except httpx.InvalidURL as error:
        raise SmsUnavailable("address") from error
    except httpx.HTTPError as error:
        raise OutcomeUnknown(type(error).__name__) from error
    reason = _AWAY.get(answer.status_code)
    if reason is not None:
        raise SmsUnavailable(reason)
    if answer.is_server_error or answer.is_redirect:
        raise OutcomeUnknown(f"HTTP {answer.status_code}", answered=True)
    return answer
