"""The router at the operator's console: who is in, what has drifted, its set-up."""

import asyncio
import copy
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from appliance.domain.devices import HotspotUser
from appliance.domain.paybills import RouterRecord
from appliance.domain.plans import Plan
from appliance.domain.secrets import InClear
from appliance.domain.vouchers import State, Voucher, drawn_up
from appliance.flows.access import Access
from appliance.flows.cashier import Cashier
from appliance.flows.drift import Drift
from appliance.flows.online import Online
from appliance.flows.usage import Usage
from appliance.store.records import Books, books
from appliance.web.console.routers import Routers
from appliance.web.console.set_up import Outlook, SetUp, Wanted
from tests.conftest import HandClock
from tests.gate import DEVICES, MuteGate
from tests.memory_store import MemoryStore
from tests.web.desk import Desk, desk

HOUR = Plan(id="hour", name="<b>One hour</b>", price=10, duration=timedelta(hours=1))
PLAN = Outlook(
    steps=1,
    lines=("  + /ip/hotspot/walled-garden/ip <portal>", "1 to add."),
    troubles=(("warn", "it is old", "update it"),),
    hopeless=False,
)


@dataclass
class Bench:
    """Stands in for the set-up of a real router."""

    asked: list[Wanted]
    applied: list[Wanted]

    async def plan(self, wanted: Wanted) -> Outlook:
        self.asked.append(wanted)
        await asyncio.sleep(0.2)
        return PLAN

    async def apply(self, wanted: Wanted) -> None:
        self.applied.append(wanted)


@dataclass
class Site:
    """The desk with the router's pages, and what stands behind them."""

    desk: Desk
    gate: MuteGate
    store: MemoryStore
    kept: Books
    access: Access
    bench: Bench
    clock: HandClock

    async def sold(self, number: int = 0) -> Voucher:
        """Return a voucher that its device is online with."""
        now = self.clock.now()
        voucher = drawn_up(
            HOUR, router_id="here", payment_id=str(number), now=now, device=DEVICES[number]
        )
        paid = await self.kept.vouchers.insert(voucher.paid(now, str(number)))
        return await self.access.grant(paid)


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    clock, gate, store = HandClock(), MuteGate(), MemoryStore()
    kept = books(store, "here")
    usage = Usage(vouchers=kept.vouchers, router=gate, clock=clock, router_id="here")
    access = Access(vouchers=kept.vouchers, seats=kept.seats, router=gate, usage=usage, clock=clock)
    online = Online(vouchers=kept.vouchers, router=gate, clock=clock, router_id="here")
    bench = Bench([], [])
    pages = Routers(
        router=gate,
        router_id="here",
        host="192.168.88.1",
        ways=("api",),
        online=online,
        drift=Drift(
            vouchers=kept.vouchers,
            router=gate,
            access=access,
            usage=usage,
            clock=clock,
            router_id="here",
        ),
        cashier=Cashier(kept.paybills, kept.routers, kept.users, "here", "sandbox", InClear()),
        set_up=SetUp(provisioning=bench, online=online, router_id="here"),
    )
    async with desk(pages, clock=clock) as front:
        await front.sign_in()
        yield Site(front, gate, store, kept, access, bench, clock)


async def test_who_is_online_is_shown_and_can_be_logged_out() -> None:
    async with site() as here:
        assert "Nobody is online" in await here.desk.see("/routers")
        voucher = await here.sold()
        text = await here.desk.see("/routers")
        assert voucher.code in text
        assert DEVICES[0].mac in text
        assert "&lt;b&gt;One hour" in text
        answer = await here.desk.press("/routers/log-out", voucher=voucher.id, mac=DEVICES[0].mac)
        assert answer.headers["Location"] == "/routers?said=logged-out"
        assert here.desk.record[-1][1:3] == ("logged a device out", voucher.id)
        assert here.gate.online == {}
        assert voucher.code in here.gate.entries  # its time goes on


async def test_only_a_voucher_of_this_hotspot_is_logged_out() -> None:
    async with site() as here:
        voucher = await here.sold()
        elsewhere = drawn_up(HOUR, router_id="there", payment_id="x", now=here.clock.now())
        await here.kept.vouchers.insert(elsewhere)
        for which in ("none", elsewhere.id):
            answer = await here.desk.press("/routers/log-out", voucher=which, mac=DEVICES[0].mac)
            assert answer.status == 400
        assert here.gate.online == {DEVICES[0].mac: voucher.code}


