"""The customers' door: plain pages that work with nothing but HTML."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from appliance.domain import phones
from appliance.domain.devices import Device
from appliance.domain.errors import Invalid, Locked, SalesClosed
from appliance.domain.vouchers import Voucher
from appliance.flows.cashier import Cashier
from appliance.flows.checkout import Checkout, Order
from appliance.flows.progress import Progress, Watch
from appliance.flows.recover import Recover
from appliance.flows.redeem import Redeem
from appliance.ports import Clock
from appliance.web import checking, errors, moving
from appliance.web.pages import Pages
from appliance.web.shelf import Shelf
from appliance.web.visitors import Arrival, Visitors, arrival

LARGEST_BODY = 16 * 1024
_REFRESH_SECONDS = 4
# A prompt is usually answered by then; after it the page says so instead of counting on.
_PATIENCE_SECONDS = 100
_COOL_DOWN = {"prompt_open": 120, "same_amount_wait": 120}
_WITH_A_PERSON = frozenset({"wrong_amount", "person_looks"})
_OVER = frozenset({"used_up", "revoked"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalDoor:
    """What the door needs."""

    checkout: Checkout
    cashier: Cashier
    redeem: Redeem
    recover: Recover
    watch: Watch
    shelf: Shelf
    visitors: Visitors
    pages: Pages
    clock: Clock
    language: str


DOOR = web.AppKey("DOOR", PortalDoor)


def build_portal(door: PortalDoor, api: web.RouteTableDef) -> web.Application:
    """Return the application with its pages and the JSON routes beside them."""
    app = web.Application(
        client_max_size=LARGEST_BODY, middlewares=[errors.portal_errors(door.pages, door.language)]
    )
    app[DOOR] = door
    app.add_routes(routes)
    app.add_routes(api)
    return app


routes = web.RouteTableDef()


@routes.get("/")
async def home(request: web.Request) -> web.Response:
    """Show the plans, or where this device already stands."""
    door, here = _here(request, request.query)
    device = await door.visitors.device(request)
    known = [] if device is None else await _known(request, door, device)
    stays = "buy" in request.query or "error" in request.query
    if device is not None and known and not stays:
        standing = await door.redeem.returning(known, device) or await door.watch.undecided(known)
        if standing is not None:
            raise web.HTTPSeeOther(f"/wait/{standing.token}")
    notice = _notice(door, here, request.query.get("error", ""))
    return await _home(request, here, notice=notice, known=known)


@routes.post("/purchase")
async def purchase(request: web.Request) -> web.Response:
    """Start a purchase; the answer is a redirect, so going back or reloading asks nothing twice."""
    form = await _form(request)
    door, here = _here(request, form)
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
    except (Invalid, Locked, SalesClosed) as error:
        return await _home(request, here, form=form, error=error)
    raise web.HTTPSeeOther(f"/wait/{payment.token}")


@routes.post("/redeem")
async def redeem(request: web.Request) -> web.Response:
    """Go online with a voucher code."""
    form = await _form(request)
    door, here = _here(request, form)
    device = await door.visitors.device(request)
    try:
        voucher = await door.redeem.by_code(form.get("code", ""), device, move=moving.wanted(form))
    except Invalid as error:
        return await _home(request, here, form=form, error=error)
    raise web.HTTPSeeOther(f"/wait/{voucher.token}")


@routes.post("/recover")
async def recover(request: web.Request) -> web.Response:
    """Find a purchase again by its receipt and phone."""
    form = await _form(request)
    door, here = _here(request, form)
    device = await door.visitors.device(request)
    receipt, phone = form.get("receipt", ""), form.get("phone", "")
    try:
        voucher = await door.recover.find(receipt, phone, device, move=moving.wanted(form))
    except Invalid as error:
        since = checking.began(form, door.clock.now())
        if error.reason != "receipt_unknown" or since is None:
            return await _home(request, here, form=form, error=error)
        if not door.recover.ask(receipt, phone):
            return await _home(request, here, form=form, error=error)
        carry = here.carry | {"lang": here.language}
        return _page(request, here, "checking.html", carry=carry, **checking.shown(form, since))
    raise web.HTTPSeeOther(f"/wait/{voucher.token}")


@routes.get("/wait/{token}")
async def wait(request: web.Request) -> web.Response:
    """Show how the purchase stands; once online, go on to a page of its own."""
    door, here, progress = await _look(request)
    if progress.state == "online":
        raise web.HTTPSeeOther(f"/done/{progress.voucher.token}")
    if progress.state in {"failed", "cancelled"}:
        return await _failed(request, door, here, progress)
    token = progress.voucher.token
    age = (door.clock.now() - progress.voucher.created_at).total_seconds()
    locked = progress.seconds_left if progress.state == "unknown" else 0
    settled = progress.state == "paid" or progress.reason in _WITH_A_PERSON
    again = None if settled or locked or progress.state == "pending" else here.home(buy="1")
    return _page(
        request,
        here,
        "wait.html",
        token=token,
        state=progress.state,
        message=_sentence(door, here, progress),
        amount=progress.voucher.plan.price,
        phone_masked=_masked(progress),
        seconds_left=max(0, int(_PATIENCE_SECONDS - age)),
        code=progress.voucher.code if progress.state == "paid" else None,
        refresh_seconds=_REFRESH_SECONDS,
        status_url=f"/api/captive/status/{token}",
        here_url=f"/wait/{token}?lang={here.language}",
        done_url=f"/done/{token}?lang={here.language}",
        again_url=again,
        locked_seconds=locked,
    )


@routes.get("/done/{token}")
async def done(request: web.Request) -> web.Response:
    """Show the code and the time left; its address stays good."""
    door, here, progress = await _look(request)
    if progress.state not in {"online", "paid"}:
        raise web.HTTPSeeOther(f"/wait/{progress.voucher.token}")
    voucher, payment = progress.voucher, progress.payment
    return _page(
        request,
        here,
        "done.html",
        code=voucher.code,
        online=progress.state == "online",
        seconds_left=progress.seconds_left,
        plan_name=voucher.plan.name,
        receipt=payment.receipt if payment else "",
        continue_url=payment.continue_url if payment else None,
        message=_sentence(door, here, progress),
        random_mac=voucher.device is not None and _is_random(voucher.device.mac),
    )


def sentence(pages: Pages, language: str, progress: Progress) -> str:
    """Return the customer's sentence for how a purchase stands."""
    return pages.text(language, f"reason.{progress.reason}", code=progress.voucher.code)


