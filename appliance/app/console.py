"""The operator's console: its frame and its chapters, joined to what they need."""

from datetime import timedelta, timezone
from functools import partial

from appliance.app import c2b
from appliance.app.parts import Parts
from appliance.app.printing import press
from appliance.app.provision import ByHand
from appliance.flows.audit import Audit
from appliance.flows.background import Archive
from appliance.flows.replay import Replay
from appliance.ports import Clock
from appliance.settings import Admin, Settings
from appliance.store.debts import Debts
from appliance.web.console.batches import BatchPages
from appliance.web.console.calls import Calls
from appliance.web.console.customers import CustomerPages
from appliance.web.console.home import Home
from appliance.web.console.keys import Keys
from appliance.web.console.log import Log
from appliance.web.console.messages import MessagesChapter
from appliance.web.console.pages import ConsolePages
from appliance.web.console.paybills import PaybillPages
from appliance.web.console.payment_story import PaymentStory
from appliance.web.console.payments import PaymentsChapter
from appliance.web.console.plans import PlanPages
from appliance.web.console.reconciliation import Reconciliation
from appliance.web.console.routers import Routers
from appliance.web.console.sessions import Sessions
from appliance.web.console.set_up import SetUp
from appliance.web.console.shell import Chapter, Shell
from appliance.web.console.vouchers import VoucherPages
from appliance.web.console.work import Outstanding, Work


def frame(settings: Settings, clock: Clock, audit: Audit) -> Shell:
    """Return what every page shares; nobody is signed in yet."""
    zone = timezone(timedelta(minutes=settings.appliance.utc_offset))
    return Shell(
        pages=ConsolePages(settings.portal.brand, zone),
        sessions=Sessions(clock),
        keys=_keys(settings.admin, clock),
        clock=clock,
        record=audit.write,
        secure=(settings.admin.public_url or "").startswith("https://"),
    )


def chapters(parts: Parts) -> list[Chapter]:
    """Return the chapters of the console in the order of its menu."""
    settings, kept, flows, clock = parts.settings, parts.kept, parts.flows, parts.clock
    outstanding = Outstanding(
        debts=Debts(parts.store, settings.router.id), spool=kept.spool, clock=clock
    )
    return [
        _home(parts, outstanding),
        _payments(parts),
        _vouchers(parts),
        CustomerPages(payments=kept.payments, messages=kept.messages, reports=flows.reports),
        PlanPages(plans=kept.plans, offer=flows.offer),
        _paybills(parts),
        _routers(parts),
        MessagesChapter(
            messages=kept.messages,
            outbox=flows.outbox,
            clock=clock,
            provider=settings.sms.provider,
        ),
        Calls(webhooks=kept.webhooks, replay=Replay(webhooks=kept.webhooks, clock=clock)),
        Work(outstanding=outstanding, give_up=flows.give_up),
        Log(audit=flows.audit),
    ]


def _home(parts: Parts, outstanding: Outstanding) -> Home:
    kept, flows = parts.kept, parts.flows
    return Home(
        reports=flows.reports,
        online=flows.online,
        cashier=flows.cashier,
        outstanding=outstanding,
        plans=kept.plans,
        webhooks=kept.webhooks,
        clock=parts.clock,
    )


def _vouchers(parts: Parts) -> VoucherPages:
    flows, settings = parts.flows, parts.settings
    return VoucherPages(
        vouchers=parts.kept.vouchers,
        offer=flows.offer,
        amend=flows.amend,
        online=flows.online,
        router=parts.router,
        clock=parts.clock,
        router_id=settings.router.id,
        batches=BatchPages(batches=flows.batches, offer=flows.offer, press=press(settings.portal)),
    )


def _paybills(parts: Parts) -> PaybillPages:
    kept, flows, mpesa = parts.kept, parts.flows, parts.mpesa
    return PaybillPages(
        paybills=kept.paybills,
        users=kept.users,
        cashier=flows.cashier,
        enrol=flows.enrol,
        clock=parts.clock,
        try_keys=mpesa.try_keys,
        trouble=mpesa.token_trouble,
        trial=flows.checkout.trial,
        register=partial(c2b.register, parts.settings, mpesa, flows.enrol),
        url=parts.settings.webhooks.public_url,
    )


def _routers(parts: Parts) -> Routers:
    router, flows = parts.settings.router, parts.flows
    return Routers(
        router=parts.router,
        router_id=router.id,
        host=router.host,
        ways=("api",) if router.ssh_fingerprint is None else ("api", "ssh"),
        online=flows.online,
        drift=flows.drift,
        cashier=flows.cashier,
        set_up=SetUp(
            provisioning=ByHand(parts.settings, parts.kept.plans),
            online=flows.online,
            router_id=router.id,
        ),
    )


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
