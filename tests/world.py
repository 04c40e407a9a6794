"""A whole world on real sockets: the daemon as a process beside its pretend neighbours."""

import asyncio
import os
import signal
import subprocess
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from appliance.domain.payments import Payment
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import Voucher
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.phone import Prompt
from appliance.sandbox.neighbours import Neighbours, neighbours
from appliance.store.open import opened
from appliance.store.records import books
from appliance.store.seed import seed
from provisioning.pages import render_pages
from tests.forks import Forked, forked
from tests.leaks import leaks
from tests.servers import free_port

PATIENCE = 20.0


class World:
    """One box, one router, one Safaricom, any number of customers."""

    def __init__(self, folder: Path, mongodb: str | None, database: str) -> None:
        self.ports = Ports(
            portal=free_port(),
            webhooks=free_port(),
            admin=free_port(),
            daraja=free_port(),
            router_web=free_port(),
            router_api=free_port(),
            router_ssh=free_port(),
        )
        self.folder = folder
        self.mongodb = mongodb
        self.database = database
        self.settings, self.seed = config.write(folder, self.ports, mongodb)
        self._said = folder / "daemon.log"
        """What the daemon logs, through all its lives."""
        self._stack = AsyncExitStack()
        self._daemon: Forked | None = None
        self._near: Neighbours | None = None

    @property
    def near(self) -> Neighbours:
        assert self._near is not None
        return self._near

    async def fill(self) -> None:
        """Put what the seed file names into the database."""
        async with self.store() as store:
            await seed(store, self.seed)

    async def open(self) -> None:
        await self.fill()
        pages = render_pages(f"http://127.0.0.1:{self.ports.portal}")
        self._near = await self._stack.enter_async_context(neighbours(self.ports, pages))

    async def close(self) -> None:
        await self.stop()
        await self._stack.aclose()
        if await asyncio.to_thread(self._said.is_file):
            said = await asyncio.to_thread(self._said.read_text, encoding="utf-8")
            assert leaks(said.splitlines()) == []

    def store(self) -> Any:
        return opened(uri=self.mongodb, database=self.database, data_dir=self.folder)

    async def start(self, **environment: str) -> None:
        """Start the daemon and return when it is ready."""
        words = ("run", "--config", str(self.settings))
        said = None if os.environ.get("SHOW_DAEMON") else self._said.open("ab")
        self._daemon = await forked(
            "tests.journeys.daemon",
            *words,
            stdout=subprocess.PIPE,
            stderr=None if said is None else said.fileno(),
            environment={**os.environ, "APPLIANCE_MONGODB__DATABASE": self.database, **environment},
        )
        if said is not None:
            said.close()
        assert self._daemon.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await self._daemon.stdout.readline()
        told_to_die = "DIE_AT" in environment
        assert line == b"ready\n" or (told_to_die and not line), line

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._daemon is None:
            return
        if self._daemon.returncode is None:
            self._daemon.send_signal(how)
        await self._daemon.wait()
        self._daemon = None

    async def kill(self) -> None:
        await self.stop(signal.SIGKILL)

    async def died(self) -> None:
        """Return when the daemon is dead."""
        assert self._daemon is not None
        async with asyncio.timeout(PATIENCE):
            await self._daemon.wait()
        self._daemon = None

    @property
    def pid(self) -> int:
        assert self._daemon is not None
        return self._daemon.pid

    @property
    def alive(self) -> bool:
        return self._daemon is not None and self._daemon.returncode is None

    def customer(self, number: int = 5) -> "Customer":
        return Customer(self, f"127.0.1.{number}", f"2547123450{number:02d}")

    async def faults(self, **faults: Any) -> None:
        async with httpx.AsyncClient() as http:
            url = f"http://127.0.0.1:{self.ports.daraja}/faults"
            answer = await http.put(url, json={"default": faults})
            assert answer.status_code == 200, answer.text

    async def use_till(self) -> Merchant:
        """Have the owner sell through the till from now on."""
        (till,) = [m for m in self.near.daraja.merchants if m.type == "till"]
        text = self.seed.read_text(encoding="utf-8")
        owner = f'id = "sandbox-owner"\npaymentSettings = {{ paybillNumber = "{till.till}" }}'
        changed = text.replace('id = "sandbox-owner"', owner, 1)
        await asyncio.to_thread(self.seed.write_text, changed, encoding="utf-8")
        await self.fill()
        return till

    @asynccontextmanager
    async def daraja_as(self, merchant: Merchant) -> AsyncIterator[httpx.AsyncClient]:
        """Yield a client that the pretend Safaricom takes for this merchant."""
        base = f"http://127.0.0.1:{self.ports.daraja}"
        keys = (merchant.consumer_key, merchant.consumer_secret)
        async with httpx.AsyncClient(base_url=base) as http:
            grant = {"grant_type": "client_credentials"}
            token = (await http.get("/oauth/v1/generate", params=grant, auth=keys)).json()
            http.headers["Authorization"] = f"Bearer {token['access_token']}"
            yield http

    async def register_c2b(self, merchant: Merchant) -> None:
        """Tell the pretend Safaricom where this box hears of payments."""
        webhooks = tomllib.loads(self.settings.read_text(encoding="utf-8"))["webhooks"]
        hooks = f"{webhooks['public_url']}/hooks/{webhooks['path_secret']}/c2b"
        async with self.daraja_as(merchant) as http:
            answer = await http.post(
                "/mpesa/c2b/v2/registerurl",
                json={
                    "ShortCode": merchant.pays_to,
                    "ResponseType": "Completed",
                    "ConfirmationURL": f"{hooks}/confirmation",
                    "ValidationURL": f"{hooks}/validation",
                },
            )
        assert answer.status_code == 200, answer.text

    async def payments_in(self, state: str) -> list[Payment]:
        async with self.store() as store:
            return await books(store).payments.page("status", state, 20)

    async def webhooks_from(self, source: str) -> list[WebhookLog]:
        """Return the calls of this source, all of them decided about."""
        async with self.store() as store, asyncio.timeout(PATIENCE):
            while True:
                found = await books(store).webhooks.page("source", source, 50)
                if all(webhook.owed is None for webhook in found):
                    return found
                await asyncio.sleep(0.05)

    async def payment(self, payment_id: str) -> Payment:
        async with self.store() as store:
            found = await books(store).payments.get(payment_id)
        assert found is not None
        return found

    async def vouchers_of(self, customer: "Customer") -> list[Voucher]:
        async with self.store() as store:
            return await books(store).vouchers.page("device.mac", customer.mac, 20)

    def logins(self, customer: "Customer") -> int:
        """Return how often the gate was opened for this device."""
        return sum(login.mac == customer.mac for login in self.near.router.hotspot.logins)

    def prompts_of(self, customer: "Customer") -> list[Prompt]:
        """Return what this phone shows now."""
        return [p for p in self.near.daraja.prompts() if p.phone == customer.phone]

    def paid(self, customer: "Customer") -> int:
        """Return how often money left this phone."""
        return sum(p.phone == customer.phone for p in self.near.daraja.ledger.payments)


