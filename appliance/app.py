"""The only place that builds things: settings → adapters → flows → doors and loops."""

import asyncio
import gc
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

from appliance import scheduler
from appliance.domain.clock import whole_milliseconds
from appliance.domain.payments import Payment
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import Voucher
from appliance.flows.access import Access
from appliance.flows.cashier import Cashier
from appliance.flows.checkout import Checkout
from appliance.flows.inbox import Inbox
from appliance.flows.matching import Matching
from appliance.flows.progress import Watch
from appliance.flows.recover import Recover
from appliance.flows.redeem import Redeem
from appliance.flows.settlement import Settlement
from appliance.flows.upkeep import Upkeep
from appliance.mpesa import MpesaService
from appliance.mpesa.gateway import MpesaGateway
from appliance.ports import Clock, Gateway, Handover, Router
from appliance.router.api import RouterApi
from appliance.router.pool import Address, Pool
from appliance.settings import Settings
from appliance.store.open import opened
from appliance.store.port import Store
from appliance.store.records import Books, books
from appliance.store.schema import KEEP_WEBHOOKS, WEBHOOKS
from appliance.web import portal_api
from appliance.web.admin import build_admin
from appliance.web.listening import listening
from appliance.web.pages import Look, Pages
from appliance.web.portal import PortalDoor, build_portal
from appliance.web.shelf import Shelf
from appliance.web.visitors import Visitors
from appliance.web.webhooks import WebhooksDoor, build_webhooks
from appliance.worker import Clerk, Worker

log = logging.getLogger(__name__)

_SWITCH_SECONDS = 0.0005
_COLLECT_AFTER = 4_000


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the time as every store keeps it."""
        return whole_milliseconds(datetime.now(UTC))

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class Workers:
    """Who pays which debts."""

    webhooks: Worker[WebhookLog]
    payments: Worker[Payment]
    vouchers: Worker[Voucher]
    clerk: Clerk


@dataclass(frozen=True, slots=True)
class Flows:
    """Every story, wired to what it needs."""

    checkout: Checkout
    redeem: Redeem
    recover: Recover
    watch: Watch
    cashier: Cashier
    inbox: Inbox


async def run(settings: Settings, on_ready: Callable[[], None]) -> None:
    """Serve and pay until cancelled; one dead loop stops all, and systemd starts us again."""
    # The loop and the database's threads wait for each other: the usual 5 ms would be most of it.
    sys.setswitchinterval(_SWITCH_SECONDS)
    async with started(settings) as workers, asyncio.TaskGroup() as group:
        # What start-up made stays: looking through it again and again would be most of collecting.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        on_ready()
        group.create_task(workers.webhooks.run())
        group.create_task(workers.payments.run())
        group.create_task(workers.vouchers.run())
        group.create_task(workers.clerk.run())


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[Workers]:
    """Open every adapter and door; neither the router nor M-Pesa has to be reachable."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        http = await stack.enter_async_context(_http(settings))
        pool = Pool(_address(settings))
        stack.push_async_callback(pool.close)
        router = RouterApi(pool)
        kept = books(store, settings.router.id)
        flows, workers = wired(settings, kept, _gateway(settings, kept, http, clock), router, clock)
        await stack.enter_async_context(_portal(settings, kept, flows, router, clock))
        await stack.enter_async_context(_webhooks(settings, kept, flows, workers, clock))
        await stack.enter_async_context(_admin(settings, store))
        upkeep = Upkeep(
            lambda before: store.prune(WEBHOOKS.name, "timestamp", before), KEEP_WEBHOOKS, clock
        )
        await stack.enter_async_context(scheduler.scheduled(upkeep))
        yield workers


def open_store(settings: Settings) -> AbstractAsyncContextManager[Store]:
    """Open the database the settings name."""
    uri = settings.mongodb.uri
    return opened(
        uri=None if uri is None else uri.get_secret_value(),
        database=settings.mongodb.database,
        data_dir=settings.appliance.data_dir,
    )