def _masked(progress: Progress) -> str:
    """Return the payer's number in part; who paid by hand may have none that we know."""
    phone = progress.payment.phone if progress.payment else ""
    return phones.masked(phone) if phone else ""


def _sentence(door: PortalDoor, here: Arrival, progress: Progress) -> str:
    return sentence(door.pages, here.language, progress)


async def _look(request: web.Request) -> tuple[PortalDoor, Arrival, Progress]:
    door = request.app[DOOR]
    progress = await door.watch.look(request.match_info["token"][:64])
    if progress is None:
        raise web.HTTPNotFound
    spoken = progress.payment.language if progress.payment else door.language
    values = {"lang": spoken, **request.query}
    here = arrival(request, values, door.pages.languages, door.language)
    if progress.state == "paid":
        device = await door.visitors.device(request)
        voucher = await door.redeem.adopt(progress.voucher, device)
        progress = door.watch.of(voucher, progress.payment)
    return door, here, progress


async def _failed(
    request: web.Request, door: PortalDoor, here: Arrival, progress: Progress
) -> web.Response:
    payment, plan = progress.payment, progress.voucher.plan
    device = await door.visitors.device(request)
    bought = payment is not None and device is not None and payment.device == device
    age = (door.clock.now() - progress.voucher.created_at).total_seconds()
    carry = here.carry | {"lang": here.language}
    if payment is not None and payment.continue_url:
        carry["dst"] = payment.continue_url
    return _page(
        request,
        here,
        "failed.html",
        state="ended" if progress.reason in _OVER else progress.state,
        message=_sentence(door, here, progress),
        amount=plan.price,
        carry=carry,
        # The whole number is shown to the device that bought, not to whoever has the address.
        form={"plan": plan.id, "phone": phones.local(payment.phone) if payment and bought else ""},
        locked_seconds=max(0, int(_COOL_DOWN.get(progress.reason, 0) - age)),
        plan_name=plan.name,
        home_url=here.home(buy="1"),
    )


async def _home(
    request: web.Request,
    here: Arrival,
    *,
    form: Mapping[str, str] | None = None,
    notice: str | None = None,
    error: Invalid | Locked | SalesClosed | None = None,
    known: list[Voucher] | None = None,
) -> web.Response:
    door = request.app[DOOR]
    status, problem, closed = errors.on_home(door.pages, here.language, error)
    if closed is None and not await door.shelf.open(door.cashier):
        closed = door.pages.text(here.language, "problem.sales_closed")
    device = await door.visitors.device(request)
    typed = form or {}
    return _page(
        request,
        here,
        "home.html",
        status=status,
        plans=await door.shelf.plans(),
        carry=here.carry | {"lang": here.language},
        form={name: typed.get(name, "")[:64] for name in ("plan", "phone", "code", "receipt")},
        problem=problem,
        move=moving.offer(request.path, typed, error),
        notice=notice,
        device_known=device is not None,
        ready=_ready(door, known or []),
        closed=closed,
    )


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
    now = door.clock.now()
    return [
        {"code": v.code, "seconds_left": v.seconds_left(now), "online": v.activated_at is not None}
        for v in door.redeem.usable(known)
    ]


def _page(
    request: web.Request, here: Arrival, template: str, *, status: int = 200, **context: object
) -> web.Response:
    pages = request.app[DOOR].pages
    nonce = secrets.token_hex(12)
    links = here.links(request.path if request.method == "GET" else "/", pages.languages)
    body = pages.render(template, here.language, nonce=nonce, self_links=links, **context)
    headers = errors.page_headers(nonce)
    return web.Response(body=body, status=status, headers=headers)


def _here(request: web.Request, values: Mapping[str, str]) -> tuple[PortalDoor, Arrival]:
    door = request.app[DOOR]
    return door, arrival(request, values, door.pages.languages, door.language)


async def _form(request: web.Request) -> dict[str, str]:
    """Return the text fields of a form; a file is not an answer to anything we ask."""
    request.app[DOOR].visitors.acts(request)
    posted = await request.post()
    return {name: value for name, value in posted.items() if isinstance(value, str)}


def _notice(door: PortalDoor, here: Arrival, error: str) -> str | None:
    """Return a sentence for what the router's own login page complained of."""
    if not error:
        return None
    known = {"invalid": "invalid", "uptime limit": "uptime_limit", "no more sessions": "sessions"}
    key = next((key for words, key in known.items() if words in error.lower()), "generic")
    return door.pages.text(here.language, f"router.{key}")


def _is_random(mac: str) -> bool:
    """Say whether the phone made this MAC up: such a phone may come back under another."""
    return mac[1] in "26AE"
