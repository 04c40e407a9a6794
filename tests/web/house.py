"""The whole box and its neighbours in a thread of their own, for tests that do not await."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from appliance import app, settings
from appliance.app import doors
from appliance.app.notify import Supervisor
from appliance.app.watchdog import Watchdog
from appliance.sandbox import config
from appliance.sandbox.addresses import Ports
from appliance.sandbox.neighbours import Neighbours, neighbours
from appliance.store.seed import seed
from appliance.web.guard import Guard
from appliance.web.listening import listening
from provisioning.pages import render_pages
from tests.servers import free_port

CRON_SECRET = "correct horse battery staple"


@dataclass
class House:
    """The doors as they are served, by name, and their addresses."""

    settings: settings.Settings
    applications: dict[str, web.Application]
    near: Neighbours

    @property
    def addresses(self) -> dict[str, str]:
        return {door: f"http://{getattr(self.settings, door).listen}" for door in DOORS}

    @property
    def path_secret(self) -> str:
        return self.settings.webhooks.path_secret.get_secret_value()


DOORS = ("portal", "webhooks", "admin")


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """Yield the box while it serves; whoever is asked for money pays at once."""
    built, over = Future[House](), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        living = pool.submit(lambda: asyncio.run(_lived_in(folder, built, over)))
        try:
            either: list[Future[Any]] = [built, living]
            wait(either, timeout=50, return_when=FIRST_COMPLETED)
            if living.done():
                living.result()
            yield built.result(0)
        finally:
            over.set()
        living.result()


async def _lived_in(folder: Path, built: Future[House], over: threading.Event) -> None:
    ports = Ports(**{name: free_port() for name in Ports.__annotations__})
    file, seeds = await asyncio.to_thread(config.write, folder, ports)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("APPLIANCE_ADMIN__CRON_SECRET", CRON_SECRET)
        environment.setenv("APPLIANCE_WEBHOOKS__SEED_PATHS", "true")
        chosen = await asyncio.to_thread(settings.load, file)
    async with app.open_store(chosen) as store:
        await seed(store, seeds)
    applications: dict[str, web.Application] = {}

    def watched(
        application: web.Application, listen: str, *limits: Any, **more: Any
    ) -> AbstractAsyncContextManager[Guard]:
        (door,) = [door for door in DOORS if getattr(chosen, door).listen == listen]
        applications[door] = application
        return listening(application, listen, *limits, **more)

    pages = render_pages(chosen.portal.public_url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doors, "listening", watched)
        watchdog = Watchdog(Supervisor({}))
        async with (
            neighbours(ports, pages, autopay=0.05) as near,
            app.started(chosen, watchdog) as workers,
        ):
            async with httpx.AsyncClient() as device:  # the router has to have seen it
                await device.get(f"http://127.0.0.1:{ports.router_web}/generate_204")
            loops = [
                asyncio.create_task(loop.run(watchdog.loop))
                for loop in (workers.webhooks, workers.payments, workers.vouchers, workers.clerk)
            ]
            built.set_result(House(chosen, applications, near))
            await asyncio.to_thread(over.wait)
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)
