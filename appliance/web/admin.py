"""The operator's door: is it alive, is it ready; and what an outer cron may set off."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from appliance.domain.errors import ApplianceError
from appliance.web.cron import Cron

Check = Callable[[], Awaitable[object]]
CHECKS = web.AppKey("CHECKS", Mapping[str, Check])


def build_admin(checks: Mapping[str, Check], cron: Cron) -> web.Application:
    """Return the application; `checks` name what a ready box can reach."""
    app = web.Application()
    app[CHECKS] = checks
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/readyz", _readyz)
    app.add_routes(cron.routes())
    return app


async def _healthz(_: web.Request) -> web.Response:
    return web.json_response({"alive": True})


async def _readyz(request: web.Request) -> web.Response:
    reasons = {}
    for name, check in request.app[CHECKS].items():
        try:
            await check()
        except ApplianceError as error:
            reasons[name] = error.code
    status = web.HTTPServiceUnavailable.status_code if reasons else web.HTTPOk.status_code
    return web.json_response({"ready": not reasons, "reasons": reasons}, status=status)
