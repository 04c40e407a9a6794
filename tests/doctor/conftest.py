"""A sandbox's box to be looked at, with as much beside it as a test asks for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from appliance import app, settings
from appliance.app.notify import Supervisor
from appliance.app.watchdog import Watchdog
from appliance.cli.doctor import CHECKS
from appliance.cli.doctor.checks import Finding, Status, made
from appliance.cli.doctor.patient import Patient, examined
from appliance.store.port import Store
from tests.world import World


@dataclass
class Clinic:
    """A box whose settings a test changes, and the doctor's word about it."""

    world: World
    loaded: settings.Settings

    def set(self, section: str, **values: Any) -> None:
        changed = getattr(self.loaded, section).model_copy(update=values)
        self.loaded = self.loaded.model_copy(update={section: changed})

    def patient(self, **more: Any) -> Patient:
        clock = app.SystemClock(always=self.loaded.appliance.clock == "trusted")
        return Patient(self.loaded, self.world.settings, clock, **more)

    async def says(self, name: str, **more: Any) -> list[Finding]:
        """Return what the one check of this name says."""
        (check,) = [check for check in CHECKS if check.name == name]
        async with examined(self.patient(**more)) as patient:
            return (await made([check], patient))[name]

    async def one(self, name: str, **more: Any) -> Finding:
        (finding,) = await self.says(name, **more)
        assert bool(finding.fix) == (finding.status in {Status.WARN, Status.FAIL})
        return finding

    async def everything(self) -> dict[str, list[Finding]]:
        async with examined(self.patient()) as patient:
            return await made(CHECKS, patient)

    def store(self) -> Any:
        return app.open_store(self.loaded)

    def router_faults(self, **faults: Any) -> None:
        self.world.near.router.faults.set(faults)

    async def change(self, collection: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Write into every document of a collection as somebody else's program would."""
        async with self.store() as store:
            for document in [found async for found in store.every(collection)]:
                values: dict[str, Any] = {}
                change(values)
                await _write(store, collection, document["_id"], values)


async def _write(store: Store, collection: str, record_id: str, values: dict[str, Any]) -> None:
    await store.change(collection, record_id, values, {})


@pytest.fixture
async def clinic(tmp_path: Path) -> Clinic:
    """A box with its database; nobody is beside it."""
    world = await asyncio.to_thread(World, tmp_path, None, "")
    await world.fill()
    return Clinic(world, await asyncio.to_thread(settings.load, world.settings, {}))


@pytest.fixture
async def town(clinic: Clinic) -> AsyncIterator[Clinic]:
    """The box with its pretend neighbours; the daemon does not run."""
    await clinic.world.open()
    try:
        yield clinic
    finally:
        await clinic.world.close()


@pytest.fixture
async def alive(town: Clinic, no_blocking_calls: BlockBuster) -> AsyncIterator[Clinic]:
    """All of it, the daemon in this process."""
    no_blocking_calls.deactivate()  # starting may wait for the disk
    async with app.started(town.loaded, Watchdog(Supervisor({}))):
        no_blocking_calls.activate()
        yield town
