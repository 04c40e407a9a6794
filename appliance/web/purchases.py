"""A purchase's own pages, at an address that only its customer was given."""

from dataclasses import replace

from aiohttp import web

from appliance.domain import phones
from appliance.domain.devices import Device
from appliance.domain.vouchers import State
from appliance.flows.progress import Progress
from appliance.web import devices
from appliance.web.customers import DOOR, PortalDoor, page
from appliance.web.pages import Pages
from appliance.web.visitors import Arrival, arrival

_REFRESH_SECONDS = 4
# A prompt is usually answered by then; after it the page says so instead of counting on.
_PATIENCE_SECONDS = 100
_COOL_DOWN = {"prompt_open": 120, "same_amount_wait": 120}
_WITH_A_PERSON = frozenset({"wrong_amount", "person_looks"})
_OVER = frozenset({"used_up", "revoked"})

routes = web.RouteTableDef()


@routes.get("/wait/{token}")
async def wait(request: web.Request) -> web.Response:
    """Show how the purchase stands; once online, go on to a page of its own."""
    door, here, progress = await _look(request)
    if progress.state == "online" or progress.reason == "paid_next":
        raise web.HTTPSeeOther(f"/done/{progress.voucher.token}")
    if progress.state in {"failed", "cancelled"}:
        return await _failed(request, door, here, progress)
    token = progress.voucher.token
    age = (door.clock.now() - progress.voucher.created_at).total_seconds()
    locked = progress.seconds_left if progress.state == "unknown" else 0
    settled = progress.state == "paid" or progress.reason in _WITH_A_PERSON
    again = None if settled or locked or progress.state == "pending" else here.home(buy="1")
    return page(
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
    """Show the code and the time left, and the devices to one of them; its address stays good."""
    door, here, progress = await _look(request)
    if progress.state not in {"online", "paid"}:
        raise web.HTTPSeeOther(f"/wait/{progress.voucher.token}")
    voucher, payment = progress.voucher, progress.payment
    device = await door.visitors.device(request)
    own = device is not None and voucher.device is not None and voucher.device.mac == device.mac
    inside = await door.sharing.inside(voucher, device)
    extends = progress.state == "online" and (own or bool(inside))
    return page(
        request,
        here,
        "done.html",
        token=voucher.token,
        code=voucher.code,
        online=progress.state == "online",
        seconds_left=progress.seconds_left,
        plan_name=voucher.plan.name,
        receipt=payment.receipt if payment else "",
        continue_url=payment.continue_url if payment else None,
        message=_sentence(door, here, progress),
        random_mac=voucher.device is not None and _is_random(voucher.device.mac),
        carry={"lang": here.language},
        devices=devices.shown(voucher, inside),
        most_devices=voucher.plan.devices,
        following=await _following(door, device) if extends else None,
        more_url=here.home(buy="1", plan=voucher.plan.id) if extends else None,
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


async def look(door: PortalDoor, request: web.Request) -> Progress:
    """Return how the purchase stands, once the device that asks was let in where it may be."""
    progress = await door.watch.look(request.match_info["token"][:64])
    if progress is None:
        raise web.HTTPNotFound
    if progress.state == "paid":
        device = await door.visitors.device(request)
        voucher = await door.redeem.adopt(progress.voucher, device)
        progress = door.watch.of(voucher, progress.payment)
    if progress.reason == "paid_kept" and await door.redeem.follows(progress.voucher):
        return replace(progress, reason="paid_next")
    return progress


async def _look(request: web.Request) -> tuple[PortalDoor, Arrival, Progress]:
    door = request.app[DOOR]
    progress = await look(door, request)
    spoken = progress.payment.language if progress.payment else door.language
    values = {"lang": spoken, **request.query}
    return door, arrival(request, values, door.pages.languages, door.language), progress


async def _following(door: PortalDoor, device: Device | None) -> str | None:
    """Return the name of the plan that takes over when this device's time ends."""
    known = [] if device is None else await door.redeem.known(device)
    waiting = (v for v in door.redeem.usable(known) if v.state is not State.ACTIVE)
    return next((voucher.plan.name for voucher in waiting), None)


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
    return page(
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


def _is_random(mac: str) -> bool:
    """Say whether the phone made this MAC up: such a phone may come back under another."""
    return mac[1] in "26AE"
