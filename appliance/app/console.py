"""The operator's console: its frame and its chapters, joined to what they need."""

from dataclasses import dataclass
from datetime import timedelta, timezone

from appliance.app.wiring import Flows, Workers
from appliance.flows.background import Archive
from appliance.mpesa import MpesaService
from appliance.ports import Cipher, Clock, Router
from appliance.settings import Admin, Settings
from appliance.store.port import Store
from appliance.store.records import Books
from appliance.web.console.home import Home
from appliance.web.console.keys import Keys
from appliance.web.console.pages import ConsolePages
from appliance.web.console.payment_story import PaymentStory
from appliance.web.console.payments import PaymentsChapter
from appliance.web.console.reconciliation import Reconciliation
from appliance.web.console.sessions import Sessions
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
    return [Home(parts.clock), _payments(parts)]


def _payments(parts: Parts) -> PaymentsChapter:
    kept, flows = parts.kept, parts.flows
    archive = Archive(payments=kept.payments, vouchers=kept.vouchers, audit=flows.audit)
    return PaymentsChapter(
        payments=kept.payments,
        plans=kept.plans,
        archive=archive,
        story=PaymentStory(
            reports=flows.reports,
            archive=archive,
            plans=kept.plans,
            resolve=flows.resolve,
            reversal=flows.reversal,
        ),
        reconciliation=Reconciliation(
            payments=kept.payments,
            paybills=kept.paybills,
            reports=flows.reports,
            reconcile=flows.reconcile,
        ),
    )


def _keys(admin: Admin, clock: Clock) -> Keys:
    password, totp = admin.password_hash, admin.totp_secret
    return Keys(
        clock=clock,
        password_hash=None if password is None else password.get_secret_value(),
        totp_secret=None if totp is None else totp.get_secret_value(),
    )
