"""The pretend Safaricom put together: every door on one port."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from appliance.sandbox.daraja.accounts import MERCHANTS, Merchant
from appliance.sandbox.daraja.answers import Refusal
from appliance.sandbox.daraja.callbacks import courier
from appliance.sandbox.daraja.errands import errands
from appliance.sandbox.daraja.express import Express
from appliance.sandbox.daraja.faults import Menu, WrongFault
from appliance.sandbox.daraja.ledger import Ledger
from appliance.sandbox.daraja.oauth import Tokens
from appliance.sandbox.daraja.phone import Prompt
from appliance.sandbox.daraja.screen import Screen
from appliance.sandbox.daraja.stk import Stk

# Whoever still waits for an answer when the block ends has waited enough.
_GRACE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DarajaOptions:
    """Where it listens (port 0 is any free one), and whether prompts pay themselves."""

    host: str = "127.0.0.1"
    port: int = 8090
    autopay: float | None = None
    """Seconds from ringing to paying."""


@dataclass(frozen=True, slots=True)
class PretendDaraja:
    """A running pretend Safaricom."""

    port: int
    merchants: Sequence[Merchant]
    ledger: Ledger
    faults: Menu
    _express: Express = field(repr=False)

    def prompts(self) -> list[Prompt]:
        """Return the prompts that wait for a PIN."""
        return self._express.prompts()

    async def answer(self, prompt_id: str, action: str, pin: str = "") -> None:
        """Answer a prompt: pay, cancel or ignore. The callback is sent afterwards."""
        self._express.answer(prompt_id, action, pin)


@asynccontextmanager
async def pretend_daraja(options: DarajaOptions) -> AsyncIterator[PretendDaraja]:
    """Serve until the block ends; whatever is under way then is dropped."""
    menu, ledger = Menu(), Ledger()
    async with courier(ledger) as carrier, errands() as work:
        express = Express(menu, ledger, carrier, work, options.autopay)
        runner = web.AppRunner(_application(express), access_log=None, shutdown_timeout=_GRACE)
        await runner.setup()
        try:
            await web.TCPSite(runner, options.host, options.port).start()
            port: int = runner.addresses[0][1]
            yield PretendDaraja(port, MERCHANTS, ledger, menu, express)
        finally:
            await runner.cleanup()


def _application(express: Express) -> web.Application:
    menu, ledger = express.menu, express.ledger
    tokens = Tokens(MERCHANTS, menu)
    stk = Stk(MERCHANTS, tokens, menu, ledger, express)
    screen, desk = Screen(express), _Desk(menu, ledger)
    app = web.Application(middlewares=[_in_daraja_words])
    app.add_routes(
        [
            web.get("/oauth/v1/generate", tokens.generate, allow_head=False),
            web.post("/oauth/v1/generate", tokens.wrong_method),
            web.post("/mpesa/stkpush/v1/processrequest", stk.push),
            web.post("/mpesa/stkpushquery/v1/query", stk.query),
            web.get("/phone", screen.page),
            web.get("/phone/prompts", screen.prompts),
            web.post("/phone/prompts/{prompt}", screen.answer),
            web.get("/faults", desk.faults),
            web.put("/faults", desk.change_faults),
            web.get("/ledger", desk.ledger_so_far),
        ]
    )
    return app


@dataclass(frozen=True, slots=True)
class _Desk:
    """For those who run the sandbox."""

    menu: Menu
    ledger: Ledger

    async def faults(self, _: web.Request) -> web.Response:
        return web.json_response(self.menu.shown())

    async def change_faults(self, request: web.Request) -> web.Response:
        try:
            self.menu.set(json.loads(await request.read()))
        except WrongFault as error:
            return web.json_response({"error": str(error)}, status=400)
        except ValueError:
            return web.json_response({"error": "the menu is a JSON object"}, status=400)
        return web.json_response(self.menu.shown())

    async def ledger_so_far(self, _: web.Request) -> web.Response:
        return web.json_response(self.ledger.shown())


@web.middleware
async def _in_daraja_words(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.response()
    except web.HTTPNotFound:
        return Refusal(404, "404.001.01", "Resource not found").response()
    except web.HTTPMethodNotAllowed:
        return Refusal(405, "405.001", "Method Not Allowed").response()
