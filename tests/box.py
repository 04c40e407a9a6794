"""One box in memory beside a pretend router on a real socket, with both clocks moved by hand."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from appliance.domain import ids
from appliance.domain.devices import Device
from appliance.domain.plans import ClockKind, Plan
from appliance.domain.secrets import InClear
from appliance.domain.vouchers import Voucher, drawn_up
from appliance.flows.access import Access
from appliance.flows.amend import Amend
from appliance.flows.cashier import Cashier
from appliance.flows.drift import Drift
from appliance.flows.homing import Homing
from appliance.flows.redeem import Redeem
from appliance.flows.sharing import Sharing
from appliance.flows.usage import Usage
from appliance.router.api import RouterApi
from appliance.router.pool import Address, Pool
from appliance.sandbox.routeros.hotspot import mac_of
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from appliance.store.records import books
from appliance.worker import Worker
from tests.conftest import HandClock
from tests.memory_store import AmbushedStore

HOUR = Plan(id="hour", name="One hour", price=10, duration=timedelta(hours=1))
METERED = replace(HOUR, id="metered", clock=ClockKind.CONNECTED)
CAPPED = replace(HOUR, id="capped", data_limit_bytes=10_000_000)
FAMILY = replace(HOUR, id="family", devices=3)

CUT = [
    "/ip/hotspot/user/print",
    "/ip/hotspot/user/set",
    "/ip/hotspot/active/print",
    "/ip/hotspot/active/remove",
    "/ip/hotspot/cookie/print",
    "/ip/hotspot/user/remove",
]
"""What a cut says, in this order."""


class Box:
    """Everything about a voucher's life, without its money."""

    def __init__(
        self,
        router: PretendRouter,
        pool: Pool,
        name: str = "router",
        beside: "Box | None" = None,
    ) -> None:
        """Take another box to share the database and the time with."""
        self.name = name
        self.clock: HandClock = HandClock() if beside is None else beside.clock
        self.router = router
        self.pool = pool
        self.api = RouterApi(pool)
        self.store: AmbushedStore = AmbushedStore() if beside is None else beside.store
        self.kept = books(self.store, name)
        self.usage = Usage(
            vouchers=self.kept.vouchers, router=self.api, clock=self.clock, router_id=name
        )
        self.access = Access(
            vouchers=self.kept.vouchers,
            seats=self.kept.seats,
            router=self.api,
            usage=self.usage,
            clock=self.clock,
        )
        self.redeem = Redeem(
            vouchers=self.kept.vouchers,
            seats=self.kept.seats,
            router=self.api,
            access=self.access,
            homing=Homing(
                payments=self.kept.payments,
                vouchers=self.kept.vouchers,
                cashier=Cashier(
                    self.kept.paybills,
                    self.kept.routers,
                    self.kept.users,
                    name,
                    "sandbox",
                    InClear(),
                ),
                clock=self.clock,
                router_id=name,
            ),
            clock=self.clock,
            router_id=name,
        )
        self.sharing = Sharing(
            vouchers=self.kept.vouchers,
            seats=self.kept.seats,
            router=self.api,
            clock=self.clock,
            router_id=name,
        )
        self.drift = Drift(
            vouchers=self.kept.vouchers,
            router=self.api,
            access=self.access,
            usage=self.usage,
            clock=self.clock,
            router_id=name,
        )
        self.amend = Amend(vouchers=self.kept.vouchers, router=self.api, clock=self.clock)

    def device(self, number: int = 5) -> Device:
        """Return a device that the router hears now."""
        address = f"127.0.1.{number}"
        self.router.hotspot.join(address)
        return Device(mac_of(address), address)

    async def sold(self, device: Device | None, plan: Plan = HOUR) -> Voucher:
        """Return a voucher that was paid for just now; its access is still owed."""
        made = drawn_up(
            plan, router_id=self.name, payment_id=ids.new_id(), now=self.clock.now(), device=device
        )
        paid = made.paid(self.clock.now(), made.payment_id or "").due_at(self.clock.now())
        self.clock.pass_by(timedelta(milliseconds=1))  # bought one after the other
        return await self.kept.vouchers.insert(paid)

    async def online(self, device: Device, plan: Plan = HOUR) -> Voucher:
        """Return a voucher that this device is online with."""
        voucher = await self.sold(device, plan)
        await self.work()
        assert self.in_with(device) == voucher.code
        return await self.latest(voucher)

    async def work(self) -> None:
        """Pay what is due, with what becomes due by it."""
        worker = Worker("voucher", self.kept.vouchers, self.access.pay, self.clock)
        while await worker.step():
            pass

    async def latest(self, voucher: Voucher) -> Voucher:
        found = await self.kept.vouchers.get(voucher.id)
        assert found is not None
        return found

    def in_with(self, device: Device) -> str | None:
        """Return the user that this device is online as."""
        sessions = self.router.hotspot.sessions
        return next((session.user for session in sessions if session.mac == device.mac), None)

    def on_router(self, voucher: Voucher) -> bool:
        return any(user.name == voucher.code for user in self.router.hotspot.users)

    def limit(self, voucher: Voucher) -> str | None:
        """Return the time limit that the router holds."""
        return next(u.limit_uptime for u in self.router.hotspot.users if u.name == voucher.code)

    def pass_by(self, **time: int) -> None:
        """Let time go by for everybody."""
        self.clock.pass_by(timedelta(**time))
        self.router.clock.pass_by(timedelta(**time))

    def reset_router(self) -> None:
        """Lose everything that was on the router."""
        users = self.router.hotspot.config.users
        users.remove([row_id for row_id, row in users.rows.items() if row["name"] != "admin"])
        self.router.hotspot.power_cut()


@asynccontextmanager
async def box(name: str = "router", beside: Box | None = None) -> AsyncIterator[Box]:
    """Yield a box with its router."""
    async with pretend_router(RouterOptions(api_port=0, web_port=0)) as router:
        address = Address(
            host="127.0.0.1", port=router.api_port, username="appliance", password="sandbox"
        )
        pool = Pool(replace(address, timeout=2))
        try:
            yield Box(router, pool, name, beside)
        finally:
            await pool.close()
