"""The router, or one way to it, is out for an hour or a day while people pay."""

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from appliance import worker
from appliance.app.notify import Supervisor
from appliance.app.watchdog import Watchdog
from appliance.domain import ids
from appliance.domain.vouchers import Voucher, drawn_up
from appliance.flows.access import Access
from appliance.flows.usage import Usage
from appliance.router.api import RouterApi
from appliance.router.failover import Failover
from appliance.router.ssh import RouterSsh
from appliance.store.records import books
from appliance.worker import Worker
from tests.box import HOUR
from tests.conftest import HandClock
from tests.memory_store import MemoryStore
from tests.outage import Ways, by_hand
from tests.ways import heard

CUSTOMERS = 50
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@dataclass
class Shop:
    """A box that sells while time is moved by hand."""

    clock: HandClock
    ways: Ways
    hotspot: Failover
    sold: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.vouchers = books(MemoryStore(), "router").vouchers
        usage = Usage(
            vouchers=self.vouchers, router=self.hotspot, clock=self.clock, router_id="router"
        )
        self.access = Access(
            vouchers=self.vouchers,
            seats=books(MemoryStore(), "router").seats,
            router=self.hotspot,
            usage=usage,
            clock=self.clock,
        )
        self.worker = Worker("voucher", self.vouchers, self.access.pay, self.clock)

    async def sell(self, number: int) -> None:
        """Have one customer pay: what settlement stores and hands to the worker."""
        now = self.clock.now()
        device = heard(self.ways.router, number)
        made = drawn_up(HOUR, router_id="router", payment_id=ids.new_id(), now=now, device=device)
        paid = await self.vouchers.insert(made.paid(now, made.payment_id or ""))
        self.sold.append(paid.id)
        self.worker.hand(paid)

    async def look_after(self) -> None:
        """Ask the router how it is, every now and then."""
        while True:
            await asyncio.gather(self.hotspot.health(), return_exceptions=True)
            await asyncio.sleep(10 * MINUTE.total_seconds())

    async def delivered(self) -> list[Voucher]:
        found = [await self.vouchers.get(one) for one in self.sold]
        return [one for one in found if one is not None and one.activated_at is not None]


@pytest.fixture
def shop(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> Shop:
    ways = Ways()
    hotspot = Failover(RouterApi(ways.pool()), RouterSsh(ways.line(monkeypatch)))
    return Shop(clock, ways, hotspot)


async def sell_for(shop: Shop, lasts: timedelta) -> None:
    """Have one buy as it begins, and the others in its last hour, one after the other."""
    ends = shop.clock.now() + lasts
    await shop.sell(1)
    await asyncio.sleep((lasts - HOUR.duration).total_seconds())
    for number in range(2, CUSTOMERS + 1):
        await asyncio.sleep(MINUTE.total_seconds())
        await shop.sell(number)
    await asyncio.sleep((ends - shop.clock.now()).total_seconds())


def told(caplog: pytest.LogCaptureFixture) -> Counter[str]:
    """How often each thing was logged at a level that an operator sees."""
    return Counter(record.msg for record in caplog.records if record.levelno >= logging.INFO)


def run(shop: Shop, lasts: timedelta, after: timedelta) -> datetime:
    """Sell through an outage that has begun, let it end, and return when it did."""

    watched = Watchdog(Supervisor({})).loop

    async def story() -> datetime:
        working = [
            asyncio.create_task(shop.worker.run(watched)),
            asyncio.create_task(shop.look_after()),
        ]
        await sell_for(shop, lasts)
        shop.ways.api_out = shop.ways.ssh_out = False
        back = shop.clock.now()
        await asyncio.sleep(after.total_seconds())
        for task in working:
            assert not task.done(), task
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await shop.hotspot.close()
        return back

    return by_hand(shop.clock, story)


def test_ssh_carries_an_hour_in_which_the_api_is_dead(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.ways.api_out = True
    with caplog.at_level("INFO"):
        run(shop, timedelta(hours=1), MINUTE)
    served = asyncio.run(shop.delivered())
    assert [voucher.granted_by for voucher in served] == ["ssh"] * CUSTOMERS
    lines = told(caplog)
    assert lines.pop("online voucher=%s way=%s") == CUSTOMERS
    assert lines.pop("cut off voucher=%s state=%s devices=%d") == 1  # the first one's hour is over
    assert lines == {
        "the API does not answer, SSH carries the work: %s": 1,
        "the API answers again": 1,
    }
    assert shop.ways.knocks["ssh"] == 1
    assert 30 <= shop.ways.knocks["api"] <= 300


def test_after_a_day_without_any_way_everybody_is_served_in_order_and_has_all_their_time(
    shop: Shop, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_LOOK_EVERY", 30.0)
    monkeypatch.setattr(worker.rounds, "_LONGEST_IDLE", 3600.0)
    shop.ways.api_out = shop.ways.ssh_out = True
    with caplog.at_level("INFO"):
        back = run(shop, DAY, 2 * MINUTE)
    served = asyncio.run(shop.delivered())
    assert [voucher.id for voucher in served] == shop.sold
    began = [voucher.activated_at for voucher in served if voucher.activated_at is not None]
    assert [voucher.expires_at for voucher in served] == [at + HOUR.duration for at in began]
    assert back <= min(began)
    assert max(began) <= back + 2 * MINUTE
    began.remove(min(began))  # one tried for all
    assert began == sorted(began)
    lines = told(caplog)
    assert lines.pop("online voucher=%s way=%s") == CUSTOMERS
    assert lines.pop("nobody there, debt put off %s=%s code=%s") == 1
    assert sum(lines.values()) <= 4, lines
    for knocks in shop.ways.knocks.values():
        assert 1_000 <= knocks <= 6_000, knocks
