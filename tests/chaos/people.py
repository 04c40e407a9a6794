"""Customers, with a phone and a device; what the portal tells them is remembered."""

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp

from appliance.sandbox.daraja.byhand import NotPaid
from appliance.sandbox.daraja.express import NoSuchPrompt
from appliance.sandbox.routeros.hotspot import mac_of
from tests.chaos.site import PORTS

if TYPE_CHECKING:
    from tests.chaos.town import Town

_PATIENCE = aiohttp.ClientTimeout(total=6)
_TROUBLE = (aiohttp.ClientError, TimeoutError, OSError)
_RINGS_WITHIN = 1.0
_LOOK_EVERY = 0.4
_TRIES, _TRY_AGAIN = 4, 0.25
_PAGE = re.compile("/(?:wait|done)/([0-9a-f]{32})")
PRICES = {"half-hour": 5, "hour": 10, "day": 50, "week": 250}


class Person:
    """One customer."""

    def __init__(self, town: "Town", number: int) -> None:
        self.town = town
        self.number = number
        self.phone = f"2547{number + 10:02d}345{number + 6:03d}"
        self.tokens: list[str] = []
        self.codes: list[str] = []
        """Of what was ordered, whether paid or not."""
        self.checkouts: list[str] = []
        self._places = 0
        self._http: aiohttp.ClientSession | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def ip(self) -> str:
        net = self.town.host.rpartition(".")[0]
        return f"{net}.{10 + 20 * self.number + self._places}"

    @property
    def mac(self) -> str:
        return mac_of(self.ip)

    @property
    def receipts(self) -> list[str]:
        """Return what M-Pesa's messages on this phone name."""
        return [money.receipt for _, money in self.town.record.paid if money.phone == self.phone]

    def arrive(self) -> None:
        """Be on the Wi-Fi."""
        self.town.router.hotspot.join(self.ip)

    async def roam(self) -> None:
        """Come back under another MAC."""
        self.town.router.hotspot.leave(self.ip)
        self._places += 1
        await self._hang_up()
        self.arrive()

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._hang_up()

    async def order(self, plan: str, door: str) -> None:
        """Ask for a plan; where nothing comes back, ask again as people do."""
        for _ in range(_TRIES):
            with suppress(*_TROUBLE):
                if await (self._by_json(plan) if door == "json" else self._by_form(plan)):
                    self.town.happened("ordered")
                    return
            await asyncio.sleep(_TRY_AGAIN)

    async def answer(self, how: str) -> None:
        """Do this with the prompt, as soon as the phone rings."""
        async with asyncio.timeout(_RINGS_WITHIN):
            while not (mine := [p for p in self.town.daraja.prompts() if p.phone == self.phone]):
                await asyncio.sleep(0.02)
        action, pin = ("pay", "0000") if how == "wrong_pin" else (how, "1234")
        with suppress(NoSuchPrompt):
            await self.town.daraja.answer(mine[0].id, action, pin=pin)

    async def pay_by_hand(self, account: str, amount: int, *, till: bool) -> None:
        merchants = {merchant.type: merchant for merchant in self.town.daraja.merchants}
        to = merchants["till" if till else "paybill"].pays_to
        with suppress(NotPaid):
            await self.town.daraja.pay_by_hand(self.phone, to, amount, "" if till else account)

    async def type_code(self, code: str, *, move: bool) -> bool:
        """Redeem a code; say whether the portal took it."""
        form = {"code": code} | ({"move": "yes"} if move else {})
        return await self._post("/redeem", form)

    async def already_paid(self, receipt: str, *, move: bool) -> bool:
        form = {"receipt": receipt, "phone": self.phone} | ({"move": "yes"} if move else {})
        return await self._post("/recover", form)

    async def visit(self) -> None:
        """Open the portal; who has time is let in again."""
        with suppress(*_TROUBLE):
            async with self._client().get(self._url("/"), allow_redirects=False) as answer:
                await answer.read()

    async def look(self) -> None:
        """Look at every purchase, and remember what the portal says."""
        for token in list(self.tokens):
            with suppress(*_TROUBLE):
                async with self._client().get(self._url(f"/api/captive/status/{token}")) as answer:
                    if answer.status == 200:
                        self._told(token, await answer.json())

    async def _watch(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_EVERY)

    def _told(self, token: str, said: dict[str, Any]) -> None:
        states = self.town.record.told[token]
        if not states or states[-1] != said["state"]:
            states.append(said["state"])
        if said["state"] == "online":
            self.town.record.left[token] = (self.town.now(), said["secondsRemaining"])

    async def _by_json(self, plan: str) -> bool:
        body = {"planId": plan, "phoneNumber": self.phone}
        url = self._url("/api/captive/purchase")
        async with self._client().post(url, json=body) as answer:
            if answer.status != 201:
                return answer.status < 500
            bought = await answer.json()
        self._has(bought["token"])
        if bought["voucherCode"] not in self.codes:
            self.codes.append(bought["voucherCode"])
        if bought["checkoutRequestId"]:
            self.checkouts.append(bought["checkoutRequestId"])
        return True

    async def _by_form(self, plan: str) -> bool:
        form = {"plan": plan, "phone": self.phone}
        url = self._url("/purchase")
        async with self._client().post(url, data=form, allow_redirects=False) as answer:
            found = _PAGE.search(answer.headers.get("Location", ""))
            if found is None:
                return answer.status < 500
        self._has(found[1])
        return True

    def _has(self, token: str) -> None:
        if token not in self.tokens:
            self.tokens.append(token)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch())

    async def _post(self, path: str, form: dict[str, str]) -> bool:
        with suppress(*_TROUBLE):
            async with self._client().post(
                self._url(path), data=form, allow_redirects=False
            ) as answer:
                return answer.status == 303
        return False

    def _url(self, path: str) -> str:
        return f"http://{self.town.host}:{PORTS.portal}{path}"

    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(local_addr=(self.ip, 0), force_close=True)
            jar = aiohttp.DummyCookieJar()
            self._http = aiohttp.ClientSession(
                connector=connector, timeout=_PATIENCE, cookie_jar=jar
            )
        return self._http

    async def _hang_up(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.close()
