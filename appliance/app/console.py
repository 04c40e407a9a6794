"""The operator's console: its frame and its chapters, joined to what they need."""

from dataclasses import dataclass
from datetime import timedelta, timezone
from functools import partial

from appliance.app import c2b
from appliance.app.provision import ByHand
from appliance.app.wiring import Flows, Workers
from appliance.mpesa import MpesaService
from appliance.ports import Cipher, Clock, Router
from appliance.settings import Admin, Settings
from appliance.store.port import Store
from appliance.store.records import Books
from appliance.web.console.home import Home
from appliance.web.console.keys import Keys
from appliance.web.console.pages import ConsolePages
from appliance.web.console.paybills import PaybillPages
from appliance.web.console.routers import Routers
from appliance.web.console.sessions import Sessions
from appliance.web.console.set_up import SetUp
from appliance.web.console.shell import Chapter, Record, Shell


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What chapters are made of."""

    settings: Settings
    store: Store
    kept: Books
    flows: Flows
    workers: Workers
    router: Router
    mpesa: MpesaService
    cipher: Cipher
    clock: Clock


def frame(settings: Settings, clock: Clock, record: Record) -> Shell:
    """Return what every page shares; nobody is signed in yet."""
    zone = timezone(timedelta(minutes=settings.appliance.utc_offset))
    return Shell(
        pages=ConsolePages(settings.portal.brand, zone),
        sessions=Sessions(clock),
        keys=_keys(settings.admin, clock),
        clock=clock,
        record=record,
        secure=(settings.admin.public_url or "").startswith("https://"),
    )


def chapters(parts: Parts) -> list[Chapter]:
    """Return the chapters of the console in the order of its menu."""
    settings, flows = parts.settings, parts.flows
    return [
        Home(parts.clock),
        PaybillPages(
            paybills=parts.kept.paybills,
            users=parts.kept.users,
            cashier=flows.cashier,
            enrol=flows.enrol,
            clock=parts.clock,
            try_keys=parts.mpesa.try_keys,
            trouble=parts.mpesa.token_trouble,
            register=partial(c2b.register, settings, parts.mpesa, flows.enrol),
            url=settings.webhooks.public_url,
        ),
        Routers(
            router=parts.router,
            router_id=settings.router.id,
            host=settings.router.host,
            ways=("api",) if settings.router.ssh_fingerprint is None else ("api", "ssh"),
            online=flows.online,
            drift=flows.drift,
            cashier=flows.cashier,
            set_up=SetUp(
                provisioning=ByHand(settings, parts.kept.plans),
                online=flows.online,
                router_id=settings.router.id,
            ),
        ),
    ]


def _keys(admin: Admin, clock: Clock) -> Keys:
    password, totp = admin.password_hash, admin.totp_secret
    return Keys(
        clock=clock,
        password_hash=None if password is None else password.get_secret_value(),
        totp_secret=None if totp is None else totp.get_secret_value(),
    )