async def test_a_router_that_is_away_is_a_calm_page_at_once() -> None:
    async with site() as here:
        voucher = await here.sold()
        form = {"voucher": voucher.id, "mac": DEVICES[0].mac}
        here.gate.away = True
        for path in ("/routers", "/routers/drift", "/routers/set-up"):
            assert "does not answer now" in await here.desk.see(path)
        for path in ("/routers/log-out", "/routers/drift", "/routers/set-up/apply"):
            answer = await here.desk.press(path, **form)
            assert answer.headers["Location"].endswith("?said=away")
        assert here.bench.applied == []
        here.gate.away, here.gate.mute = False, True
        began = time.monotonic()
        assert "does not answer now" in await here.desk.see("/routers")
        assert time.monotonic() - began < 2  # it waits for 0.8 s


async def test_what_has_drifted_is_only_looked_at_and_then_put_right() -> None:
    async with site() as here:
        missing, limits, ended = await here.sold(0), await here.sold(1), None
        assert "Router and books agree" in await here.desk.see("/routers/drift")
        await here.gate.cut(missing.code)
        entry = here.gate.entries[limits.code]
        here.gate.entries[limits.code] = replace(entry, limit_uptime=timedelta(hours=9))
        ended = drawn_up(HOUR, router_id="here", payment_id="e", now=here.clock.now())
        await here.kept.vouchers.insert(replace(ended, state=State.EXPIRED))
        for code in (ended.code, "STRANGE<I>"):
            await here.gate.ensure_user(
                HotspotUser(name=code, profile="p", limit_uptime=timedelta(hours=1))
            )
        entries, books_before = dict(here.gate.entries), copy.deepcopy(here.store.collections)
        text = await here.desk.see("/routers/drift")
        for words in ("Missing there: 1", "Other limits: 1", "Ended: 1", "Unknown: 1"):
            assert words in text
        assert "STRANGE&lt;I&gt;" in text
        assert here.gate.entries == entries
        assert here.store.collections == books_before

        answer = await here.desk.press("/routers/drift")
        assert answer.headers["Location"] == "/routers/drift?said=repaired"
        assert here.desk.record[-1][1:3] == ("put the router right", "here")
        text = await here.desk.see("/routers/drift")
        assert "Unknown: 1" in text
        assert "Put it right now" not in text
        assert "Missing there" not in text


async def test_the_set_up_is_looked_at_asked_about_and_done_as_who_was_named() -> None:
    async with site() as here:
        text = await here.desk.see("/routers/set-up")
        assert "walled-garden/ip &lt;portal&gt;" in text
        assert "update it" in text
        asks = await here.desk.press(
            "/routers/set-up/ask", admin='"><script>', admin_password="hunter2", server="hs1"
        )
        text = await asks.text()
        assert "Set the router up?" in text
        assert "<script>x" not in text
        assert "hunter2" not in text
        assert here.bench.applied == []
        answer = await here.desk.press(
            "/routers/set-up/apply", admin="ann", admin_password="hunter2", server="hs1"
        )
        assert answer.headers["Location"] == "/routers/set-up?said=set-up"
        assert here.bench.applied == [Wanted(admin="ann", password="hunter2", server="hs1")]
        assert here.desk.record[-1][1:] == ("set the router up", "here", {"by": "ann"})
        assert "hunter2" not in f"{here.desk.record}{here.bench.applied}"


async def test_who_reloads_a_page_has_the_router_looked_at_once() -> None:
    async with site() as here:
        texts = await asyncio.gather(*(here.desk.see("/routers/set-up") for _ in range(5)))
        assert all("walled-garden" in text for text in texts)
        assert len(here.bench.asked) == 1
        await here.desk.see("/routers/set-up")
        assert len(here.bench.asked) == 2


async def test_after_a_change_nobody_is_shown_a_look_from_before_it() -> None:
    async with site() as here:
        before = asyncio.create_task(here.desk.see("/routers/set-up"))
        while not here.bench.asked:
            await asyncio.sleep(0.01)
        await here.desk.press("/routers/set-up/apply", admin="ann", admin_password="x")
        await here.desk.see("/routers/set-up")
        await before
        assert len(here.bench.asked) == 2


async def test_other_routers_are_listed_with_where_they_sell() -> None:
    async with site() as here:
        await here.kept.routers.insert(RouterRecord(id="there", name="<i>There", user_id="ann"))
        text = await here.desk.see("/routers")
        assert "&lt;i&gt;There" in text
        assert "nothing: no active company paybill" in text
        here.desk.client.session.cookie_jar.clear()
        for path in ("/routers", "/routers/drift", "/routers/set-up"):
            assert (await here.desk.client.get(path, allow_redirects=False)).status == 303
