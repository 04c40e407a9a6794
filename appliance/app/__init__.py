"""The only place that builds things: settings → adapters → flows → doors and loops."""

import asyncio
import faulthandler
import gc
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from appliance import scheduler
from appliance.app import doors
from appliance.app.clock import SystemClock as SystemClock
from appliance.app.jobs import jobs
from appliance.app.messenger import open_messenger
from appliance.app.notify import Supervisor
from appliance.app.parts import Parts
from appliance.app.readiness import Facts, Room, Schema
from appliance.app.router import open_pool as open_pool
from appliance.app.router import open_router as open_router
from appliance.app.watchdog import Watchdog
from appliance.app.wiring import Flows, Outside, Workers, wired
from appliance.domain.errors import StoreUnavailable
from appliance.domain.secrets import InClear
from appliance.mpesa import MpesaService
from appliance.mpesa.gateway import MpesaGateway
from appliance.ports import Cipher, Clock, Gateway
from appliance.settings import Settings
from appliance.settings.values import parts
from appliance.store.hold import shared
from appliance.store.open import opened, opened_spool
from appliance.store.port import Store
from appliance.store.records import Books, books
from appliance.store.schema import INITIATIONS, WEBHOOKS
from appliance.store.spool import FileSpool
from appliance.web.health import Check, Health

if TYPE_CHECKING:
    from appliance.app.metrics import Metrics

log = logging.getLogger(__name__)

_SWITCH_SECONDS = 0.0005
_COLLECT_AFTER = 4_000


async def run(settings: Settings, on_ready: Callable[[], None], config: Path | None = None) -> None:
    """Serve and pay until cancelled; one dead loop stops all, and systemd starts us again."""
    # The loop and the database's threads wait for each other: the usual 5 ms would be most of it.
    sys.setswitchinterval(_SWITCH_SECONDS)
    supervisor = Supervisor(os.environ)
    watchdog = Watchdog(supervisor)
    # Whoever waits too long for us to be alive aborts us: the journal then has where we were.
    faulthandler.enable()
    async with started(settings, watchdog, config) as workers:
        # What start-up made stays: looking through it again and again would be most of collecting.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_COLLECT_AFTER)
        on_ready()
        supervisor.ready("serving")
        try:
            await _loops(workers, watchdog)
        finally:
            supervisor.stopping()


async def _loops(workers: Workers, watchdog: Watchdog) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(workers.intake.run(watchdog.loop), name="intake")
        group.create_task(workers.webhooks.run(watchdog.loop))
        group.create_task(workers.payments.run(watchdog.loop))
        group.create_task(workers.vouchers.run(watchdog.loop))
        if workers.messages is not None:
            group.create_task(workers.messages.run(watchdog.loop))
        group.create_task(workers.clerk.run(watchdog.loop))
        group.create_task(workers.asker.run(watchdog.loop))
        group.create_task(watchdog.run())


@asynccontextmanager
async def started(
    settings: Settings, watchdog: Watchdog, config: Path | None = None
) -> AsyncIterator[Workers]:
    """Open every adapter and door; neither the router nor M-Pesa has to be reachable."""
    clock, metrics = _clock(settings), _metrics(settings)
    metrics.live(certain=clock.certain, lag=lambda: watchdog.lag, late=watchdog.late)
    async with AsyncExitStack() as stack:
        parts = await _parts(stack, settings, metrics, clock)
        opened_doors = doors.Opened(("portal", "webhooks"))
        token = settings.admin.metrics_token
        health = Health(
            checks={**_checks(parts), **opened_doors.checks()},
            late=watchdog.late,
            scrape=metrics.scrape,
            facts=parts.facts.told,
            metrics_token=None if token is None else token.get_secret_value(),
        )
        await stack.enter_async_context(doors.admin(parts, health))
        for name, door in (("portal", doors.portal(parts)), ("webhooks", doors.webhooks(parts))):
            await stack.enter_async_context(opened_doors.door(name, door))
        turned = scheduler.scheduled(
            jobs(parts, config),
            watchdog.loop,
            lambda job, well: metrics.ran(job, clock.now() if well else None),
        )
        await stack.enter_async_context(turned)
        yield parts.workers


