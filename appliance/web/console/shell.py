"""What every page for the operator shares: who comes in, the form, the frame, what went wrong."""

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol, TypeVar
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from appliance.domain.audit import FAILED
from appliance.domain.errors import ApplianceError, Conflict, Invalid, TooMany
from appliance.ports import Clock, Record, Records
from appliance.web.console.keys import Keys
from appliance.web.console.pages import ConsolePages
from appliance.web.console.sessions import Session, Sessions
from appliance.web.guard import in_time

log = logging.getLogger(__name__)

COOKIE = "console"
SIGN_IN = "/sign-in"
OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/api/cron/refresh-tokens", SIGN_IN})
"""What needs no session: the rest does, whether there is such a page or not."""
LIVE = frozenset({"/calls/live"})
"""What an open page asks for by itself."""
LARGEST_BODY = 2 * 1024 * 1024
"""A month's statement of M-Pesa has room in it."""
_ON_THIS_SITE = re.compile(r"/(?![/\\])[\w/?&=.%+,-]{0,500}", re.ASCII)
_POLICY = (
    "default-src 'none'; style-src 'nonce-NONCE'; script-src 'nonce-NONCE'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)

R = TypeVar("R", bound=Record)
WriteDown = Callable[..., Awaitable[object]]


class Chapter(Protocol):
    """A part of the console: its name and address in the menu, and its pages."""

    @property
    def title(self) -> str:
        """Return its name in the menu."""
        ...

    @property
    def path(self) -> str:
        """Return its address."""
        ...

    def routes(self) -> list[web.RouteDef]:
        """Return every page of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What the frame of every page needs."""

    pages: ConsolePages
    sessions: Sessions
    keys: Keys
    clock: Clock
    record: WriteDown
    """Write down what is about to be done, as `record(who, did, subject, **detail)`."""
    menu: tuple[tuple[str, str], ...] = ()
    """The chapters' titles and addresses."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the door is about to close: what streams comes to an end."""
    secure: bool = False
    """Whether the operator's browser comes by https alone, as behind a proxy of his own."""


SHELL = web.AppKey("SHELL", Shell)
SESSION = web.RequestKey("SESSION", Session)
DEED = web.RequestKey("DEED", tuple[str, str, str])
"""What was written down as about to be done: by whom, what, and to what."""


@web.middleware
async def admission(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in who is signed in, and take forms only from our own pages; else sign in first."""
    token, by_itself = request.cookies.get(COOKIE, ""), request.path in LIVE
    session = request.app[SHELL].sessions.find(token, by_itself=by_itself)
    if session is not None:
        request[SESSION] = session
    if request.path in OPEN:
        return await handler(request)
    if request.method not in {"GET", "HEAD", "POST"}:
        raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD", "POST"])
    if session is None:
        if request.method == "POST":
            raise web.HTTPUnauthorized
        raise web.HTTPSeeOther(f"{SIGN_IN}?next={quote(request.path_qs[:500], safe='/')}")
    if request.method == "POST":
        await _from_our_own_page(request, session)
    return await handler(request)


@web.middleware
async def in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what went wrong into a page that says it; an operator may read an error's own words."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST or request.path in OPEN - {SIGN_IN}:
            raise
        said = _SAID.get(error.status, HTTPStatus(error.status).phrase)
        answer = _wrong(request, error.status, said)
        answer.headers.extend({n: v for n, v in error.headers.items() if n == "Allow"})
        return answer
    except (ApplianceError, web.RequestPayloadError) as error:
        code = getattr(error, "code", type(error).__name__)
        log.warning("console request failed why=%s", code)
        await came_to_nothing(request, code)
        return _wrong(request, _status_of(error), str(error) or code)


_SAID = {
    401: "Sign in first.",
    403: "This form is from before you signed in. Go back, reload the page, and try again.",
    404: "There is no such page.",
    413: "That is too large.",
}


def _status_of(error: Exception) -> int:
    match error:
        case Invalid() | web.RequestPayloadError():
            return 400
        case Conflict():
            return 409
        case TooMany():
            return 429
        case _:
            return 503


def _wrong(request: web.Request, status: int, said: str) -> web.Response:
    return page(request, "message.html", status=status, heading="That did not work", message=said)


async def form_of(request: web.Request) -> dict[str, str]:
    """Return the text fields of a form."""
    try:
        posted = await in_time(request.post())
    except (ValueError, LookupError):
        raise web.HTTPBadRequest from None
    return {name: value for name, value in posted.items() if isinstance(value, str)}


async def file_of(request: web.Request, name: str) -> bytes:
    """Return the file somebody chose in a form, empty where none was."""
    chosen = (await in_time(request.post())).get(name)
    return chosen.file.read() if isinstance(chosen, web.FileField) else b""


def page(
    request: web.Request,
    template: str,
    *,
    status: int = 200,
    **context: object,
) -> web.Response:
    """Return one page in the frame, for whoever is signed in."""
    shell, session, nonce = request.app[SHELL], request.get(SESSION), secrets.token_hex(12)
    body = shell.pages.render(
        template,
        nonce=nonce,
        csrf_token="" if session is None else session.csrf,
        menu=() if session is None else shell.menu,
        here=request.path,
        said=request.query.get("said", ""),
        **context,
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": _POLICY.replace("NONCE", nonce),
        "Referrer-Policy": "same-origin",  # with none at all, our own forms come from nowhere
    }
    return web.Response(body=body, status=status, headers=headers)


async def found(request: web.Request, records: Records[R]) -> R:
    """Return the record whose id is in the address; else there is no such page."""
    record = await records.get(request.match_info["id"])
    if record is None:
        raise web.HTTPNotFound
    return record


def done(path: str, said: str = "") -> web.HTTPSeeOther:
    """Return the way on after a form, so that a reload does nothing twice; raise it.

    `said` names a sentence of `pages.SAID` that the next page shows.
    """
    query = f"{'&' if '?' in path else '?'}said={said}" if said else ""
    return web.HTTPSeeOther(path + query)


async def record(request: web.Request, did: str, subject: str, **detail: object) -> None:
    """Write into the audit log what the operator is about to do; it is stored when this returns."""
    deed = (f"owner at {request[SESSION].address}", did, subject)
    await request.app[SHELL].record(*deed, **detail)
    request[DEED] = deed


async def came_to_nothing(request: web.Request, why: str) -> None:
    """Write down that what was about to be done was not, where anything was."""
    if DEED not in request:
        return
    who, did, subject = request[DEED]
    try:
        await request.app[SHELL].record(who, FAILED, subject, did=did, why=why)
    except ApplianceError as error:
        log.warning("a failed deed is not written down why=%s", error.code)


def onward(request: web.Request, wanted: str) -> str:
    """Return where to go after signing in: a page of ours, whatever the link said."""
    return wanted if _ON_THIS_SITE.fullmatch(wanted) else "/"


async def _from_our_own_page(request: web.Request, session: Session) -> None:
    if not same_site(request):
        raise web.HTTPForbidden
    shown = (await form_of(request)).get("csrf", "")
    if not secrets.compare_digest(shown.encode(), session.csrf.encode()):
        raise web.HTTPForbidden


def same_site(request: web.Request) -> bool:
    """Say whether a form comes from a page of this very address, as far as the browser tells."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host
