"""The customers' door: plain pages that work with nothing but HTML."""

from collections.abc import Mapping

from aiohttp import web

from appliance.domain import ids, receipts
from appliance.domain.devices import Device
from appliance.domain.errors import Invalid, Locked, SalesClosed, TooMany
from appliance.domain.vouchers import State, Voucher
from appliance.flows.checkout import Order
from appliance.web import devices, errors, moving, payers, purchases
from appliance.web.customers import DOOR, PortalDoor, form_of, page, visit
from appliance.web.visitors import Arrival

LARGEST_BODY = 16 * 1024
_LONGEST_CODE = 32
# Who pays by hand may name any account: the receipt still says what the money bought.
_NOT_WHAT_WAS_PAID = frozenset({"code_unknown", "code_expired"})


def build_portal(door: PortalDoor, api: web.RouteTableDef) -> web.Application:
    """Return the application with its pages and the JSON routes beside them."""
    app = web.Application(
        client_max_size=LARGEST_BODY, middlewares=[errors.portal_errors(door.pages, door.language)]
    )
    app[DOOR] = door
    app.add_routes(routes)
    app.add_routes(payers.routes)
    app.add_routes(purchases.routes)
    app.add_routes(devices.routes)
    app.add_routes(api)
    return app


routes = web.RouteTableDef()


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    """Show the plans, or where this device already stands."""
    door, here = visit(request, request.query)
    device = await door.visitors.device(request)
    known = [] if device is None else await _known(request, door, device)
    scanned = _scanned(request.query.get("code", ""))
    stays = bool(scanned) or "buy" in request.query or "error" in request.query
    if device is not None and known and not stays:
        standing = await door.redeem.returning(known, device) or await door.watch.undecided(known)
        if standing is not None:
            raise web.HTTPSeeOther(f"/wait/{standing.token}")
    notice = _notice(door, here, request.query.get("error", ""))
    chosen = request.query.get("plan", "")[: ids.LONGEST]
    form = {"code": scanned, "plan": chosen if chosen.isascii() else ""}
    return await _home(request, here, form=form, notice=notice, known=known)


@routes.post("/purchase")
async def purchase(request: web.Request) -> web.Response:
    """Start a purchase; the answer is a redirect, so going back or reloading asks nothing twice."""
    form = await form_of(request)
    door, here = visit(request, form)
    device, proved = await door.visitors.buyer(request, here.carry)
    order = Order(
        plan_id=form.get("plan", ""),
        phone=form.get("phone", ""),
        device=device,
        proved=proved,
        language=here.language,
        continue_url=here.carry.get("dst"),
    )
    try:
        payment = await door.checkout.start(order)
    except (Invalid, Locked, TooMany, SalesClosed) as error:
        return await _home(request, here, form=form, error=error)
    raise web.HTTPSeeOther(f"/wait/{payment.token}")


@routes.post("/redeem")
async def redeem(request: web.Request) -> web.Response:
    """Go online with a voucher code; what is, or may be, a receipt is asked about next."""
    form = await form_of(request)
    door, here = visit(request, form)
    typed = receipts.meant(form.get("code", ""))
    if typed.certain and not typed.code:
        return payers.asked(request, here, typed, None)
    device = await door.visitors.device(request)
    try:
        with door.guesses.by(device, typed.code):
            voucher = await door.redeem.by_code(typed.code, device, move=moving.wanted(form))
    except (Invalid, TooMany) as error:
        if isinstance(error, Invalid) and typed.receipt:
            if typed.certain and error.reason in _NOT_WHAT_WAS_PAID:
                return payers.asked(request, here, typed, None)
            if error.reason == "code_unknown":
                return payers.asked(request, here, typed, error)
        return await _home(request, here, form=form | {"code": typed.code}, error=error)
    raise web.HTTPSeeOther(f"/wait/{voucher.token}")


async def _home(
    request: web.Request,
    here: Arrival,
    *,
    form: Mapping[str, str] | None = None,
    notice: str | None = None,
    error: Invalid | Locked | TooMany | SalesClosed | None = None,
    known: list[Voucher] | None = None,
) -> web.Response:
    door = request.app[DOOR]
    status, problem, closed = errors.on_home(door.pages, here.language, error)
    if closed is None and not await door.shelf.open(door.cashier):
        closed = door.pages.text(here.language, "problem.sales_closed")
    device = await door.visitors.device(request)
    typed = form or {}
    looks = request.method == "GET"
    scanned = typed.get("code", "") if looks else ""
    keep = {"code": scanned, "plan": typed.get("plan"), "buy": "buy" in request.query and "1"}
    return page(
        request,
        here,
        "home.html",
        keep={name: value for name, value in keep.items() if value} if looks else {},
        status=status,
        headers=errors.headers_of(error),
        plans=await door.shelf.plans(),
        carry=here.carry | {"lang": here.language},
        form={name: typed.get(name, "")[:64] for name in ("plan", "phone", "code", "receipt")},
        problem=problem,
        move=moving.offer(request.path, typed, error),
        notice=notice,
        device_known=device is not None,
        ready=_ready(door, known or []),
        closed=closed,
        scanned=bool(scanned),
    )


def _scanned(text: str) -> str:
    """Return the code of a printed voucher that was scanned; nothing else is shown as one."""
    code = ids.typed_voucher_code(text)
    return code if code.isascii() and code.isalnum() and len(code) <= _LONGEST_CODE else ""


async def _known(request: web.Request, door: PortalDoor, device: Device) -> list[Voucher]:
    """Return the device's vouchers; one that has none is not looked up at every reload."""
    if door.visitors.is_stranger(request):
        return []
    known = await door.redeem.known(device)
    if not known:
        door.visitors.stranger(request)
    return known


def _ready(door: PortalDoor, known: list[Voucher]) -> list[dict[str, object]]:
    """Return what this device has; beside time that runs, the rest waits for its end."""
    if not known:
        return []
    now, usable = door.clock.certain(), door.redeem.usable(known)
    running = bool(usable) and usable[0].state is State.ACTIVE
    return [
        {
            "code": v.code,
            "seconds_left": v.seconds_left(now),
            "online": v.state is State.ACTIVE,
            "follows": running and v.state is not State.ACTIVE,
        }
        for v in usable
    ]


def _notice(door: PortalDoor, here: Arrival, error: str) -> str | None:
    """Return a sentence for what the router's own login page complained of."""
    if not error:
        return None
    known = {"invalid": "invalid", "uptime limit": "uptime_limit", "no more sessions": "sessions"}
    key = next((key for words, key in known.items() if words in error.lower()), "generic")
    return door.pages.text(here.language, f"router.{key}")
