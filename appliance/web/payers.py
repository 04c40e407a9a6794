"""“I already paid”: whose receipt it is, asked one thing at a time."""

from collections.abc import Mapping

from aiohttp import web

from appliance.domain.errors import Invalid, TooMany
from appliance.domain.receipts import Typed
from appliance.web import checking, errors, moving
from appliance.web.customers import DOOR, form_of, page, visit
from appliance.web.visitors import Arrival

_LONGEST = 64

routes = web.RouteTableDef()


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
        return _page(request, here, form, error)
    except Invalid as error:
        since = checking.began(form, door.clock.now())
        if device is None or error.reason != "receipt_unknown" or since is None:
            return _page(request, here, form, error)
        if not door.recover.ask(receipt, phone, device):
            return _page(request, here, form, error)
        carry = here.carry | {"lang": here.language}
        return page(request, here, "checking.html", carry=carry, **checking.shown(form, since))
    raise web.HTTPSeeOther(f"/wait/{voucher.token}")


def asked(request: web.Request, here: Arrival, typed: Typed, error: Invalid | None) -> web.Response:
    """Ask for the phone that paid; with an error it may have been a mistyped code as well."""
    code = None if error is None else typed.code
    return _page(request, here, {"receipt": typed.receipt}, error, code)


def _page(
    request: web.Request,
    here: Arrival,
    form: Mapping[str, str],
    error: Invalid | TooMany | None,
    code: str | None = None,
) -> web.Response:
    status, problem, _ = errors.on_home(request.app[DOOR].pages, here.language, error)
    return page(
        request,
        here,
        "payer.html",
        status=status,
        headers=errors.headers_of(error),
        carry=here.carry | {"lang": here.language},
        form={name: form.get(name, "")[:_LONGEST] for name in ("receipt", "phone")},
        code=code,
        problem=problem,
        move=moving.offer(request.path, form, error),
        home_url=here.home(buy="1"),
    )
