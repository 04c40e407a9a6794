"""The operator's door: how the box is, what an outer cron may set off, and the console."""

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from appliance.web.console import shell
from appliance.web.console.shell import SHELL, Chapter, Shell
from appliance.web.console.signin import SignIn
from appliance.web.cron import Cron
from appliance.web.health import Health


def build_admin(
    health: Health, cron: Cron, frame: Shell, chapters: Sequence[Chapter]
) -> web.Application:
    """Return the application, with these chapters of the console in this order in its menu."""
    app = web.Application(
        client_max_size=shell.LARGEST_BODY, middlewares=[shell.in_words, shell.admission]
    )
    shown = (*chapters, SignIn())
    app[SHELL] = replace(frame, menu=tuple((chapter.title, chapter.path) for chapter in shown))
    app.on_shutdown.append(_closing)
    app.add_routes(health.routes())
    app.add_routes(cron.routes())
    for chapter in shown:
        app.add_routes(chapter.routes())
    return app


async def _closing(app: web.Application) -> None:
    app[SHELL].closing.set()
