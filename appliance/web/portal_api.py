"""The portal for programs: the same flows, in JSON."""

import json
from typing import Any

from aiohttp import web

from appliance.domain import payments
from appliance.domain.errors import ApplianceError, Invalid
from appliance.flows.checkout import Order
from appliance.web import errors
from appliance.web.customers import DOOR
from appliance.web.guard import in_time
from appliance.web.purchases import look, sentence
from appliance.web.visitors import arrival

routes = web.RouteTableDef()

_CREATED = 201
# M-Pesa said no before any prompt: whose turn it is decides the status.
_CUSTOMERS_TURN = {"prompt_open": 409, "not_mpesa_number": 400}


@routes.get("/api/captive/plans")
async def plans(request: web.Request) -> web.Response:
    """List what is for sale; what a plan does not limit is absent."""
    names = {
        "plan_id": "planId",
        "name": "name",
        "price": "price",
        "duration_seconds": "durationSeconds",
        "data_limit_bytes": "dataLimitBytes",
        "rate_limit": "rateLimit",
        "devices": "devices",
    }
    shown = [
        {names[key]: value for key, value in plan.items() if value is not None}
        for plan in await request.app[DOOR].shelf.plans()
    ]
    return web.json_response({"plans": shown})


@routes.post("/api/captive/purchase")
async def purchase(request: web.Request) -> web.Response:
    """Start a purchase from `{planId, phoneNumber, mac?, ip?}`."""
    door = request.app[DOOR]
    here = arrival(request, request.query, door.pages.languages, door.language)
    try:
        body = await _object(request)
        door.visitors.acts(request)
        claims = {name: _text(body, name, "") for name in ("mac", "ip")}
        device, proved = await door.visitors.buyer(request, claims)
        order = Order(
            plan_id=_text(body, "planId", "plan_missing"),
            phone=_text(body, "phoneNumber", "phone_invalid"),
            device=device,
            proved=proved,
            language=here.language,
        )
        payment = await door.checkout.start(order)
    except ApplianceError as error:
        message = errors.sentence(door.pages, here.language, error)
        answer = _error(errors.status_of(error), errors.reason_of(error), message)
        answer.headers.update(errors.headers_of(error))
        return answer
    if payment.state is payments.State.FAILED:
        reason = payment.reason or "not_completed"
        message = door.pages.text(here.language, f"reason.{reason}")
        return _error(_CUSTOMERS_TURN.get(reason, 503), reason, message)
    return web.json_response(
        {
            "paymentId": payment.id,
            "token": payment.token,
            "voucherCode": payment.voucher_code,
            "checkoutRequestId": payment.checkout_request_id,
            "amount": payment.amount,
            "statusUrl": f"/api/captive/status/{payment.token}",
        },
        status=_CREATED,
    )


@routes.get("/api/captive/status/{token}")
async def status(request: web.Request) -> web.Response:
    """Say how a purchase stands; looking never asks Safaricom anything."""
    door = request.app[DOOR]
    progress = await look(door, request)
    spoken = progress.payment.language if progress.payment else door.language
    language = request.query.get("lang", spoken)
    language = language if language in door.pages.languages else door.language
    shown: dict[str, object] = {
        "state": progress.state,
        "message": sentence(door.pages, language, progress),
        "secondsRemaining": progress.seconds_left,
    }
    if progress.state in {"paid", "online"}:
        shown["voucherCode"] = progress.voucher.code
    return web.json_response(shown, headers={"Cache-Control": "no-store"})


async def _object(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await in_time(request.read()))
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Invalid("not_json")
    return body


def _text(body: dict[str, Any], name: str, missing: str) -> str:
    """Return a text field; `missing` is the complaint where it has to be there."""
    value = body.get(name, "")
    if isinstance(value, str) and (value or not missing):
        return value
    raise Invalid(missing or "not_json", name)


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
