"""From the callback's arrival to the device online, and how many of them in a second."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from appliance.domain import ids
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.sandbox.neighbours import Neighbours, neighbours
from appliance.store.open import opened
from appliance.store.records import books
from appliance.store.seed import seed
from provisioning.pages import render_pages
from tests.bench.daemon import Daemon
from tests.bench.figures import compared
from tests.servers import free_port

IN_FLIGHT = (1, 50, 500)
_ROUNDS = {1: 40, 50: 5, 500: 1}
_AT_ONCE = 50
_CONNECTIONS = 100


class Market:
    """Many customers, each a device of the hotspot with a purchase that waits for its callback."""

    def __init__(
        self,
        ports: Ports,
        near: Neighbours,
        http: aiohttp.ClientSession,
        daemon: Daemon,
        database: str,
    ) -> None:
        self.ports = ports
        self.near = near
        self.http = http
        self.daemon = daemon
        self.database = database
        self._next = 0

    async def device(self) -> tuple[str, str]:
        """Return IP and MAC of a device that just joined."""
        self._next += 1
        ip = f"127.1.{self._next // 250}.{self._next % 250 + 1}"
        host = self.near.router.hotspot.join(ip)
        return ip, host.mac

    async def order(self) -> dict[str, str]:
        """Return the callback address, the checkout id and the MAC of a purchase under way."""
        ip, mac = await self.device()
        phone = f"2547{self._next:08d}"
        body = {"planId": "hour", "phoneNumber": phone}
        url = f"http://127.0.0.1:{self.ports.portal}/api/captive/purchase"
        connector = aiohttp.TCPConnector(local_addr=(ip, 0))
        async with (
            aiohttp.ClientSession(connector=connector) as device,
            device.post(url, json=body) as answer,
        ):
            bought = await answer.json()
            assert answer.status == 201, bought
        push = self.near.daraja.ledger.pushes[-1]
        return {
            "url": push.fields["CallBackURL"],
            "checkout": bought["checkoutRequestId"],
            "mac": mac,
            "phone": phone,
        }

    async def call_back(self, order: dict[str, str]) -> float:
        """Deliver the success and return when it was sent."""
        items = [
            {"Name": "Amount", "Value": 10.0},
            {"Name": "MpesaReceiptNumber", "Value": ids.new_voucher_code()},
            {"Name": "PhoneNumber", "Value": int(order["phone"])},
        ]
        callback = {
            "MerchantRequestID": "1",
            "CheckoutRequestID": order["checkout"],
            "ResultCode": 0,
            "ResultDesc": "The service request is processed successfully.",
            "CallbackMetadata": {"Item": items},
        }
        sent = time.perf_counter()
        async with self.http.post(order["url"], json={"Body": {"stkCallback": callback}}) as answer:
            assert answer.status == 200
        return sent

    async def deliver(self, orders: list[dict[str, str]]) -> None:
        """Call all of them back, some at once."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(order: dict[str, str]) -> None:
            async with gate:
                await self.call_back(order)

        await asyncio.gather(*(one(order) for order in orders))


@asynccontextmanager
async def market(mongodb: str | None, folder: Path) -> AsyncIterator[Market]:
    """Start a daemon on a database of its own, with its neighbours in this process."""
    ports = Ports(**{name: free_port() for name in Ports.__dataclass_fields__})
    settings, seeds = config.write(folder, ports, mongodb)
    database = f"bench_{ids.new_id()}"
    async with opened(uri=mongodb, database=database, data_dir=folder) as store:
        await seed(store, seeds)
    pages = render_pages("http://127.0.0.1")
    # The door has room for 128, and ends whichever is idle for one more.
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with (
        neighbours(ports, pages) as near,
        aiohttp.ClientSession(connector=connector) as http,
        Daemon(settings, database) as daemon,
    ):
        yield Market(ports, near, http, daemon, database)


async def measure(mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return latency per number in flight, rates, and the time to start."""
    async with market(mongodb, folder) as here:
        latency = {}
        for count in IN_FLIGHT:
            rounds = _ROUNDS[count]
            bare = await _bare(here, mongodb, folder / f"bare{count}", count, rounds)
            ours = [s for _ in range(rounds) for s in await _round(here, count)]
            latency[str(count)] = compared(ours, bare)
        rate = await _rate(here, mongodb, folder)
        return {
            "callback_to_online": latency,
            **rate,
            "start_to_ready_s": round(here.daemon.start_seconds, 2),
        }


async def _round(here: Market, count: int) -> list[float]:
    """Return the seconds from callback to login of purchases that are all called back at once."""
    orders = [await here.order() for _ in range(count)]
    logins = here.near.router.hotspot.logins
    before = len(logins)
    sent = await asyncio.gather(*(here.call_back(order) for order in orders))
    async with asyncio.timeout(120):
        while len(logins) - before < count:
            await asyncio.sleep(0.002)
    online = {login.mac: login.at for login in logins[before:]}
    return [online[order["mac"]] - at for order, at in zip(orders, sent, strict=True)]


async def _bare(
    here: Market, mongodb: str | None, folder: Path, count: int, rounds: int
) -> list[float]:
    batches = [[await here.device() for _ in range(count)] for _ in range(rounds)]
    asked = {
        "api_port": here.ports.router_api,
        "folder": str(folder),
        "mongodb": mongodb,
        "batches": batches,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.bench.bare",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate(json.dumps(asked).encode())
    seconds: list[float] = json.loads(said)
    return seconds


async def _rate(here: Market, mongodb: str | None, folder: Path) -> dict[str, Any]:
    """Return callbacks stored and settled per second at 50 connections."""
    bare, count = await _bare_writes(mongodb, folder / "bare_writes"), 400
    orders = [await here.order() for _ in range(count)]
    began = time.perf_counter()
    await here.deliver(orders)
    stored = time.perf_counter() - began
    async with opened(uri=mongodb, database=here.database, data_dir=folder) as store:
        kept = books(store)
        async with asyncio.timeout(120):
            while await kept.payments.page("status", "pending", 1):
                await asyncio.sleep(0.01)
        settled = time.perf_counter() - began
    return {
        "callbacks_stored_per_s": round(count / stored),
        "callbacks_settled_per_s": round(count / settled),
        "bare_writes_per_s": round(bare),
        "settled_to_bare_writes": round(count / settled / bare, 2),
    }


async def _bare_writes(mongodb: str | None, folder: Path) -> float:
    """Return acknowledged inserts per second, as many at once as callbacks are."""
    folder.mkdir(parents=True, exist_ok=True)
    gate, count = asyncio.Semaphore(_AT_ONCE), 2000
    async with opened(uri=mongodb, database=f"bare_{ids.new_id()}", data_dir=folder) as store:
        await store.ping()

        async def write() -> None:
            async with gate:
                await store.insert("webhook_logs", {"_id": ids.new_id(), "rawBody": "x" * 600})

        began = time.perf_counter()
        await asyncio.gather(*(write() for _ in range(count)))
        return count / (time.perf_counter() - began)
