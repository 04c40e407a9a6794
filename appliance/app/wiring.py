"""Flows and the workers that pay what they owe, joined to each other."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from appliance.app.messenger import wanted
from appliance.domain import ids
from appliance.domain.messages import Message
from appliance.domain.payments import Payment
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import Voucher
from appliance.flows.access import Access
from appliance.flows.amend import Amend
from appliance.flows.audit import Audit
from appliance.flows.batches import Batches
from appliance.flows.bounds import Bounds, Rate
from appliance.flows.canary import Canary
from appliance.flows.cashier import Cashier
from appliance.flows.checkout import Checkout
from appliance.flows.drift import Drift
from appliance.flows.enrol import Enrol
from appliance.flows.give_up import GiveUp
from appliance.flows.guesses import Guesses, guesses
from appliance.flows.homing import Homing
from appliance.flows.inbox import Inbox
from appliance.flows.inquiry import Inquiry, bounds
from appliance.flows.intake import Intake
from appliance.flows.lookup import Lookup
from appliance.flows.matching import Matching
from appliance.flows.messages import Outbox
from appliance.flows.offer import Offer
from appliance.flows.online import Online
from appliance.flows.progress import Watch
from appliance.flows.reconcile import Reconcile
from appliance.flows.recover import Recover
from appliance.flows.redeem import Redeem
from appliance.flows.reports import Reports
from appliance.flows.resolve import Resolve
from appliance.flows.restraint import restrained
from appliance.flows.reversal import Reversal
from appliance.flows.settlement import Settlement
from appliance.flows.sharing import Sharing
from appliance.flows.usage import Usage
from appliance.flows.validation import Validation
from appliance.ports import Cipher, Clock, Gateway, Messenger, Router
from appliance.settings import Settings
from appliance.sms.wording import CATALOGUES
from appliance.store.records import Books
from appliance.worker import Clerk, Worker


@dataclass(frozen=True, slots=True)
class Workers:
    """Who takes calls in, and who pays which debts."""

    intake: Intake
    webhooks: Worker[WebhookLog]
    payments: Worker[Payment]
    vouchers: Worker[Voucher]
    messages: Worker[Message] | None
    """None where there is no provider: nobody looks for what nobody writes."""
    clerk: Clerk
    asker: Clerk
    """Waits for Safaricom where nobody else should."""


@dataclass(frozen=True, slots=True)
class Flows:
    """Every story, wired to what it needs."""

    checkout: Checkout
    redeem: Redeem
    recover: Recover
    guesses: Guesses
    sharing: Sharing
    watch: Watch
    cashier: Cashier
    inbox: Inbox
    reconcile: Reconcile
    resolve: Resolve
    reversal: Reversal
    amend: Amend
    batches: Batches
    give_up: GiveUp
    usage: Usage
    drift: Drift
    canary: Canary
    reports: Reports
    audit: Audit
    outbox: Outbox
    enrol: Enrol
    online: Online
    offer: Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """Everybody that flows reach through their ports."""

    gateway: Gateway
    router: Router
    messenger: Messenger
    clock: Clock
    cipher: Cipher


def wired(settings: Settings, kept: Books, outside: Outside) -> tuple[Flows, Workers]:
    """Join flows and workers: what a flow owes, its worker pays."""
    gateway, router, clock = outside.gateway, outside.router, outside.clock
    outbox, messages = _messages(settings, kept, outside)
    usage = Usage(
        vouchers=kept.vouchers,
        router=router,
        clock=clock,
        router_id=settings.router.id,
        tell=outbox.remind_low,
    )
    access = Access(
        vouchers=kept.vouchers, seats=kept.seats, router=router, usage=usage, clock=clock
    )
    vouchers = Worker("voucher", kept.vouchers, access.pay, clock)
    clerk, asker = Clerk("clerk", vouchers.idle), Clerk("asker", vouchers.idle)
    settlement = Settlement(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        gateway=gateway,
        clock=clock,
        router_id=settings.router.id,
        hand_over=vouchers.hand,
        later=clerk.later,
        tell=outbox.receipt,
    )
    lookup = Lookup(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        plans=kept.plans,
        paybills=kept.paybills,
        clock=clock,
    )
    matching = Matching(
        payments=kept.payments,
        vouchers=kept.vouchers,
        lookup=lookup,
        settlement=settlement,
        clock=clock,
        router_id=settings.router.id,
    )
    cashier = Cashier(
        kept.paybills,
        kept.routers,
        kept.users,
        router_id=settings.router.id,
        environment=settings.daraja.environment,
        cipher=outside.cipher,
    )
    reconcile = Reconcile(
        payments=kept.payments,
        paybills=kept.paybills,
        cashier=cashier,
        gateway=gateway,
        matching=matching,
        clock=clock,
    )
    again, by_device = bounds(clock)
    inquiry = Inquiry(
        payments=kept.payments,
        paybills=kept.paybills,
        cashier=cashier,
        gateway=gateway,
        settlement=settlement,
        lookup=lookup,
        matching=matching,
        reconcile=reconcile,
        again=again,
        by_device=by_device,
        clock=clock,
        later=asker.later,
        token=partial(ids.signed, settings.webhooks.path_secret.get_secret_value()),
    )
    token = partial(ids.signed, settings.webhooks.path_secret.get_secret_value())
    reversal = Reversal(
        payments=kept.payments,
        paybills=kept.paybills,
        lookup=lookup,
        gateway=gateway,
        clock=clock,
        token=token,
    )
    inbox = Inbox(
        payments=kept.payments,
        initiations=kept.initiations,
        webhooks=kept.webhooks,
        gateway=gateway,
        settlement=settlement,
        matching=matching,
        inquiry=inquiry,
        reversal=reversal,
        validation=Validation(lookup),
        clock=clock,
        later=clerk.later,
    )
    checkout = Checkout(
        payments=kept.payments,
        vouchers=kept.vouchers,
        initiations=kept.initiations,
        plans=kept.plans,
        cashier=cashier,
        gateway=gateway,
        settlement=settlement,
        restraint=restrained(
            kept.payments, kept.vouchers, clock, settings.daraja.prompts_per_minute
        ),
        clock=clock,
        router_id=settings.router.id,
    )
    redeem = Redeem(
        vouchers=kept.vouchers,
        seats=kept.seats,
        router=router,
        access=access,
        homing=Homing(
            payments=kept.payments,
            vouchers=kept.vouchers,
            cashier=cashier,
            clock=clock,
            router_id=settings.router.id,
        ),
        clock=clock,
        router_id=settings.router.id,
    )
    flows = Flows(
        checkout=checkout,
        redeem=redeem,
        recover=Recover(
            payments=kept.payments, vouchers=kept.vouchers, redeem=redeem, inquiry=inquiry
        ),
        guesses=guesses(clock),
        sharing=Sharing(
            vouchers=kept.vouchers,
            seats=kept.seats,
            router=router,
            clock=clock,
            router_id=settings.router.id,
        ),
        watch=Watch(payments=kept.payments, vouchers=kept.vouchers, clock=clock),
        cashier=cashier,
        inbox=inbox,
        reconcile=reconcile,
        reversal=reversal,
        resolve=Resolve(
            payments=kept.payments,
            vouchers=kept.vouchers,
            plans=kept.plans,
            lookup=lookup,
            settlement=settlement,
            clock=clock,
            router_id=settings.router.id,
        ),
        amend=Amend(vouchers=kept.vouchers, router=router, clock=clock),
        batches=Batches(
            vouchers=kept.vouchers,
            plans=kept.plans,
            router=router,
            clock=clock,
            router_id=settings.router.id,
        ),
        give_up=GiveUp(webhooks=kept.webhooks, payments=kept.payments, vouchers=kept.vouchers),
        usage=usage,
        drift=Drift(
            vouchers=kept.vouchers,
            router=router,
            access=access,
            usage=usage,
            clock=clock,
            router_id=settings.router.id,
        ),
        canary=Canary(
            vouchers=kept.vouchers,
            plans=kept.plans,
            router=router,
            access=access,
            redeem=redeem,
            clock=clock,
            router_id=settings.router.id,
            mac=settings.canary.device,
        ),
        reports=Reports(
            payments=kept.payments,
            vouchers=kept.vouchers,
            initiations=kept.initiations,
            webhooks=kept.webhooks,
            clock=clock,
            offset=timedelta(minutes=settings.appliance.utc_offset),
        ),
        audit=Audit(entries=kept.audit, clock=clock, box=settings.router.id),
        outbox=outbox,
        enrol=Enrol(paybills=kept.paybills, users=kept.users, cipher=outside.cipher, clock=clock),
        offer=Offer(plans=kept.plans),
        online=Online(
            vouchers=kept.vouchers, router=router, clock=clock, router_id=settings.router.id
        ),
    )
    webhooks = Worker("webhook", kept.webhooks, inbox.settle, clock)
    return flows, Workers(
        intake=Intake(
            payments=kept.payments,
            webhooks=kept.webhooks,
            hand_over=webhooks.hand,
            clock=clock,
            spool=kept.spool,
        ),
        webhooks=webhooks,
        payments=Worker("payment", kept.payments, settlement.pay, clock),
        vouchers=vouchers,
        messages=None if settings.sms.provider == "none" else messages,
        clerk=clerk,
        asker=asker,
    )


def _messages(settings: Settings, kept: Books, outside: Outside) -> tuple[Outbox, Worker[Message]]:
    rate = Rate(settings.sms.per_minute, 60)
    outbox = Outbox(
        messages=kept.messages,
        payments=kept.payments,
        vouchers=kept.vouchers,
        messenger=outside.messenger,
        wording=CATALOGUES,
        bounds=Bounds(clock=outside.clock, each=rate, everybody=rate),
        clock=outside.clock,
        router_id=settings.router.id,
        wanted=wanted(settings),
        hand_over=lambda message: worker.hand(message),  # noqa: PLW0108 # made below
    )
    worker = Worker("message", kept.messages, outbox.pay, outside.clock)
    return outbox, worker
