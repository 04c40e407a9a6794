"""The customers' door: plain pages that work with nothing but HTML."""

from collections.abc import Mapping

from aiohttp import web

from appliance.domain import ids
from appliance.domain.devices import Device
from appliance.domain.errors import Invalid, Locked, SalesClosed, TooMany
from appliance.domain.vouchers import Voucher
from appliance.flows.checkout import Order
from appliance.web import checking, errors, moving, purchases
from appliance.web.customers import DOOR, PortalDoor, form_of, page, visit
from appliance.web.visitors import Arrival

LARGEST_BODY = 16 * 1024
_LONGEST_CODE = 32


def build_portal(door: PortalDoor, api: web.RouteTableDef) -> web.Application:
    """Return the application with its pages and the JSON routes beside them."""
    app = web.Application(
        client_max_size=LARGEST_BODY, middlewares=[errors.portal_errors(door.pages, door.language)]
    )
    app[DOOR] = door
    app.add_routes(routes)
    app.add_routes(purchases.routes)
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
    return await _home(request, here, form={"code": scanned}, notice=notice, known=known)


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
    """Go online with a voucher code."""
    form = await form_of(request)
    door, here = visit(request, form)
    device = await door.visitors.device(request)
    code = form.get("code", "")
    try:
        with door.guesses.by(device, code):
            voucher = await door.redeem.by_code(code, device, move=moving.wanted(form))
    except (Invalid, TooMany) as error:
        return await _home(request, here, form=form, error=error)
    raise web.HTTPSeeOther(f"/wait/{voucher.token}")


@routes.post("/recover")
async def recover(request: web.Request) -> web.Response:
    """Find a purchase again by its receipt and phone."""
    form = await form_of(request)
    door, here = visit(request, form)
    device = await door.visitors.device(request)
    receipt, phone = form.get("receipt", ""), form.get("phone", "")
    try:
        with door.guesses.by(device, receipt, phone):
            voucher = await door.recover.find(receipt, phone, device, move=moving.wanted(form))
    except TooMany as error:
        return await _home(request, here, form=form, error=error)
    except Invalid as error:
        since = checking.began(form, door.clock.now())
        if device is None or error.reason != "receipt_unknown" or since is None:
            return await _home(request, here, form=form, error=error)
        if not door.recover.ask(receipt, phone, device):
            return await _home(request, here, form=form, error=error)
        carry = here.carry | {"lang": here.language}
        return page(request, here, "checking.html", carry=carry, **checking.shown(form, since))
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
    scanned = typed.get("code", "") if request.method == "GET" else ""
    return page(
        request,
        here,
        "home.html",
        keep={"code": scanned} if scanned else {},
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
    if not known:
        return []
    now = door.clock.certain()
    return [
        {"code": v.code, "seconds_left": v.seconds_left(now), "online": v.activated_at is not None}
        for v in door.redeem.usable(known)
    ]


def _notice(door: PortalDoor, here: Arrival, error: str) -> str | None:
    """Return a sentence for what the router's own login page complained of."""
    if not error:
        return None
    known = {"invalid": "invalid", "uptime limit": "uptime_limit", "no more sessions": "sessions"}
    key = next((key for words, key in known.items() if words in error.lower()), "generic")
    return door.pages.text(here.language, f"router.{key}")