class Customer:
    """A person with a phone, whose device is an address of the hotspot."""

    def __init__(self, world: World, ip: str, phone: str) -> None:
        self.world = world
        self.ip = ip
        self.phone = phone
        self.mac = ""

    def _http(self) -> httpx.AsyncClient:
        transport = httpx.AsyncHTTPTransport(local_address=self.ip)
        return httpx.AsyncClient(transport=transport, timeout=10)

    async def arrive(self) -> None:
        """Join the Wi-Fi: the router now sees the device."""
        async with self._http() as http:
            answer = await http.get(f"http://127.0.0.1:{self.world.ports.router_web}/generate_204")
        assert answer.status_code in {204, 302}
        (self.mac,) = [
            host.mac for host in self.world.near.router.hotspot.hosts if host.address == self.ip
        ]

    async def is_online(self) -> bool:
        async with self._http() as http:
            answer = await http.get(f"http://127.0.0.1:{self.world.ports.router_web}/generate_204")
        return answer.status_code == 204

    async def portal(self, method: str, path: str, **more: Any) -> httpx.Response:
        async with self._http() as http:
            url = f"http://127.0.0.1:{self.world.ports.portal}{path}"
            return await http.request(method, url, **more)

    async def ask(self, plan: str = "hour") -> httpx.Response:
        body = {"planId": plan, "phoneNumber": self.phone}
        return await self.portal("POST", "/api/captive/purchase", json=body)

    async def buy(self, plan: str = "hour") -> dict[str, Any]:
        answer = await self.ask(plan)
        assert answer.status_code == 201, answer.text
        bought: dict[str, Any] = answer.json()
        return bought

    async def status(self, token: str) -> dict[str, Any]:
        answer = await self.portal("GET", f"/api/captive/status/{token}")
        assert answer.status_code == 200, answer.text
        status: dict[str, Any] = answer.json()
        return status

    async def until(self, token: str, *states: str) -> dict[str, Any]:
        """Return the first status in one of these states."""
        async with asyncio.timeout(PATIENCE):
            while True:
                status = await self.status(token)
                if status["state"] in states:
                    return status
                await asyncio.sleep(0.05)

    async def phone_does(self, action: str, pin: str = "1234") -> None:
        """Answer the prompt on this phone, as soon as it rings."""
        async with asyncio.timeout(PATIENCE):
            while not (mine := self.world.prompts_of(self)):
                await asyncio.sleep(0.01)
        await self.world.near.daraja.answer(mine[0].id, action, pin=pin)
