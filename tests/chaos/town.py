"""One world: the daemon between its pretend neighbours, with customers, for one schedule."""

import asyncio
import json
import re
import signal
import tomllib
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from appliance.sandbox import config
from appliance.sandbox.addresses import HOST
from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.accounts import MERCHANTS, Merchant
from appliance.sandbox.daraja.server import DarajaOptions, PretendDaraja, pretend_daraja
from appliance.sandbox.daraja.urls import Registered
from appliance.sandbox.routeros.server import PretendRouter, RouterOptions, pretend_router
from tests.chaos import pace, power
from tests.chaos.documents import Documents, of_mongodb, of_sqlite
from tests.chaos.machine import Daemon
from tests.chaos.people import Person
from tests.chaos.pipes import Pipe
from tests.chaos.record import Record
from tests.chaos.schedule import Schedule
from tests.chaos.shared import Shared
from tests.chaos.site import DATABASE, LINE, PORTS, Ground

_LOOK_AT_BOOKS_EVERY = 0.3
_HAPPENS_WITHIN = 6.0
_DATABASE_IS_SLOWER = 2
_LIFELONG = {"prompt_seconds": pace.PROMPT, "slow_seconds": 1.2, "register": "again"}
_LATE = {"callback_delay": 1.0, "c2b_delay": 1.0}