def wired(
    settings: Settings, kept: Books, gateway: Gateway, router: Router, clock: Clock
) -> tuple[Flows, Workers]:
    """Join flows and workers: what a flow owes, its worker pays."""
    access = Access(vouchers=kept.vouchers, router=router, clock=clock)
    vouchers = Worker("voucher", kept.vouchers, access.grant, clock)
    clerk = Clerk(vouchers.idle)
    settlement = Settlement(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        gateway=gateway,
        clock=clock,
        hand_over=_of_this_router(settings.router.id, vouchers.hand),
        later=clerk.later,
    )
    matching = Matching(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        plans=kept.plans,
        paybills=kept.paybills,
        settlement=settlement,
        clock=clock,
        router_id=settings.router.id,
    )
    inbox = Inbox(
        payments=kept.payments,
        initiations=kept.initiations,
        webhooks=kept.webhooks,
        gateway=gateway,
        settlement=settlement,
        matching=matching,
        clock=clock,
        later=clerk.later,
    )
    cashier = Cashier(
        kept.paybills,
        kept.routers,
        kept.users,
        router_id=settings.router.id,
        environment=settings.daraja.environment,
    )
    checkout = Checkout(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        plans=kept.plans,
        cashier=cashier,
        gateway=gateway,
        settlement=settlement,
        clock=clock,
        router_id=settings.router.id,
    )
    redeem = Redeem(
        vouchers=kept.vouchers,
        router=router,
        access=access,
        clock=clock,
        router_id=settings.router.id,
    )
    flows = Flows(
        checkout=checkout,
        redeem=redeem,
        recover=Recover(payments=kept.payments, vouchers=kept.vouchers, redeem=redeem),
        watch=Watch(payments=kept.payments, vouchers=kept.vouchers, clock=clock),
        cashier=cashier,
        inbox=inbox,
    )
    return flows, Workers(
        webhooks=Worker("webhook", kept.webhooks, inbox.settle, clock),
        payments=Worker("payment", kept.payments, settlement.pay, clock),
        vouchers=vouchers,
        clerk=clerk,
    )


def _of_this_router(router_id: str, hand: Handover[Voucher]) -> Handover[Voucher]:
    """Return the handover that leaves another box's voucher to that box."""

    def mine_only(voucher: Voucher) -> None:
        if voucher.router_id == router_id:
            hand(voucher)

    return mine_only


def _address(settings: Settings) -> Address:
    router = settings.router
    return Address(
        host=router.host,
        port=router.api_port,
        username=router.username,
        password=router.password.get_secret_value(),
        timeout=router.timeout,
    )


def _http(settings: Settings) -> httpx.AsyncClient:
    daraja = settings.daraja
    return httpx.AsyncClient(
        timeout=httpx.Timeout(daraja.read_timeout, connect=daraja.connect_timeout),
        follow_redirects=False,
        trust_env=False,
    )


def _gateway(settings: Settings, kept: Books, http: httpx.AsyncClient, clock: Clock) -> Gateway:
    service = MpesaService(kept.paybills, http, clock, base_url=settings.daraja.base_url)
    secret = settings.webhooks.path_secret.get_secret_value()
    return MpesaGateway(service, f"{settings.webhooks.public_url}/hooks/{secret}")


@asynccontextmanager
async def _portal(
    settings: Settings, kept: Books, flows: Flows, router: Router, clock: Clock
) -> AsyncIterator[None]:
    portal = settings.portal
    look = Look(brand=portal.brand, support_phone=portal.support_phone)
    door = PortalDoor(
        checkout=flows.checkout,
        cashier=flows.cashier,
        redeem=flows.redeem,
        recover=flows.recover,
        watch=flows.watch,
        shelf=Shelf(kept.plans),
        visitors=Visitors(router),
        pages=await asyncio.to_thread(Pages, look, overlay=portal.templates_dir),
        clock=clock,
        language=portal.default_language,
    )
    async with listening(build_portal(door, portal_api.routes), portal.listen):
        yield


@asynccontextmanager
async def _webhooks(
    settings: Settings, kept: Books, flows: Flows, workers: Workers, clock: Clock
) -> AsyncIterator[None]:
    door = WebhooksDoor(
        payments=kept.payments,
        webhooks=kept.webhooks,
        clock=clock,
        hand_over=workers.webhooks.hand,
        expecting=flows.inbox.expecting,
        path_secret=settings.webhooks.path_secret.get_secret_value(),
        client_ip_header=settings.webhooks.client_ip_header,
        seed_paths=settings.webhooks.seed_paths,
    )
    async with listening(build_webhooks(door), settings.webhooks.listen):
        yield


@asynccontextmanager
async def _admin(settings: Settings, store: Store) -> AsyncIterator[None]:
    async with listening(build_admin({"database": store.ping}), settings.admin.listen):
        yield
