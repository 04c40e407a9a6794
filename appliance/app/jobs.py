"""What happens by the clock, joined to what it works on; `scheduler` says how often."""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from appliance import scheduler
from appliance.app.backup import DailyBackup
from appliance.app.canary import CanaryRound, latest
from appliance.app.measuring import Measuring
from appliance.app.parts import Parts
from appliance.domain.health import RouterHealth
from appliance.flows.alarms import Alarms
from appliance.flows.alerts import Alerts
from appliance.flows.messages import Outbox
from appliance.flows.upkeep import Upkeep
from appliance.settings import Settings
from appliance.store.debts import Debts
from appliance.store.port import Store
from appliance.store.schema import KEEP_WEBHOOKS, MESSAGES, WEBHOOKS


def jobs(parts: Parts, config: Path | None) -> scheduler.Jobs:
    """Return every job of the daemon whose settings are in this file."""
    settings, flows, clock = parts.settings, parts.flows, parts.clock

    def told(health: RouterHealth | None) -> None:
        parts.metrics.router(health, clock.now())
        parts.facts.router(health)

    alarms = Alarms(router=parts.router, told=told)
    alerts = Alerts(
        outbox=flows.outbox,
        payments=parts.kept.payments,
        router_answers=lambda: alarms.answers,
        clock=clock,
    )
    return scheduler.Jobs(
        upkeep=_upkeep(parts),
        refresh_tokens=parts.mpesa.refresh_access_tokens,
        reconcile=flows.reconcile,
        usage=flows.usage,
        drift=flows.drift,
        alarms=alarms,
        messages=partial(_tell, flows.outbox, alerts),
        back_up=DailyBackup(settings, config, clock).look,
        measure=_measuring(parts).look,
        canary=CanaryRound(flows.canary.send, settings.appliance.data_dir).go,
        canary_every=_canary_every(settings),
    )


def _measuring(parts: Parts) -> Measuring:
    data_dir = parts.settings.appliance.data_dir
    return Measuring(
        metrics=parts.metrics,
        ping=parts.store.ping,
        debts=Debts(parts.store, parts.settings.router.id),
        kept=parts.kept,
        cashier=parts.flows.cashier,
        clock=parts.clock,
        wal=data_dir / "appliance.sqlite3-wal",
        canary=partial(latest, data_dir),
    )


def _upkeep(parts: Parts) -> Upkeep:
    kept = parts.kept
    return Upkeep(
        prune_old=partial(_prune, parts.store),
        keep=KEEP_WEBHOOKS,
        webhooks=kept.webhooks,
        payments=kept.payments,
        vouchers=kept.vouchers,
        messages=kept.messages,
        clock=parts.clock,
        look=parts.clock.look,
    )


async def _tell(outbox: Outbox, alerts: Alerts) -> None:
    """Queue the messages that the clock brings."""
    await outbox.remind_ending()
    await alerts.look()


async def _prune(store: Store, before: datetime) -> int:
    return await store.prune(WEBHOOKS.name, "timestamp", before) + await store.prune(
        MESSAGES.name, "createdAt", before
    )


def _canary_every(settings: Settings) -> timedelta | None:
    every = settings.canary.every
    return None if every is None else timedelta(minutes=every)
