"""What goes wrong, as an HTTP status and a sentence; nowhere else are the two tied together."""

import logging
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from appliance.domain.errors import (
    ApplianceError,
    Invalid,
    Locked,
    RouterRefused,
    RouterUnreachable,
    SalesClosed,
    TooMany,
)
from appliance.web import away
from appliance.web.pages import Pages

log = logging.getLogger(__name__)

_POLICY = (
    "default-src 'none'; style-src 'nonce-NONCE'; script-src 'nonce-NONCE'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'self' http:"
)

_NOT_FOUND = frozenset({"plan_unknown", "code_unknown", "receipt_unknown", "page_unknown"})
_UNFIT = {400: "not_json", 408: "too_slow", 413: "too_large", 415: "not_json"}
_OURS = frozenset({"unreadable", "missing"})
"""What a customer can neither understand nor mend: the operator is told."""
_IN_USE = frozenset({"code_in_use", "code_expired", "code_elsewhere"})


def status_of(error: ApplianceError) -> int:
    """Return the HTTP status that says whose turn it is."""
    match error:
        case Invalid(reason=reason) if reason in _NOT_FOUND:
            return 404
        case Invalid(reason=reason) if reason in _IN_USE:
            return 409
        case Invalid():
            return 400
        case Locked():
            return 409
        case TooMany():
            return 429
        case _:
            return 503


def reason_of(error: ApplianceError) -> str:
    """Return the error's name for programs, which is also its sentence's key."""
    match error:
        case Invalid(reason=reason) | TooMany(reason=reason):
            return reason
        case RouterUnreachable() | RouterRefused():
            return "router_away"
        case _ if error.code in _OURS:
            return "unexpected"
        case _:
            return error.code


def sentence(pages: Pages, language: str, error: ApplianceError) -> str:
    """Return what the customer should read; never the error's own text."""
    seconds = error.seconds if isinstance(error, Locked | TooMany) else 0
    duration = pages.duration(language, seconds)
    return pages.text(language, f"problem.{reason_of(error)}", seconds=seconds, duration=duration)


def headers_of(error: ApplianceError | None) -> dict[str, str]:
    """Return the headers that say when to come back."""
    if isinstance(error, Locked | TooMany):
        return {"Retry-After": str(error.seconds)}
    return {}


def on_home(
    pages: Pages, language: str, error: Invalid | Locked | TooMany | SalesClosed | None
) -> tuple[int, dict[str, str] | None, str | None]:
    """Return status, problem and closing sentence for the home page shown again."""
    if error is None:
        return 200, None, None
    message = sentence(pages, language, error)
    if isinstance(error, SalesClosed):
        return status_of(error), None, message
    field = "phone" if isinstance(error, Locked) else error.field
    return status_of(error), {"field": field, "message": message}, None


def portal_errors(pages: Pages, default: str) -> Middleware:
    """Return the middleware that turns every error into a kind page, or JSON under /api/."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPSeeOther as redirect:
            redirect.headers["Cache-Control"] = "no-store"
            raise
        except web.HTTPException as error:
            reason = _UNFIT.get(error.status, "page_unknown")
            answer = await _answer(request, pages, default, error.status, reason)
            answer.headers.extend({n: v for n, v in error.headers.items() if n == "Allow"})
            return answer
        except web.RequestPayloadError:  # it says it is compressed, and is not
            answer = await _answer(request, pages, default, 400, _UNFIT[400])
            answer.force_close()
            return answer
        except ApplianceError as error:
            log.warning("request failed path=%s code=%s", away.route_of(request), error.code)
            answer = await _answer(request, pages, default, status_of(error), reason_of(error))
            answer.headers.update(headers_of(error))
            return answer

    return middleware


def page_headers(nonce: str) -> dict[str, str]:
    """Return the headers of every page: nothing foreign runs, nothing personal is kept."""
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": _POLICY.replace("NONCE", nonce),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


async def _answer(
    request: web.Request, pages: Pages, default: str, status: int, reason: str
) -> web.Response:
    language = request.query.get("lang", default)
    language = language if language in pages.languages else default
    if reason == away.REASON:
        message = away.sentence(pages, language, away.route_of(request))
    else:
        message = pages.text(language, f"problem.{reason}")
    if request.path.startswith("/api/"):
        said = {"error": {"code": reason, "message": message}}
        return web.json_response(said, status=status)
    nonce = secrets.token_hex(12)
    headers = page_headers(nonce)
    if reason == away.REASON:
        body = await away.body(request, pages, default, nonce)
        return web.Response(body=body, status=status, headers=headers)
    body = pages.render(
        "message.html",
        language,
        nonce=nonce,
        self_links={},
        heading=pages.text(language, "message.heading"),
        message=message,
        home_url="/",
    )
    return web.Response(body=body, status=status, headers=headers)
