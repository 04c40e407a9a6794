"""What a customer reads while the database is away: nothing is lost, and codes work elsewhere."""

import ipaddress
from urllib.parse import urlsplit

from aiohttp import web

from appliance.web.pages import Pages
from appliance.web.visitors import Arrival, arrival

REASON = "database_away"
_OF_CODES, _OF_PAID = "problem.away_code", "problem.away_paid"
_SENTENCES = {
    "/": "problem.away_home",
    "/api/captive/plans": "problem.away_home",
    "/redeem": _OF_CODES,
    "/recover": _OF_CODES,
    "/wait/{token}": _OF_PAID,
    "/done/{token}": _OF_PAID,
    "/api/captive/status/{token}": _OF_PAID,
}


def sentence(pages: Pages, language: str, route: str) -> str:
    """Return what to say to who asked for this; of a purchase, that nothing was charged."""
    return pages.text(language, _SENTENCES.get(route, f"problem.{REASON}"))


async def body(request: web.Request, pages: Pages, default: str, nonce: str) -> bytes:
    """Return the page, which leads those who have a code to the router's own."""
    looks = request.method == "GET"
    values = request.query if looks else await request.post()
    given = {name: value for name, value in values.items() if isinstance(value, str)}
    here = arrival(request, given, pages.languages, default)
    path = request.path if looks else "/"
    links = here.links(path, pages.languages)
    return pages.render(
        "away.html",
        here.language,
        nonce=nonce,
        self_links=links,
        message=sentence(pages, here.language, route_of(request)),
        voucher_url=_routers_own(here),
        again_url=links[here.language],
    )


def route_of(request: web.Request) -> str:
    """Return the route's pattern: the path itself may hold a customer's token."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"


def _routers_own(here: Arrival) -> str | None:
    """Return where the router takes codes itself; only what is on this network is linked to."""
    link = here.carry.get("link_login", "")
    try:
        nearby = ipaddress.ip_address(urlsplit(link).hostname or "").is_private
    except ValueError:
        return None
    return f"{link.partition('?')[0]}?var=voucher" if nearby else None
