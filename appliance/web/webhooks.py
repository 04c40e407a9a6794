"""Safaricom's door: store the raw body, say 0 Accepted, decide afterwards."""

import hmac
import ipaddress
import logging
import re
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.typedefs import Handler

from appliance.domain import debts, ids
from appliance.domain.errors import StoreUnavailable
from appliance.domain.records import WebhookLog
from appliance.ports import Clock, Handover, Payments, WebhookLogs

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
_TOKEN = re.compile("[0-9a-f]{32}")
_ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksDoor:
    """What the door needs."""

    payments: Payments
    webhooks: WebhookLogs
    clock: Clock
    hand_over: Handover[WebhookLog]
    path_secret: str = field(repr=False)
    client_ip_header: str | None = None


DOOR = web.AppKey("DOOR", WebhooksDoor)


def build_webhooks(door: WebhooksDoor) -> web.Application:
    """Return the application; whatever it does not know is 404."""
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_nothing_else])
    app[DOOR] = door
    app.router.add_post("/hooks/{secret}/stk/{token}", _stk_callback)
    return app


@web.middleware
async def _nothing_else(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed:
        raise web.HTTPNotFound from None
    except StoreUnavailable as error:
        log.error("a callback could not be stored why=%s", error)
        raise web.HTTPServiceUnavailable from error


async def _stk_callback(request: web.Request) -> web.Response:
    """Answer once the raw body is stored; a body we cannot read is stored and accepted too."""
    door = request.app[DOOR]
    secret, token = request.match_info["secret"], request.match_info["token"]
    right = hmac.compare_digest(secret.encode(), door.path_secret.encode())
    if not right or not _TOKEN.fullmatch(token):
        raise web.HTTPNotFound
    payment = await door.payments.find("callbackHash", ids.fingerprint(token))
    if payment is None:
        raise web.HTTPNotFound
    now = door.clock.now()
    webhook = WebhookLog(
        id=ids.new_id(),
        source="mpesa_stk_callback",
        type="stk_callback",
        timestamp=now,
        raw_body=(await request.read()).decode("utf-8", errors="replace"),
        payment_id=payment.id,
        remote_ip=_client_ip(request, door.client_ip_header),
        owed=debts.owing(debts.Kind.SETTLE, now),
    )
    await door.webhooks.insert(webhook)
    door.hand_over(webhook)
    return web.json_response(_ACCEPTED)


def _client_ip(request: web.Request, header: str | None) -> str | None:
    """Return the caller's address; a tunnel's header is trusted because of the listener."""
    shown = request.headers.get(header, "") if header else request.remote or ""
    try:
        return str(ipaddress.ip_address(shown.rpartition(",")[2].strip()))
    except ValueError:
        return None
