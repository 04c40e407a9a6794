"""Safaricom's door: store the raw body, say 0 Accepted, decide afterwards."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace

from aiohttp import web
from aiohttp.typedefs import Handler

from appliance.domain import debts, ids, probes
from appliance.domain.errors import ApplianceError, StoreUnavailable
from appliance.domain.records import WebhookLog
from appliance.flows.inbox import (
    C2B_CONFIRMATION,
    REVERSAL_RESULT,
    REVERSAL_TIMEOUT,
    STATUS_RESULT,
    STATUS_TIMEOUT,
    STK_CALLBACK,
)
from appliance.flows.intake import Intake
from appliance.ports import Clock, WebhookLogs
from appliance.web.callers import CALLER, PROBE, Admission, Callers
from appliance.web.guard import in_time

log = logging.getLogger(__name__)

LARGEST_BODY = 64 * 1024
_TOKEN = re.compile("[0-9a-f]{32}")
_ACCEPTED = {"ResultCode": 0, "ResultDesc": "Accepted"}
_C2B_VALIDATION = "c2b_validation"
_SOURCES = {
    STK_CALLBACK: "mpesa_stk_callback",
    C2B_CONFIRMATION: "mpesa_confirmation",
    _C2B_VALIDATION: "mpesa_validation",
    STATUS_RESULT: "mpesa_transaction_status",
    STATUS_TIMEOUT: "mpesa_transaction_status",
    REVERSAL_RESULT: "mpesa_reversal",
    REVERSAL_TIMEOUT: "mpesa_reversal",
}
# Safaricom waits eight seconds; each code picks the SMS that the payer gets.
_VALIDATION_SECONDS = 5.0
_REJECTIONS = {"account": "C2B00012", "amount": "C2B00013", "shortcode": "C2B00015"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksDoor:
    """What the door needs."""

    intake: Intake
    webhooks: WebhookLogs
    clock: Clock
    expecting: Callable[[str], Awaitable[str | None]]
    """Says what speaks against letting money in: `shortcode`, `account`, `amount`, or nothing."""
    path_secret: str = field(repr=False)
    callers: Callers = field(default_factory=Callers)
    seed_paths: bool = False
    """Whether the addresses of the owner's earlier programs are served too, as hints."""


DOOR = web.AppKey("DOOR", WebhooksDoor)
RESPONDENT = web.AppKey("RESPONDENT", probes.Respondent)


def build_webhooks(door: WebhooksDoor) -> web.Application:
    """Return the application; whatever it does not know is 404."""
    admission = Admission(door.callers, door.path_secret, door.webhooks, door.clock)
    app = web.Application(
        client_max_size=LARGEST_BODY, middlewares=[_nothing_else, admission.middleware]
    )
    app[DOOR] = door
    app[RESPONDENT] = probes.Respondent(door.path_secret)
    app.router.add_post("/hooks/{secret}/stk/{token}", _stk_callback)
    app.router.add_post("/hooks/{secret}/c2b/confirmation", _confirmation)
    app.router.add_post("/hooks/{secret}/c2b/validation", _validation)
    app.router.add_post("/hooks/{secret}/status/{token}/result", _status_result)
    app.router.add_post("/hooks/{secret}/status/{token}/timeout", _status_timeout)
    app.router.add_post("/hooks/{secret}/reversal/{token}/result", _reversal_result)
    app.router.add_post("/hooks/{secret}/reversal/{token}/timeout", _reversal_timeout)
    app.router.add_post(PROBE, _probe)
    if door.seed_paths:
        app.router.add_post("/api/webhooks/mpesa/callback", _unproved_callback)
        app.router.add_post("/api/webhooks/mpesa", _unproved_confirmation)
    return app


