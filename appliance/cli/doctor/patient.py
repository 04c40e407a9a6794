"""The box that is looked at: what several checks share is opened once."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from appliance import app, settings
from appliance.app.provision import Asked, Survey, plans_for_sale, surveyed, wish_of
from appliance.cli.doctor.checks import Skipped
from appliance.domain.errors import ApplianceError, StoreUnavailable
from appliance.domain.health import RouterHealth
from appliance.domain.plans import Plan
from appliance.store.open import EMBEDDED
from appliance.store.port import Store
from appliance.store.records import Books, books
from appliance.web.knocking import knocking_at
from provisioning.wish import WrongWish

_DATABASE_SECONDS = 6.0


@dataclass
class Patient:
    """One box. `root` is `/` but for a test."""

    loaded: settings.Settings
    file: Path
    clock: app.SystemClock
    root: Path = Path("/")
    canary: bool = False
    """Whether one is to be sent now."""
    device: str | None = None
    """The MAC to log in with it; else that of the settings."""
    database: Store | str = "it was not opened"
    """Or why there is none."""
    answered_in: float = 0.0
    """Seconds, while nothing else was asked of it."""
    seen: dict[str, asyncio.Task[Any]] = field(default_factory=dict)
    """What is looked at once for many."""

    @property
    def data_dir(self) -> Path:
        """Return where the box keeps its data."""
        return self.loaded.appliance.data_dir

    def store(self) -> Store:
        """Return the database; raise `StoreUnavailable` with the reason where it is not there."""
        if isinstance(self.database, str):
            raise StoreUnavailable(self.database)
        return self.database

    def books(self) -> Books:
        """Return the collections; where the database is away, one check says so and no other."""
        if isinstance(self.database, str):
            raise Skipped("the database does not answer")
        return books(self.database, self.loaded.router.id)

    async def survey(self) -> Survey:
        """Return one look at the router that many checks share."""
        found: Survey = await self._once("survey", self._survey)
        return found

    async def router(self) -> Survey:
        """Return the look; where the router is away, one check says so and no other."""
        try:
            return await self.survey()
        except (ApplianceError, WrongWish):
            raise Skipped("the router was not read") from None

    async def health(self) -> RouterHealth:
        """Return how the router is, as the daemon would see it: by every way that is set up."""
        found: RouterHealth = await self._once("health", self._health)
        return found

    async def metrics(self) -> dict[str, dict[str, float]]:
        """Return what the running daemon counts: by name, then by its label."""
        found: dict[str, dict[str, float]] = await self._once("metrics", self._metrics)
        return found

    async def up_seconds(self) -> float:
        """Return for how long the daemon has run; 0 where it does not say."""
        async with knocking_at(self.loaded.admin.listen) as http:
            try:
                return float((await http.get("/healthz")).json().get("upSeconds", 0))
            except (httpx.HTTPError, ValueError, AttributeError):
                return 0

    async def _once(self, name: str, work: Any) -> Any:
        if name not in self.seen:
            self.seen[name] = asyncio.create_task(work())
        # One check's patience must not end the look of the others.
        return await asyncio.shield(self.seen[name])

    async def _survey(self) -> Survey:
        plans: tuple[Plan, ...] = ()
        if not isinstance(self.database, str):
            plans = await plans_for_sale(books(self.database).plans)
        asked = Asked()
        wish = await asyncio.to_thread(wish_of, self.loaded, asked, plans)
        return await surveyed(self.loaded, asked, wish)

    async def _health(self) -> RouterHealth:
        async with app.open_router(self.loaded.router) as router:
            return await router.health()

    async def _metrics(self) -> dict[str, dict[str, float]]:
        async with knocking_at(self.loaded.admin.listen) as http:
            try:
                answer = await http.get("/metrics")
            except httpx.HTTPError:
                raise Skipped("the daemon does not answer") from None
        if not answer.is_success:
            raise Skipped(f"the daemon shows no metrics (HTTP {answer.status_code})")
        found: dict[str, dict[str, float]] = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                label = " ".join(sample.labels.values())
                found.setdefault(sample.name, {})[label] = float(sample.value)
        return found


@asynccontextmanager
async def examined(patient: Patient) -> AsyncIterator[Patient]:
    """Open what is shared, as far as it opens."""
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                store = await _opened(patient, stack)
                began = time.monotonic()
                await store.ping()
                patient.answered_in = time.monotonic() - began
                patient.database = store
        except (ApplianceError, OSError, sqlite3.Error, TimeoutError) as error:
            patient.database = str(error) or type(error).__name__
        try:
            yield patient
        finally:
            for task in patient.seen.values():
                task.cancel()
            await asyncio.gather(*patient.seen.values(), return_exceptions=True)


async def _opened(patient: Patient, stack: AsyncExitStack) -> Store:
    """Open the database that is there: to look at it makes none."""
    file = patient.data_dir / EMBEDDED
    if patient.loaded.mongodb.uri is None and not await asyncio.to_thread(file.exists):
        raise StoreUnavailable(f"there is no {file} yet")
    return await stack.enter_async_context(app.open_store(patient.loaded))
