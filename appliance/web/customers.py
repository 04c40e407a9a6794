"""What every page for customers shares: the door's parts, the visit, the answer."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from appliance.flows.cashier import Cashier
from appliance.flows.checkout import Checkout
from appliance.flows.guesses import Guesses
from appliance.flows.progress import Watch
from appliance.flows.recover import Recover
from appliance.flows.redeem import Redeem
from appliance.flows.sharing import Sharing
from appliance.ports import Clock
from appliance.web import errors
from appliance.web.guard import in_time
from appliance.web.pages import Pages
from appliance.web.shelf import Shelf
from appliance.web.visitors import Arrival, Visitors, arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalDoor:
    """What the door needs."""

    checkout: Checkout
    cashier: Cashier
    redeem: Redeem
    recover: Recover
    guesses: Guesses
    sharing: Sharing
    watch: Watch
    shelf: Shelf
    visitors: Visitors
    pages: Pages
    clock: Clock
    language: str


DOOR = web.AppKey("DOOR", PortalDoor)


def visit(request: web.Request, values: Mapping[str, str]) -> tuple[PortalDoor, Arrival]:
    """Return the door and what the visitor brought, from these values."""
    door = request.app[DOOR]
    return door, arrival(request, values, door.pages.languages, door.language)


async def form_of(request: web.Request) -> dict[str, str]:
    """Return the text fields of a form; a file is not an answer to anything we ask.

    A form of bytes that are no text is a bad request; one in parts, as files go, is not taken.
    """
    request.app[DOOR].visitors.acts(request)
    if request.content_type == "multipart/form-data":
        raise web.HTTPUnsupportedMediaType
    try:
        posted = await in_time(request.post())
    except (ValueError, LookupError):  # or of a script that nobody knows
        raise web.HTTPBadRequest from None
    return {name: value for name, value in posted.items() if isinstance(value, str)}


def page(
    request: web.Request,
    here: Arrival,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    keep: Mapping[str, str] | None = None,
    **context: object,
) -> web.Response:
    """Return a page in the visitor's language, with links to itself in the others.

    `keep` is what those links say too, beside what the router handed over.
    """
    pages = request.app[DOOR].pages
    nonce = secrets.token_hex(12)
    links = here.links(request.path if request.method == "GET" else "/", pages.languages, keep)
    body = pages.render(template, here.language, nonce=nonce, self_links=links, **context)
    own = errors.page_headers(nonce) | dict(headers or {})
    return web.Response(body=body, status=status, headers=own)
