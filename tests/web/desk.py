"""The operator's console on loopback, without the rest of the box, and who sits before it."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from appliance.flows.reports import Reports
from appliance.store.records import Books
from appliance.web.admin import build_admin
from appliance.web.console.keys import Keys
from appliance.web.console.pages import ConsolePages
from appliance.web.console.sessions import Sessions
from appliance.web.console.shell import Chapter, Shell
from appliance.web.cron import Cron
from appliance.web.health import Health
from tests.conftest import HandClock

PASSWORD = "correct horse battery"
HASH = PasswordHasher(1, 8, 1).hash(PASSWORD)
PAGES = ConsolePages("Mwangaza Wi-Fi", timezone(timedelta(hours=3)))
_CSRF = re.compile('name="csrf" value="([^"]+)"')


@dataclass
class Desk:
    """Somebody with a browser at the console."""

    client: TestClient[web.Request, web.Application]
    clock: HandClock
    sessions: Sessions
    record: list[tuple[Any, ...]] = field(default_factory=list)
    """What was written into the audit log: who, did, subject, detail."""

    async def sign_in(self, password: str = PASSWORD, **more: str) -> ClientResponse:
        """Fill in the form and return the answer to it."""
        form = {"password": password, **more}
        return await self.client.post("/sign-in", data=form, allow_redirects=False)

    async def see(self, path: str) -> str:
        """Return a page that there is."""
        answer = await self.client.get(path, allow_redirects=False)
        assert answer.status == 200, (answer.status, await answer.text())
        return await answer.text()

    async def csrf(self) -> str:
        """Return what proves that a form is from our own page."""
        (found, *_) = _CSRF.findall(await self.see("/sessions"))
        return str(found)

    async def press(self, path: str, **form: str) -> ClientResponse:
        """Send a form as our own page would."""
        data = {"csrf": await self.csrf(), **form}
        return await self.client.post(path, data=data, allow_redirects=False)


@asynccontextmanager
async def desk(
    *chapters: Chapter, clock: HandClock | None = None, **keys: Any
) -> AsyncIterator[Desk]:
    """Yield the console with these chapters; nobody is signed in yet."""
    clock, written = clock or HandClock(), list[tuple[Any, ...]]()
    frame = shell(clock, written, **keys)
    async with TestClient(TestServer(built(chapters, frame))) as client:
        yield Desk(client, clock, frame.sessions, written)


def built(chapters: Sequence[Chapter], frame: Shell) -> web.Application:
    """Return the admin door with nothing but the console behind it."""
    health = Health(checks={}, late=lambda: (), scrape=lambda: b"")
    return build_admin(health, Cron(_nothing, None), frame, chapters)


def shell(
    clock: HandClock | None = None,
    written: list[tuple[Any, ...]] | None = None,
    password_hash: str | None = HASH,
    totp_secret: str | None = None,
) -> Shell:
    """Return the frame of the pages, writing the audit log into a list."""
    clock, log = clock or HandClock(), [] if written is None else written

    async def record(who: str, did: str, subject: str, /, **detail: object) -> None:
        log.append((who, did, subject, detail))

    return Shell(
        pages=PAGES,
        sessions=Sessions(clock),
        keys=Keys(clock=clock, password_hash=password_hash, totp_secret=totp_secret),
        clock=clock,
        record=record,
    )


def reports_of(kept: Books, clock: HandClock) -> Reports:
    """Return what reads these books, by the clocks of Nairobi."""
    return Reports(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        webhooks=kept.webhooks,
        clock=clock,
        offset=timedelta(hours=3),
    )


async def _nothing() -> list[Any]:
    return []
