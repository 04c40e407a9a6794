"""The pretend Safaricom and the phone's messages put together: every door on one port."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.accounts import MERCHANTS, Merchant
from appliance.sandbox.daraja.answers import Refusal
from appliance.sandbox.daraja.backoffice import BackOffice
from appliance.sandbox.daraja.byhand import LipaNaMpesa
from appliance.sandbox.daraja.c2b import C2b
from appliance.sandbox.daraja.callbacks import Courier, courier
from appliance.sandbox.daraja.doors import Doors
from appliance.sandbox.daraja.errands import Errands, errands
from appliance.sandbox.daraja.express import Express
from appliance.sandbox.daraja.faults import Menu
from appliance.sandbox.daraja.ledger import Ledger, Paid
from appliance.sandbox.daraja.menu import replaced
from appliance.sandbox.daraja.money import Money
from appliance.sandbox.daraja.oauth import Tokens
from appliance.sandbox.daraja.phone import Prompt
from appliance.sandbox.daraja.pull import Pull
from appliance.sandbox.daraja.screen import Screen
from appliance.sandbox.daraja.stk import Stk
from appliance.sandbox.daraja.urls import Urls
from appliance.sandbox.sms.faults import Menu as SmsMenu
from appliance.sandbox.sms.gateway import SmsGateway

# Whoever still waits for an answer when the block ends has waited enough.
_GRACE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DarajaOptions:
    """Where it listens (port 0 is any free one), and whether prompts pay themselves."""

    host: str = "127.0.0.1"
    port: int = 8090
    autopay: float | None = None
    """Seconds from ringing to paying."""
    clock: Callable[[], datetime] = names.now
    """By which it sees whether a request was signed just now."""


@dataclass(frozen=True, slots=True)
class PretendDaraja:
    """A running pretend Safaricom."""

    port: int
    merchants: Sequence[Merchant]
    ledger: Ledger
    faults: Menu
    sms_faults: SmsMenu
    _express: Express = field(repr=False)
    _lipa: LipaNaMpesa = field(repr=False)

    def prompts(self) -> list[Prompt]:
        """Return the prompts that wait for a PIN."""
        return self._express.prompts()

    async def answer(self, prompt_id: str, action: str, pin: str = "") -> None:
        """Answer a prompt: pay, cancel or ignore. The callback is sent afterwards."""
        self._express.answer(prompt_id, action, pin)

    async def pay_by_hand(self, phone: str, business: str, amount: int, account: str = "") -> Paid:
        """Pay from the phone's menu with the right PIN; raise `NotPaid` when no money moved."""
        return await self._lipa.pay(phone, business, amount, account)


@asynccontextmanager
async def pretend_daraja(options: DarajaOptions) -> AsyncIterator[PretendDaraja]:
    """Serve until the block ends; whatever is under way then is dropped."""
    menu, ledger = Menu(), Ledger()
    async with courier(ledger) as carrier, errands() as work:
        house = _furnished(menu, ledger, carrier, work, options)
        app = _application(house)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE)
        await runner.setup()
        try:
            await web.TCPSite(runner, options.host, options.port).start()
            port: int = runner.addresses[0][1]
            yield PretendDaraja(
                port, MERCHANTS, ledger, menu, house.sms.menu, house.express, house.lipa
            )
        finally:
            await runner.cleanup()


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    tokens: Tokens
    express: Express
    stk: Stk
    urls: Urls
    lipa: LipaNaMpesa
    pull: Pull
    office: BackOffice
    sms: SmsGateway
    desk: "_Desk"


def _furnished(
    menu: Menu, ledger: Ledger, carrier: Courier, work: Errands, options: DarajaOptions
) -> _House:
    tokens, money = Tokens(MERCHANTS, menu), Money(ledger)
    doors = Doors(MERCHANTS, tokens, menu)
    urls = Urls(doors)
    c2b = C2b(urls, menu, carrier, money)
    express = Express(menu, money, carrier, work, c2b, options.autopay)
    return _House(
        tokens=tokens,
        express=express,
        stk=Stk(MERCHANTS, tokens, menu, ledger, express, options.clock),
        urls=urls,
        lipa=LipaNaMpesa(MERCHANTS, menu, money, c2b, work),
        pull=Pull(doors, menu, ledger),
        office=BackOffice(doors, menu, money, carrier, work),
        sms=SmsGateway(ledger),
        desk=_Desk(menu, ledger),
    )


def _application(house: _House) -> web.Application:
    screen = Screen(house.express, house.lipa)
    app = web.Application(middlewares=[_in_daraja_words])
    app.add_routes(
        [
            web.get("/oauth/v1/generate", house.tokens.generate, allow_head=False),
            web.post("/oauth/v1/generate", house.tokens.wrong_method),
            web.post("/mpesa/stkpush/v1/processrequest", house.stk.push),
            web.post("/mpesa/stkpushquery/v1/query", house.stk.query),
            web.post("/mpesa/c2b/{version:v1|v2}/registerurl", house.urls.register),
            web.post("/pulltransactions/v1/register", house.pull.register),
            web.post("/pulltransactions/v1/query", house.pull.query),
            web.post("/mpesa/transactionstatus/v1/query", house.office.status),
            web.post("/mpesa/reversal/v1/request", house.office.reversal),
            web.get("/phone", screen.page),
            web.post("/phone/pay", screen.pay),
            web.get("/phone/prompts", screen.prompts),
            web.post("/phone/prompts/{prompt}", screen.answer),
            web.get("/phone/messages", house.sms.inbox),
            web.post("/version1/messaging", house.sms.send),
            web.get("/sms/faults", house.sms.faults),
            web.put("/sms/faults", house.sms.change_faults),
            web.get("/faults", house.desk.faults),
            web.put("/faults", house.desk.change_faults),
            web.get("/ledger", house.desk.ledger_so_far),
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
        return await replaced(self.menu, request)

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
