"""The devices on one voucher, for those who are on it: who is in, and logging another one out."""

from collections.abc import Sequence

from aiohttp import web

from appliance.domain import ids
from appliance.domain.devices import Session
from appliance.domain.vouchers import Voucher
from appliance.web.customers import form_of, visit

routes = web.RouteTableDef()


@routes.post("/done/{token}/leave")
async def leave(request: web.Request) -> web.Response:
    """Log another device of this voucher out; only one that is on it itself may."""
    form = await form_of(request)
    door, here = visit(request, form)
    progress = await door.watch.look(request.match_info["token"][:64])
    if progress is None:
        raise web.HTTPNotFound
    voucher, device = progress.voucher, await door.visitors.device(request)
    for session in await door.sharing.inside(voucher, device):
        if device is not None and _name(voucher, session) == form.get("device"):
            await door.sharing.log_out(voucher, device, session)
    raise web.HTTPSeeOther(f"/done/{voucher.token}?lang={here.language}")


def shown(voucher: Voucher, inside: Sequence[Session]) -> list[dict[str, object]]:
    """Return what the page says of each; the first is the one that looks."""
    return [
        {"name": _name(voucher, session), "seconds": int(session.uptime.total_seconds())}
        for session in inside
    ]


def _name(voucher: Voucher, session: Session) -> str:
    """Return what names a device on this voucher's page, and nothing anywhere else."""
    return ids.mark(voucher.token, session.mac)[:16]
