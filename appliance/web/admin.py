"""The operator's door: how the box is, and what an outer cron may set off."""

from aiohttp import web

from appliance.web.cron import Cron
from appliance.web.health import Health


def build_admin(health: Health, cron: Cron) -> web.Application:
    """Return the application."""
    app = web.Application()
    app.add_routes(health.routes())
    app.add_routes(cron.routes())
    return app
