"""A pretend router to be set up, and somebody who signs in to it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.domain.plans import Plan
from appliance.router.pool import Address, Pool
from appliance.sandbox.routeros.actions import Answer, Request
from appliance.sandbox.routeros.console.session import Session
from appliance.sandbox.routeros.device import Device
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from appliance.sandbox.routeros.traps import Trap
from appliance.sandbox.routeros.versions import Name as VersionName
from provisioning.desired import FOLDER
from provisioning.door import ApiDoor, Door
from provisioning.lending import lending
from provisioning.pages import render_pages
from provisioning.shown import headline
from provisioning.visit import apply, look, planned, undo
from provisioning.wish import Wish

PLANS = (
    Plan(id="hour", name="One hour", price=10, duration=timedelta(hours=1), rate_limit="2M/5M"),
    Plan(id="day", name="Day", price=50, duration=timedelta(days=1), rate_limit="3M/8M"),
    Plan(id="family", name="Family", price=250, duration=timedelta(days=7), devices=3),
)
FULL = frozenset({"read", "write", "policy", "ftp", "test", "api", "ssh", "sensitive"})


def a_wish(**more: Any) -> Wish:
    given: dict[str, Any] = {
        "portal_url": "http://127.0.0.1:8080",
        "box": "127.0.0.1",
        "username": "box",
        "password": "not-shown-anywhere",
        "plans": PLANS,
    }
    given |= more
    return Wish(pages=render_pages(given["portal_url"]), **given)


@asynccontextmanager
async def door_to(
    router: PretendRouter,
    username: str = "admin",
    password: str = "sandbox",  # noqa: S107 # the sandbox's own
) -> AsyncIterator[ApiDoor]:
    address = Address(
        host="127.0.0.1", port=router.api_port, username=username, password=password, timeout=5
    )

    async def knock() -> None:
        once = Pool(address, size=1)
        try:
            await once.command("/system/identity/print")
        finally:
            await once.close()

    pool = Pool(address, size=1)
    async with lending("127.0.0.1") as lender:
        try:
            yield ApiDoor(pool, knock, lender, FOLDER)
        finally:
            await pool.close()


@asynccontextmanager
async def a_router(version: VersionName = "7.21") -> AsyncIterator[PretendRouter]:
    async with pretend_router(RouterOptions(api_port=0, web_port=0, version=version)) as router:
        yield router


def exported(device: Device) -> str:
    """Everything the device would write down of itself, but for the moment it does."""
    said = Session(device, FULL).run("/export terse")
    return "\n".join(line for line in said.splitlines() if not line.startswith("#"))


def file_names(device: Device) -> list[str]:
    return sorted(device.files.kept)


async def set_up(door: Door, wish: Wish) -> int:
    """Do what is to be done, and return how many steps it took."""
    return await apply(door, planned(wish, await look(door)))


async def taken_back(door: Door) -> int:
    return await undo(door, await look(door))


async def left_to_do(door: Door, wish: Wish) -> list[str]:
    return [headline(change).strip() for change in planned(wish, await look(door))]


@dataclass(frozen=True, slots=True)
class DeviceDoor:
    """A door without a wire: the device itself, as an administrator."""

    device: Device

    async def print(self, menu: str) -> list[dict[str, str]]:
        return [dict(row) for row in self._perform(menu, "print", {}).rows]

    async def add(self, menu: str, values: Mapping[str, str]) -> None:
        self._perform(menu, "add", {name: value for name, value in values.items() if value})

    async def set(self, menu: str, row_id: str | None, values: Mapping[str, str]) -> None:
        which = {} if row_id is None else {".id": row_id}
        self._perform(menu, "set", {**which, **values})

    async def remove(self, menu: str, row_id: str) -> None:
        self._perform(menu, "remove", {".id": row_id})

    async def upload(self, name: str, contents: str) -> None:
        self.device.files.put(name, contents)

    async def knock(self) -> None:
        if not self.device.services.admits("api", "127.0.0.1"):
            raise RouterUnreachable("not let in")

    def _perform(self, menu: str, name: str, given: Mapping[str, str]) -> Answer:
        try:
            return self.device.perform(menu, name, Request(given, (), FULL))
        except Trap as trap:
            raise RouterRefused(trap.message) from None


class Killed(BaseException):
    """The program is gone: nothing after this runs."""


@dataclass
class MortalDoor:
    """A door whose program is killed before, or just after, the given write."""

    door: Door
    dies_at: int
    after: bool
    writes: int = field(default=0)

    async def print(self, menu: str) -> list[dict[str, str]]:
        return await self.door.print(menu)

    async def add(self, menu: str, values: Mapping[str, str]) -> None:
        await self._written(lambda: self.door.add(menu, values))

    async def set(self, menu: str, row_id: str | None, values: Mapping[str, str]) -> None:
        await self._written(lambda: self.door.set(menu, row_id, values))

    async def remove(self, menu: str, row_id: str) -> None:
        await self._written(lambda: self.door.remove(menu, row_id))

    async def upload(self, name: str, contents: str) -> None:
        await self._written(lambda: self.door.upload(name, contents))

    async def knock(self) -> None:
        await self.door.knock()

    async def _written(self, write: Callable[[], Any]) -> None:
        self.writes += 1
        if self.writes == self.dies_at and not self.after:
            raise Killed
        await write()
        if self.writes == self.dies_at:
            raise Killed