class Town:
    """Everything of one run."""

    daraja: PretendDaraja
    router: PretendRouter
    daemon: Daemon

    def __init__(self, ground: Ground, place: int, schedule: Schedule) -> None:
        self.ground = ground
        self.schedule = schedule
        self.host = ground.host(place)
        self.folder = ground.new_folder()
        self.database = f"chaos_{place}_{schedule.till:d}{schedule.pull:d}"
        self.slow = ground.slow * (_DATABASE_IS_SLOWER if schedule.store == "mongodb" else 1)
        self.record = Record()
        self.chance = Random(schedule.seed)
        self.shared = Shared(self.folder / "shared")
        self.people = [Person(self, number) for number in range(schedule.people)]
        self.when: dict[str, Callable[[], None]] = {}
        """What to do at the next event of a name."""
        self.events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.passed = self.skew = 0.0
        self.heard = True
        self._one_look = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._errands: set[asyncio.Task[Any]] = set()
        self._menus: dict[str, dict[int, dict[str, Any]]] = {"daraja": {}, "router": {}}
        self.restore: list[Callable[[], None]] = []
        """What undoes faults that last."""

    @property
    def merchant(self) -> Merchant:
        """Return who is paid."""
        kind = "till" if self.schedule.till else "paybill"
        return next(merchant for merchant in MERCHANTS if merchant.type == kind)

    @property
    def file(self) -> Path:
        return self.folder / "appliance.sqlite3"

    async def open(self) -> None:
        mongodb = self.schedule.store == "mongodb"
        await self.ground.fill(self.schedule, self.folder, self.database)
        uri = f"mongodb://{self.host}:{DATABASE}/?directConnection=true" if mongodb else None
        settings, _ = await asyncio.to_thread(config.write, self.folder, PORTS, uri)
        text = settings.read_text(encoding="utf-8")
        if not self.schedule.ssh:
            settings.write_text(re.sub("(?m)^ssh_.*\n", "", text), encoding="utf-8")
        self.secret: str = tomllib.loads(text)["webhooks"]["path_secret"]
        self.tunnel = Pipe(HOST, 0, (self.host, PORTS.webhooks))
        self.line = Pipe(self.host, LINE, (self.host, PORTS.daraja))
        self.public_url = f"http://{HOST}:{await self._opened(self.tunnel)}"
        await self._opened(self.line)
        if mongodb:
            server = (HOST, self.ground.secantus.port)
            self.to_database = Pipe(self.host, DATABASE, server, mongodb=True)
            await self._opened(self.to_database)
        await self._open_neighbours()
        self.set_time()
        self.daemon = Daemon(self.ground.zygote, self._order(settings), self._lose_power)
        self.daemon.open()
        self._stack.push_async_callback(self.daemon.close)
        for person in self.people:
            self._stack.push_async_callback(person.close)
            person.arrive()
        self.errand(self._look_at_books())

    async def close(self) -> None:
        for task in self._errands:
            task.cancel()
        await asyncio.gather(*self._errands, return_exceptions=True)
        await self._stack.aclose()

    def errand(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something beside everything else."""
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            work()

        self.errand(wait())

    def set_time(self) -> None:
        self.shared.set_time(passed=self.passed, skew=self.skew, heard=self.heard)

    def now(self) -> float:
        """Return seconds, those included that passed in no time."""
        return self.router.clock.monotonic()

    def menu(self, of: str, faults: dict[str, Any]) -> Callable[[], None]:
        """Add these faults of a neighbour, and return what takes them away again."""
        key, menus = id(faults), self._menus[of]
        menus[key] = faults
        self._tell(of)

        def undo() -> None:
            if menus.pop(key, None) is not None:
                self._tell(of)

        self.restore.append(undo)
        return undo

    def calm(self) -> None:
        """Lift every fault."""
        for undo in self.restore:
            undo()
        self.restore.clear()
        self.when.clear()
        self.skew, self.heard = 0.0, True
        self.set_time()
        self.daemon.die_at = 0

    async def documents(self) -> Documents | None:
        """Return what is stored now; None while it cannot be read."""
        async with self._one_look:  # what was read first is noted first
            if self.schedule.store == "mongodb":
                uri = self.ground.secantus.uri
                found = await asyncio.to_thread(of_mongodb, uri, self.database)
            else:
                found = await asyncio.to_thread(of_sqlite, self.file)
            self._note(found)
        return found

    async def command(self, *words: str) -> Any:
        """Run an operator's command; return its JSON, or None where it failed."""
        try:
            return json.loads(await self.daemon.run(*words, "--json"))
        except ValueError:
            return None

    def happened(self, event: str) -> None:
        """Do what waits for this event, at once."""
        self.events[event].set()
        if (act := self.when.pop(event, None)) is not None:
            act()

    async def after(self, event: str) -> None:
        """Return once it has happened, or is not going to."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_HAPPENS_WITHIN * self.slow):
                await self.events[event].wait()

    def under_way(self) -> bool:
        """Say whether a phone rings or a message of Safaricom's is on its way."""
        errands = (task.get_coro() for task in self.daraja._express.errands._under_way)
        waits = [errand for errand in errands if errand.__name__ != "_press"]  # type: ignore[union-attr]
        return bool(waits or self.daraja.prompts())

    def _tell(self, of: str) -> None:
        merged: dict[str, Any] = {}
        for faults in self._menus[of].values():
            merged |= faults
        if of == "router":
            self.router.faults.set(merged)
            return
        late = _LATE if "late" in merged.values() else {}
        self.daraja.faults.set({"default": _LIFELONG | late | merged})

    def _lose_power(self) -> None:
        if self.schedule.store == "sqlite":
            power.cut(self.file, self.shared, self.chance)

    async def _open_neighbours(self) -> None:
        safaricom = pretend_daraja(
            DarajaOptions(host=self.host, port=PORTS.daraja, clock=self._safaricoms_time)
        )
        self.daraja = await self._stack.enter_async_context(safaricom)
        options = RouterOptions(
            host=self.host,
            api_port=PORTS.router_api,
            web_port=PORTS.router_web,
            ssh_port=PORTS.router_ssh if self.schedule.ssh else None,
            well_known_key=True,
        )
        self.router = await self._stack.enter_async_context(pretend_router(options))
        self._tell("daraja")
        await self._register()
        self.record.watch(self.daraja, self.router, self.happened)

    def _safaricoms_time(self) -> datetime:
        return names.now() + timedelta(seconds=self.passed)

    async def _register(self) -> None:
        """Have Safaricom know where to tell of money, and whom to show its list."""
        hooks = f"{self.public_url}/hooks/{self.secret}/c2b"
        for merchant in MERCHANTS:
            self.daraja._express.c2b.urls._registered[merchant.short_code] = Registered(
                number=merchant.pays_to,
                response_type="Completed",
                confirmation=f"{hooks}/confirmation",
                validation=f"{hooks}/validation",
            )
        if self.schedule.pull:
            await self._register_pull()

    async def _register_pull(self) -> None:
        base, mine = f"http://{self.host}:{PORTS.daraja}", self.merchant
        keys = aiohttp.BasicAuth(mine.consumer_key, mine.consumer_secret)
        grant = f"{base}/oauth/v1/generate?grant_type=client_credentials"
        wanted = {"ShortCode": mine.pays_to, "RequestType": "Pull"}
        wanted |= {"NominatedNumber": "0712345678", "CallBackURL": self.public_url}
        async with aiohttp.ClientSession() as http:
            async with http.get(grant, auth=keys) as answer:
                token = (await answer.json())["access_token"]
            url, bearer = (
                f"{base}/pulltransactions/v1/register",
                {"Authorization": f"Bearer {token}"},
            )
            async with http.post(url, json=wanted, headers=bearer) as answer:
                assert answer.status == 200, await answer.text()

    async def _opened(self, pipe: Pipe) -> int:
        self._stack.push_async_callback(pipe.close)
        return await pipe.open()

    def _order(self, settings: Path) -> dict[str, Any]:
        host = self.host
        environment = pace.environment(self.slow) | {
            "APPLIANCE_PORTAL__LISTEN": f"{host}:{PORTS.portal}",
            "APPLIANCE_WEBHOOKS__LISTEN": f"{host}:{PORTS.webhooks}",
            "APPLIANCE_ADMIN__LISTEN": f"{host}:{PORTS.admin}",
            "APPLIANCE_WEBHOOKS__PUBLIC_URL": self.public_url,
            "APPLIANCE_DARAJA__BASE_URL": f"http://{host}:{LINE}",
            "APPLIANCE_ROUTER__HOST": host,
            "APPLIANCE_MONGODB__DATABASE": self.database,
            "APPLIANCE_APPLIANCE__LOG_LEVEL": self.schedule.log_level,
        }
        return {
            "words": ["run", "--config", str(settings)],
            "environment": environment,
            "shared": str(self.folder / "shared"),
            "out": str(self.folder / "out"),
            "err": str(self.folder / "err"),
        }

    async def _look_at_books(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AT_BOOKS_EVERY)
            await self.documents()

    def _note(self, documents: Documents | None) -> None:
        """Remember what each payment is at."""
        for payment in documents.payments.values() if documents else ():
            states = self.record.statuses[payment["_id"]]
            if not states or states[-1] != payment["status"]:
                states.append(payment["status"])

    def end(self, how: signal.Signals, off: float, *, power_too: bool = False) -> bool:
        """End the daemon, to be started again so much later."""
        return self.daemon.end(how, off, power=power_too)
