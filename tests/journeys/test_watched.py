"""What a watcher sees of the real daemon while it sells."""

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.world import PATIENCE, Customer, World


@pytest.fixture
def store_kind() -> str:
    return "sqlite"


class Watcher:
    """Asks the admin door."""

    def __init__(self, world: World) -> None:
        self._url = f"http://127.0.0.1:{world.ports.admin}"

    async def asked(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as http:
            return await http.get(f"{self._url}{path}")

    async def scraped(self) -> dict[tuple[str, ...], float]:
        text = (await self.asked("/metrics")).text
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def until(self, name: str) -> dict[tuple[str, ...], float]:
        """Return what is scraped when this has become more than nothing."""
        async with asyncio.timeout(PATIENCE):
            while not (found := await self.scraped())[name,]:
                await asyncio.sleep(0.05)
        return found


async def test_a_sale_is_seen_with_its_time_and_without_its_customer(
    world: World, customer: Customer
) -> None:
    watcher = Watcher(world)
    told = (await watcher.asked("/healthz")).json()
    assert told == {"alive": True, "late": [], "upSeconds": told["upSeconds"]}
    ready = (await watcher.asked("/readyz")).json()
    assert (ready["ready"], ready["reasons"]) == (True, {})
    assert ready["facts"] == {"routerAnsweredSecondsAgo": None, "clockTrusted": True}
    bought = await customer.buy()
    await customer.phone_does("pay")
    await customer.until(bought["token"], "online")
    seen = await watcher.until("edge_callback_seconds_count")
    assert seen["edge_payments_total", "paid"] == 1
    assert seen["edge_paid_shillings_total",] == 10
    assert seen["edge_grant_seconds_count", "api"] == 1
    assert seen["edge_webhooks_total", "completed", "stk_callback"] == 1
    assert seen["edge_loops_late",] == 0
    seen = await watcher.until("edge_token_expires_timestamp")
    assert seen["edge_db_up",] == 1
    assert seen["edge_db_round_trip_seconds",] > 0
    assert seen["edge_resident_memory_bytes",] > 2**24
    text = (await watcher.asked("/metrics")).text
    for private in (customer.phone, customer.mac, bought["voucherCode"], bought["token"]):
        assert private not in text


async def test_a_box_whose_router_is_away_is_ready(still_world: World) -> None:
    async with httpx.AsyncClient() as http:
        await http.put(
            f"http://127.0.0.1:{still_world.ports.router_web}/faults", json={"refuse": True}
        )
    await still_world.start()
    watcher = Watcher(still_world)
    assert (await watcher.asked("/readyz")).status_code == 200
    assert (await watcher.asked("/healthz")).status_code == 200
