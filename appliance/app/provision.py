"""The router's set-up: what is asked for, one look at how it stands, and doing it."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from appliance.app.clock import SystemClock
from appliance.app.router import open_pool
from appliance.domain.errors import Invalid, RouterRefused, RouterUnreachable
from appliance.domain.plans import Plan
from appliance.ports import Plans
from appliance.settings import Settings
from appliance.web.console.set_up import Outlook, Wanted
from provisioning import shown, visit
from provisioning.accounts import lacking
from provisioning.desired import FOLDER
from provisioning.door import ApiDoor, WrongAccount
from provisioning.lending import lending
from provisioning.pages import render_pages
from provisioning.preflight import troubles
from provisioning.rows import Change
from provisioning.trouble import Level, Trouble
from provisioning.visit import Look
from provisioning.wish import Wish, WrongWish, is_address

log = logging.getLogger(__name__)

_DNS = 53
_MOST_PLANS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody says of the set-up, beyond the settings."""

    admin: str | None = None
    """Who signs in to the router, if not the box itself."""
    password: str = field(default="", repr=False)
    interface: str | None = None
    """Where a hotspot is to be made."""
    server: str | None = None
    """Another hotspot than the settings name."""


@dataclass(frozen=True, slots=True)
class Survey:
    """How the router stands to what is wanted of it."""

    seen: Look
    changes: list[Change]
    """What `applied` would do now."""
    troubles: list[Trouble]


def wish_of(
    settings: Settings, asked: Asked, plans: tuple[Plan, ...], profile: str | None = None
) -> Wish:
    """Return the wish that settings, plans and options make; raise `WrongWish`. Reads files."""
    hotspot = settings.hotspot
    return Wish(
        portal_url=settings.portal.public_url,
        pages=render_pages(settings.portal.public_url),
        box=box_address(settings),
        username=settings.router.username,
        password=settings.router.password.get_secret_value(),
        plans=plans,
        interface=asked.interface,
        server=asked.server or hotspot.server,
        profile=profile,
        box_mac=hotspot.box_mac,
        hosts=hotspot.free_hosts,
        ntp=hotspot.ntp,
        ssh=settings.router.ssh_fingerprint is not None,
        option_114=hotspot.option_114,
        limit_services=not hotspot.keep_services_open,
    )


def box_address(settings: Settings) -> str:
    """Return this box's address towards the router; nothing is sent to find it out."""
    if settings.hotspot.box is not None:
        return str(settings.hotspot.box)
    found = address_towards(settings.router.host) or urlsplit(settings.portal.public_url).hostname
    if found is None or not is_address(found):
        raise WrongWish("set hotspot.box to the address of this box")
    return found


def address_towards(host: str) -> str | None:
    """Return the address that this box would call from; None where no way leads there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, _DNS))
        except (OSError, UnicodeError):  # the latter for what no name can be
            return None
        address: str = probe.getsockname()[0]
        return address


async def plans_for_sale(plans: Plans) -> tuple[Plan, ...]:
    """Return what the router needs a profile for."""
    return tuple(await plans.page("active", value=True, limit=_MOST_PLANS))


@asynccontextmanager
async def open_door(settings: Settings, asked: Asked, box: str) -> AsyncIterator[ApiDoor]:
    """Sign in; raise `WrongAccount` where the router does not let us in."""

    async def knock() -> None:
        async with open_pool(settings.router, asked.admin, asked.password) as once_more:
            await once_more.command("/system/identity/print")

    async with (
        open_pool(settings.router, asked.admin, asked.password) as pool,
        lending(box) as lender,
    ):
        door = ApiDoor(pool, knock, lender, FOLDER)
        await door.signed_in()
        yield door


async def surveyed(settings: Settings, asked: Asked, wish: Wish) -> Survey:
    """Look at the router once; raise `WrongAccount` where it does not let us in."""
    async with open_door(settings, asked, wish.box) as door:
        seen = await visit.look(door)
    found = troubles(wish, seen, asked.admin or settings.router.username, SystemClock().now())
    try:
        return Survey(seen, visit.planned(wish, seen), found)
    except WrongWish as error:
        if not hopeless(found):
            found.append(Trouble(Level.FAIL, "that cannot be done as things stand", str(error)))
        return Survey(seen, [], found)


async def planned(
    settings: Settings, asked: Asked, wish: Wish
) -> tuple[list[Change], list[Trouble]]:
    """Look at the router, and return what is to be done and what is in the way."""
    username = asked.admin or settings.router.username
    try:
        survey = await surveyed(settings, asked, wish)
    except WrongAccount as error:
        return [], [Trouble(Level.FAIL, f"the router does not let {username} in", str(error))]
    in_the_way = lacking(survey.changes, survey.seen, username)
    return survey.changes, [*survey.troubles, *in_the_way]


async def applied(
    settings: Settings, asked: Asked, wish: Wish, told: Callable[[Change], None]
) -> list[Change]:
    """Look once more, do it, and return what is still not as it should be."""
    async with open_door(settings, asked, wish.box) as door:
        await visit.apply(door, visit.planned(wish, await visit.look(door)), told)
        return visit.planned(wish, await visit.look(door))


async def lets_in(settings: Settings) -> bool:
    """Say whether the box's own account works, with which it will come from now on."""
    async with open_pool(settings.router) as pool:
        try:
            await pool.command("/system/identity/print")
        except (RouterRefused, RouterUnreachable):
            return False
        return True


def not_let_in(settings: Settings) -> str:
    """Return what to say where it does not."""
    return (
        f"The router is set up, and does not let {settings.router.username} in: somebody made that "
        "account with another password, address or group. Mend it there (/user), or name another "
        "in router.username."
    )


@dataclass(frozen=True, slots=True)
class ByHand:
    """The set-up as the console has it looked at and done."""

    settings: Settings
    plans: Plans

    async def plan(self, wanted: Wanted) -> Outlook:
        """Return what `apply` would do; raise `Invalid` for what cannot be meant."""
        asked = _asked(wanted)
        changes, found = await planned(self.settings, asked, await self._wish(asked))
        return Outlook(
            steps=len(changes),
            lines=tuple(shown.lines(changes)),
            troubles=tuple((str(trouble.level), trouble.what, trouble.fix) for trouble in found),
            hopeless=hopeless(found),
        )

    async def apply(self, wanted: Wanted) -> None:
        """Do it; raise `visit.NotTaken` where not all of it stands afterwards."""
        asked = _asked(wanted)
        wish = await self._wish(asked)
        changes, found = await planned(self.settings, asked, wish)
        if hopeless(found):
            raise Invalid("; ".join(f"{trouble.what}: {trouble.fix}" for trouble in found))
        if not changes:
            return
        left = await applied(self.settings, asked, wish, _tell)
        if left:
            raise visit.NotTaken(f"Not everything stayed as it was set: {shown.summary(left)}")
        if not await lets_in(self.settings):
            raise visit.NotTaken(not_let_in(self.settings))

    async def _wish(self, asked: Asked) -> Wish:
        plans = await plans_for_sale(self.plans)
        try:
            return await asyncio.to_thread(wish_of, self.settings, asked, plans)
        except WrongWish as error:
            raise Invalid(str(error)) from None


def _asked(wanted: Wanted) -> Asked:
    return Asked(
        admin=wanted.admin,
        password=wanted.password,
        interface=wanted.interface,
        server=wanted.server,
    )


def _tell(change: Change) -> None:
    log.info("set up%s", shown.headline(change).rstrip())


def hopeless(found: list[Trouble]) -> bool:
    """Say whether something must be mended before anything can be done."""
    return any(trouble.level is Level.FAIL for trouble in found)