async def _parts(
    stack: AsyncExitStack, settings: Settings, metrics: "Metrics", clock: SystemClock
) -> Parts:
    """Open what the daemon is made of until the stack ends."""
    store = await stack.enter_async_context(open_store(settings))
    spool = await stack.enter_async_context(open_spool(settings))
    await _set(clock, store)
    http = await stack.enter_async_context(_http(settings))
    router = await stack.enter_async_context(open_router(settings.router))
    kept = replace(books(store, settings.router.id, metrics.observe), spool=spool)
    cipher = await open_cipher(settings)
    mpesa = _mpesa(settings, kept, http, clock, cipher)
    outside = Outside(
        gateway=_gateway(settings, mpesa),
        router=router,
        messenger=await stack.enter_async_context(open_messenger(settings)),
        clock=clock,
        cipher=cipher,
    )
    flows, workers = wired(settings, kept, outside)
    return Parts(
        settings=settings,
        store=store,
        kept=kept,
        flows=flows,
        workers=workers,
        router=router,
        mpesa=mpesa,
        cipher=cipher,
        clock=clock,
        metrics=metrics,
        facts=Facts(clock),
    )


def _checks(parts: Parts) -> dict[str, Check]:
    """Return what must be well for the box to do its work, besides its doors."""
    return {
        "database": parts.store.ping,
        "schema": Schema(parts.store, parts.clock).check,
        "disk": Room(parts.settings.appliance.data_dir).check,
    }


def _metrics(settings: Settings) -> "Metrics":
    """Return what is counted; the command line has no use for its library."""
    from appliance.app.metrics import Metrics  # noqa: PLC0415

    ways = ("api",) if settings.router.ssh_fingerprint is None else ("api", "ssh")
    return Metrics(ways, settings.router.id)


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the database the settings name; a restore waits until everybody has let go."""
    data_dir = settings.appliance.data_dir
    async with AsyncExitStack() as stack:
        if await asyncio.to_thread(data_dir.is_dir):
            stack.enter_context(shared(data_dir))
        store = opened(
            uri=_uri(settings),
            database=settings.mongodb.database,
            data_dir=data_dir,
        )
        yield await stack.enter_async_context(store)


def open_spool(settings: Settings) -> AbstractAsyncContextManager[FileSpool | None]:
    """Open what calls wait in for the database; None where that is on this box."""
    return opened_spool(uri=_uri(settings), data_dir=settings.appliance.data_dir)


def _uri(settings: Settings) -> str | None:
    uri = settings.mongodb.uri
    return None if uri is None else uri.get_secret_value()


@asynccontextmanager
async def open_mpesa(settings: Settings) -> AsyncIterator[MpesaService]:
    """Open the M-Pesa module alone, for one errand of the command line."""
    async with open_store(settings) as store, _http(settings) as http:
        cipher = await open_cipher(settings)
        yield _mpesa(settings, books(store), http, SystemClock(), cipher)


@asynccontextmanager
async def open_flows(settings: Settings) -> AsyncIterator[Flows]:
    """Open every flow for one errand of the command line; the daemon pays what is left owed."""
    clock = _clock(settings)
    async with open_store(settings) as store, _http(settings) as http:
        await _set(clock, store)
        kept, cipher = books(store, settings.router.id), await open_cipher(settings)
        gateway = _gateway(settings, _mpesa(settings, kept, http, clock, cipher))
        async with (
            open_router(settings.router) as router,
            open_messenger(settings) as messenger,
        ):
            outside = Outside(
                gateway=gateway, router=router, messenger=messenger, clock=clock, cipher=cipher
            )
            yield wired(settings, kept, outside)[0]


async def open_cipher(settings: Settings) -> Cipher:
    """Return what opens the paybills' secrets: the keys the settings hold, if any."""
    keys = settings.appliance.encryption_keys
    if keys is None:
        return InClear()
    return await asyncio.to_thread(_fernet, parts(keys.get_secret_value()))


def _fernet(keys: tuple[str, ...]) -> Cipher:
    """Return the cipher; its library costs memory that a box without a key need not spend."""
    from appliance.mpesa.cipher import FernetCipher  # noqa: PLC0415

    return FernetCipher(keys)


def _clock(settings: Settings) -> SystemClock:
    return SystemClock(always=settings.appliance.clock == "trusted")


async def _set(clock: SystemClock, store: Store) -> None:
    """Tell the clock what the time has been already, as far as the database says."""
    try:
        for shelf in (WEBHOOKS, INITIATIONS):
            for newest in await store.page(shelf.name, None, None, 1):
                clock.not_before(newest[shelf.newest])
    except (StoreUnavailable, KeyError):
        log.warning("the database does not say what time it has been")
    await clock.look()


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