@web.middleware
async def _nothing_else(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed:
        raise web.HTTPNotFound from None
    except web.RequestPayloadError:  # it says it is compressed, and is not: there is no body
        refused = web.HTTPBadRequest()
        refused.force_close()  # or the tunnel sends somebody's callback down a dead line
        raise refused from None
    except StoreUnavailable as error:
        log.error("a callback could not be stored why=%s", error)
        raise web.HTTPServiceUnavailable from error


async def _stk_callback(request: web.Request) -> web.Response:
    """Answer once the raw body is stored; a body we cannot read is stored and accepted too."""
    door, token = request.app[DOOR], request.match_info["token"]
    if not _TOKEN.fullmatch(token):
        raise web.HTTPNotFound
    webhook = await _arrived(request, STK_CALLBACK)
    sure = request[CALLER].listed is not False
    return await _taken(door, replace(webhook, proved=sure), ids.fingerprint(token))


async def _confirmation(request: web.Request) -> web.Response:
    """Take the news of money; it has moved, so there is nothing to refuse."""
    webhook, doubtful = await _arrived(request, C2B_CONFIRMATION), request[CALLER].doubtful
    return await _taken(request.app[DOOR], replace(webhook, proved=not doubtful, doubted=doubtful))


async def _validation(request: web.Request) -> web.Response:
    """Say whether money may come in; in doubt it may, and is sorted out afterwards."""
    door = request.app[DOOR]
    webhook = await _arrived(request, _C2B_VALIDATION)
    against = None
    try:
        async with asyncio.timeout(_VALIDATION_SECONDS):
            against = await door.expecting(webhook.raw_body)
            status = "accepted" if against is None else f"rejected_{against}"
            await door.webhooks.insert(replace(webhook, status=status, owed=None))
    except (TimeoutError, ApplianceError) as error:
        log.warning("validation answered without knowing why=%s", type(error).__name__)
    if against is None:
        return web.json_response({"ResultCode": "0", "ResultDesc": "Accepted"})
    return web.json_response({"ResultCode": _REJECTIONS[against], "ResultDesc": "Rejected"})


async def _status_result(request: web.Request) -> web.Response:
    """Take what became of a receipt that we asked about."""
    return await _answered(request, STATUS_RESULT)


async def _status_timeout(request: web.Request) -> web.Response:
    """Take the news that our question was not answered in time."""
    return await _answered(request, STATUS_TIMEOUT)


async def _reversal_result(request: web.Request) -> web.Response:
    """Take how an order to give money back ended."""
    return await _answered(request, REVERSAL_RESULT)


async def _reversal_timeout(request: web.Request) -> web.Response:
    """Take the news that our order was not carried out in time."""
    return await _answered(request, REVERSAL_TIMEOUT)


async def _answered(request: web.Request, kind: str) -> web.Response:
    """Keep an answer with its question, which the address itself holds: a restart loses none."""
    door = request.app[DOOR]
    # Whichever secret the question left with is the one that leads here.
    asked = ids.unsigned(request.match_info["secret"], request.match_info["token"])
    if asked is None or request[CALLER].doubtful:
        raise web.HTTPNotFound
    return await _taken(door, replace(await _arrived(request, kind), asked=asked))


async def _unproved_callback(request: web.Request) -> web.Response:
    webhook = await _arrived(request, STK_CALLBACK)
    return await _taken(request.app[DOOR], replace(webhook, proved=False))


async def _unproved_confirmation(request: web.Request) -> web.Response:
    webhook = await _arrived(request, C2B_CONFIRMATION)
    return await _taken(request.app[DOOR], replace(webhook, proved=False))


async def _probe(request: web.Request) -> web.Response:
    """Tell who tries the way in that it ends here; nothing is stored, and the body is not read."""
    respondent, token = request.app[RESPONDENT], request.match_info["token"]
    answer = respondent.answer(token, request[CALLER].address)
    if answer is None:
        raise web.HTTPNotFound
    return web.json_response(asdict(answer))


async def _arrived(request: web.Request, kind: str) -> WebhookLog:
    """Return the call as it is to be stored."""
    clock, caller = request.app[DOOR].clock, request[CALLER]
    now = clock.now()
    return WebhookLog(
        id=ids.new_id(),
        source=_SOURCES[kind],
        type=kind,
        timestamp=now,
        undated=clock.certain() is None or None,
        raw_body=(await in_time(request.read())).decode("utf-8", errors="replace"),
        remote_ip=caller.address,
        listed=caller.listed,
        owed=debts.owing(debts.Kind.SETTLE, now),
    )


async def _taken(
    door: WebhooksDoor, webhook: WebhookLog, token_hash: str | None = None
) -> web.Response:
    if not await door.intake.take(webhook, token_hash):
        raise web.HTTPNotFound
    return web.json_response(_ACCEPTED)
