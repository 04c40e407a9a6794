"""The pages of a fault menu, whoever's: shown as JSON, and replaced as a whole."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from appliance.sandbox.daraja.faults import WrongFault


class FaultMenu(Protocol):
    """What can go wrong, as whoever runs the sandbox has it."""

    def set(self, menu: object, /) -> None:
        """Replace all of it; raise `WrongFault` and change nothing where it cannot be."""
        ...

    def shown(self) -> Mapping[str, Any]:
        """Return it for JSON."""
        ...


async def replaced(menu: FaultMenu, request: web.Request) -> web.Response:
    """Replace the menu by what was sent, and show it as it is then."""
    try:
        menu.set(json.loads(await request.read()))
    except WrongFault as error:
        return web.json_response({"error": str(error)}, status=400)
    except ValueError:
        return web.json_response({"error": "the menu is a JSON object"}, status=400)
    return web.json_response(menu.shown())
