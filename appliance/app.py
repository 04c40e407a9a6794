"""The only place that builds things: settings → adapters → flows → doors and loops."""

import asyncio
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
from appliance.domain.secrets import InClear
from appliance.domain.vouchers import Voucher
from appliance.flows.access import Access
from appliance.flows.cashier import Cashier
from appliance.flows.checkout import Checkout
from appliance.flows.progress import Watch
from appliance.flows.recover import Recover
from appliance.flows.redeem import Redeem
from appliance.flows.settlement import Settlement
from appliance.flows.upkeep import Upkeep
from appliance.mpesa import MpesaService
from appliance.mpesa.gateway import MpesaGateway
from appliance.ports import Cipher, Clock, Gateway, Handover, Router
from appliance.router.api import RouterApi
from appliance.router.pool import Address, Pool
from appliance.settings import Settings
from appliance.store.open import opened
from appliance.store.port import Store
from appliance.store.records import Books, books
from appliance.store.schema import KEEP_WEBHOOKS, WEBHOOKS
from appliance.web import portal_api
from appliance.web.admin import build_admin
from appliance.web.cron import Cron
from appliance.web.listening import listening
from appliance.web.pages import Look, Pages
from appliance.web.portal import PortalDoor, build_portal
from appliance.web.shelf import Shelf
from appliance.web.visitors import Visitors
from appliance.web.webhooks import WebhooksDoor, build_webhooks
from appliance.worker import Worker

log = logging.getLogger(__name__)

_SWITCH_SECONDS = 0.0005


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


@dataclass(frozen=True, slots=True)
class Flows:
    """Every story, wired to what it needs."""

    checkout: Checkout
    redeem: Redeem
    recover: Recover
    watch: Watch
    cashier: Cashier


async def run(settings: Settings, on_ready: Callable[[], None]) -> None:
    """Serve and pay until cancelled; one dead loop stops all, and systemd starts us again."""
    # The loop and the database's threads wait for each other: the usual 5 ms would be most of it.
    sys.setswitchinterval(_SWITCH_SECONDS)
    async with started(settings) as workers, asyncio.TaskGroup() as group:
        on_ready()
        group.create_task(workers.webhooks.run())
        group.create_task(workers.payments.run())
        group.create_task(workers.vouchers.run())


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
        cipher = await open_cipher(settings)
        mpesa = _mpesa(settings, kept, http, clock, cipher)
        flows, workers = wired(settings, kept, _gateway(settings, mpesa), router, clock, cipher)
        await stack.enter_async_context(_portal(settings, kept, flows, router, clock))
        await stack.enter_async_context(_webhooks(settings, kept, workers, clock))
        await stack.enter_async_context(_admin(settings, store, mpesa))
        upkeep = Upkeep(
            lambda before: store.prune(WEBHOOKS.name, "timestamp", before), KEEP_WEBHOOKS, clock
        )
        await stack.enter_async_context(scheduler.scheduled(upkeep, mpesa.refresh_access_tokens))
        yield workers


def open_store(settings: Settings) -> AbstractAsyncContextManager[Store]:
    """Open the database the settings name."""
    uri = settings.mongodb.uri
    return opened(
        uri=None if uri is None else uri.get_secret_value(),
        database=settings.mongodb.database,
        data_dir=settings.appliance.data_dir,
    )


@asynccontextmanager
async def open_mpesa(settings: Settings) -> AsyncIterator[MpesaService]:
    """Open the M-Pesa module alone, for one errand of the command line."""
    async with open_store(settings) as store, _http(settings) as http:
        cipher = await open_cipher(settings)
        yield _mpesa(settings, books(store), http, SystemClock(), cipher)


async def open_cipher(settings: Settings) -> Cipher:
    """Return what opens the paybills' secrets: the keys the settings hold, if any."""
    keys = settings.appliance.encryption_keys
    if keys is None:
        return InClear()
    return await asyncio.to_thread(_fernet, keys.get_secret_value().split(","))


def _fernet(keys: list[str]) -> Cipher:
    """Return the cipher; its library costs memory that a box without a key need not spend."""
    from appliance.mpesa.cipher import FernetCipher  # noqa: PLC0415

    return FernetCipher([key.strip() for key in keys])


def wired(  # everything that flows stand on
    settings: Settings,
    kept: Books,
    gateway: Gateway,
    router: Router,
    clock: Clock,
    cipher: Cipher,
) -> tuple[Flows, Workers]:
    """Join flows and workers: what a flow owes, its worker pays."""
    access = Access(vouchers=kept.vouchers, router=router, clock=clock)
    vouchers = Worker("voucher", kept.vouchers, access.grant, clock)
    settlement = Settlement(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        webhooks=kept.webhooks,
        gateway=gateway,
        clock=clock,
        hand_over=_of_this_router(settings.router.id, vouchers.hand),
    )
    cashier = Cashier(
        kept.paybills,
        kept.routers,
        kept.users,
        router_id=settings.router.id,
        environment=settings.daraja.environment,
        cipher=cipher,
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
    )
    return flows, Workers(
        webhooks=Worker("webhook", kept.webhooks, settlement.settle, clock),
        payments=Worker("payment", kept.payments, settlement.pay, clock),
        vouchers=vouchers,
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


def _mpesa(
    settings: Settings, kept: Books, http: httpx.AsyncClient, clock: Clock, cipher: Cipher
) -> MpesaService:
    base_url = settings.daraja.base_url
    return MpesaService(kept.paybills, http, clock, base_url=base_url, cipher=cipher)


def _gateway(settings: Settings, mpesa: MpesaService) -> Gateway:
    secret = settings.webhooks.path_secret.get_secret_value()
    return MpesaGateway(mpesa, f"{settings.webhooks.public_url}/hooks/{secret}")


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
    settings: Settings, kept: Books, workers: Workers, clock: Clock
) -> AsyncIterator[None]:
    door = WebhooksDoor(
        payments=kept.payments,
        webhooks=kept.webhooks,
        clock=clock,
        hand_over=workers.webhooks.hand,
        path_secret=settings.webhooks.path_secret.get_secret_value(),
        client_ip_header=settings.webhooks.client_ip_header,
    )
    async with listening(build_webhooks(door), settings.webhooks.listen):
        yield


@asynccontextmanager
async def _admin(settings: Settings, store: Store, mpesa: MpesaService) -> AsyncIterator[None]:
    secret = settings.admin.cron_secret
    cron = Cron(mpesa.refresh_access_tokens, None if secret is None else secret.get_secret_value())
    async with listening(build_admin({"database": store.ping}, cron), settings.admin.listen):
        yield
