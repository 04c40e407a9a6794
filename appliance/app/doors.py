"""The three doors, each on its own listener until the block ends."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from ipaddress import ip_network

from appliance.app import console
from appliance.app.parts import Parts
from appliance.domain import logos
from appliance.settings import Portal, Webhooks
from appliance.settings.tunnel import Wireguard
from appliance.settings.values import parts
from appliance.web import portal_api
from appliance.web.admin import build_admin
from appliance.web.callers import SAFARICOM, Callers
from appliance.web.cron import Cron
from appliance.web.customers import PortalDoor
from appliance.web.health import Check, Closed, Health
from appliance.web.listening import listening
from appliance.web.pages import Look, Pages
from appliance.web.portal import build_portal
from appliance.web.router_pages import router_pages
from appliance.web.shelf import Shelf
from appliance.web.visitors import Visitors
from appliance.web.webhooks import WebhooksDoor, build_webhooks
from provisioning.pages import render_pages

_MOST_CUSTOMERS = 512
"""Connections at once; a phone has one or two, and those of idle ones go first."""


@asynccontextmanager
async def portal(parts: Parts) -> AsyncIterator[None]:
    """Serve customers; a prompt that is being sent when we stop is waited for."""
    settings, flows = parts.settings, parts.flows
    look = await asyncio.to_thread(_look, settings.portal)
    door = PortalDoor(
        checkout=flows.checkout,
        cashier=flows.cashier,
        redeem=flows.redeem,
        recover=flows.recover,
        guesses=flows.guesses,
        sharing=flows.sharing,
        watch=flows.watch,
        shelf=Shelf(parts.kept.plans),
        visitors=Visitors(parts.router),
        pages=await asyncio.to_thread(Pages, look, overlay=settings.portal.templates_dir),
        clock=parts.clock,
        language=settings.portal.default_language,
    )
    app, grace = build_portal(door, portal_api.routes), settings.daraja.read_timeout + 2
    pages = await asyncio.to_thread(render_pages, settings.portal.public_url)
    app.add_routes(router_pages(pages))
    async with listening(app, settings.portal.listen, grace, _MOST_CUSTOMERS):
        yield


def _look(portal: Portal) -> Look:
    logo = "" if portal.logo is None else logos.data_uri(portal.logo.read_bytes())
    return Look(
        brand=portal.brand,
        support_phone=portal.support_phone,
        colour=portal.colour or "",
        logo=logo,
    )


@asynccontextmanager
async def webhooks(parts: Parts) -> AsyncIterator[None]:
    """Serve Safaricom."""
    settings = parts.settings.webhooks
    # At boot the tunnel's address may come after us: the portal need not wait for it.
    ahead = isinstance(parts.settings.tunnel, Wireguard)
    door = WebhooksDoor(
        intake=parts.workers.intake,
        webhooks=parts.kept.webhooks,
        clock=parts.clock,
        expecting=parts.flows.inbox.expecting,
        path_secret=settings.path_secret.get_secret_value(),
        callers=_callers(settings),
        seed_paths=settings.seed_paths,
    )
    async with listening(build_webhooks(door), settings.listen, ahead=ahead):
        yield


@asynccontextmanager
async def admin(parts: Parts, health: Health) -> AsyncIterator[None]:
    """Serve the operator."""
    settings = parts.settings.admin
    secret = settings.cron_secret
    refresh = parts.mpesa.refresh_access_tokens
    cron = Cron(refresh, None if secret is None else secret.get_secret_value())
    frame = await asyncio.to_thread(console.frame, parts.settings, parts.clock, parts.flows.audit)
    async with listening(
        build_admin(health, cron, frame, console.chapters(parts)), settings.listen
    ):
        yield


def _callers(webhooks: Webhooks) -> Callers:
    retired = webhooks.previous_path_secrets
    return Callers(
        previous=() if retired is None else parts(retired.get_secret_value()),
        allowed=tuple(map(ip_network, webhooks.allowed_ips)) or SAFARICOM,
        enforce=webhooks.enforce_ips,
        header=webhooks.client_ip_header,
    )


class Opened:
    """Which doors are open."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._open: set[str] = set()

    @asynccontextmanager
    async def door(self, name: str, door: AbstractAsyncContextManager[None]) -> AsyncIterator[None]:
        """Keep this door open until the block ends."""
        async with door:
            self._open.add(name)
            try:
                yield
            finally:
                self._open.discard(name)

    def checks(self) -> dict[str, Check]:
        """Return for each door what raises `Closed` while it is not open."""
        return {name: partial(self._check, name) for name in self._names}

    async def _check(self, name: str) -> None:
        if name not in self._open:
            raise Closed(name)
