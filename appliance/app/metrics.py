"""What there is to be scraped: counted as it is stored, and never worked out for a scrape.

Every label has a small set of values that is known beforehand; none of them names a person, a
device or a voucher.
"""

import logging
import platform
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from datetime import datetime
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from appliance.domain.canary import Outcome
from appliance.domain.debts import Kind
from appliance.domain.health import RouterHealth
from appliance.domain.payments import Payment, State
from appliance.domain.records import WebhookLog
from appliance.domain.vouchers import Voucher

log = logging.getLogger(__name__)

WAYS = ("api", "ssh")
DEBT_STATES = ("waiting", "parked")
OTHER = "other"
KINDS = (*Kind, "unknown")
TYPES = (
    *("stk_callback", "c2b_confirmation", "c2b_validation", "status_result", "status_timeout"),
    *("reversal_result", "reversal_timeout"),
)
DECISIONS = frozenset(
    {
        *("completed", "failed", "disputed", "undecided", "asked", "unproved"),
        *("already_known", "unmatched", "second_payment", "receipt_used", "payment_not_found"),
        *("mismatch", "malformed", "not_found", "incomplete", "not_completed", "not_ours"),
        *("refunded", "reversing", "given_twice"),
        *("timed_out", "given_up", "refused", "accepted"),
        *("rejected_shortcode", "rejected_account", "rejected_amount"),
    }
)
_RECEIVED = "received"
_LONGEST = 32
_CALLBACK_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600)
_GRANT_SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3600)


class Metrics:
    """Counters of what this process stored, and gauges of what was last seen."""

    def __init__(self, ways: tuple[str, ...], router_id: str) -> None:
        """Take the ways to the router that are set up, `api` and `ssh`, and what it is called."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._set_up, self._router_id = ways, router_id
        self._registry = CollectorRegistry()
        self._count_sales()
        self._show_debts()
        self._show_router()
        self._show_canary()
        self._show_box()

    def observe(self, before: object, after: object) -> None:
        """Count what a write has changed; `before` is None for something new."""
        try:
            match after:
                case Payment():
                    self._payment(before, after)
                case Voucher():
                    self._voucher(before, after)
                case WebhookLog():
                    self._webhook(before, after)
                case _:
                    pass
        except Exception:  # the write is done, whatever the counting comes to
            log.exception("not counted")

    def ran(self, job: str, now: datetime | None) -> None:
        """Take that a job ended well now, or failed where there is no time."""
        if now is None:
            self._job_failures.labels(job).inc()
        else:
            self._job_success.labels(job).set(now.timestamp())

    def owes(self, debts: Iterable[tuple[str, bool]], oldest_seconds: float) -> None:
        """Take what is owed now: of each debt the kind, and whether it is parked."""
        found = Tally(debts)
        for kind in KINDS:
            for parked, state in enumerate(DEBT_STATES):
                self._debts.labels(kind, state).set(found[kind, bool(parked)])
        self._oldest.set(oldest_seconds)

    def waits_for_a_person(self, count: int) -> None:
        """Take how many payments somebody must decide about."""
        self._unmatched.set(count)

    def router(self, health: RouterHealth | None, now: datetime) -> None:
        """Take how the router is; None while it does not answer."""
        self._router_up.set(health is not None)
        told = self._set_up if health is None else health.silent
        silent = {way.partition(":")[0] for way in told}
        for way in self._set_up:
            self._ways.labels(way).set(way not in silent)
        if health is None:
            return
        self._router_seen.set(now.timestamp())
        self._router_seconds.set(health.seconds)
        self._online.set(health.online)
        self._api_sessions.set(health.api_sessions or 0)
        for gauge, most in (
            (self._most_online, health.most_online),
            (self._most_api_sessions, health.most_api_sessions),
        ):
            gauge.set(float("inf") if most is None else most)
        self._router_info.clear()
        self._router_info.labels(health.version[:_LONGEST]).set(1)

    def database(self, seconds: float | None, wal_bytes: int = 0) -> None:
        """Take how long the database took to answer; None when it did not."""
        self._db_up.set(seconds is not None)
        if seconds is not None:
            self._db_seconds.set(seconds)
        self._wal.set(wal_bytes)

    def token(self, refreshed: datetime | None, expires: datetime | None) -> None:
        """Take the age of the access token that sales are made with."""
        self._token_refreshed.set(0 if refreshed is None else refreshed.timestamp())
        self._token_expires.set(0 if expires is None else expires.timestamp())

    def spool(self, waiting: int, parked: int) -> None:
        """Take how many calls wait on the box for the database."""
        self._spool.labels("waiting").set(waiting)
        self._spool.labels("parked").set(parked)

    def canary(self, outcome: Outcome | None) -> None:
        """Take what became of the latest canary; None where there was none."""
        if outcome is None:
            return
        self._canary_up.set(outcome.trouble is None)
        self._canary_at.set(outcome.at.timestamp())
        self._canary_seconds.set(outcome.seconds)
        self._canary_online.set(outcome.online_seconds or 0)

    def memory(self, resident_bytes: int) -> None:
        """Take the memory that the process holds."""
        self._memory.set(resident_bytes)

    def live(
        self,
        *,
        certain: Callable[[], object],
        lag: Callable[[], float],
        late: Callable[[], tuple[str, ...]],
    ) -> None:
        """Read these at each scrape: they cost nothing."""
        self._clock.set_function(lambda: float(certain() is not None))
        self._lag.set_function(lag)
        self._late.set_function(lambda: float(len(late())))

    def scrape(self) -> bytes:
        """Return all of it as Prometheus reads it."""
        return generate_latest(self._registry)

    def _payment(self, before: object, after: Payment) -> None:
        if isinstance(before, Payment) and before.state is after.state:
            return
        self._payments.labels(after.state).inc()
        if after.state is State.PAID:
            self._shillings.inc(after.amount)

    def _voucher(self, before: object, after: Voucher) -> None:
        """Count how long somebody who may go online waited for it the first time."""
        owed = before.owed if isinstance(before, Voucher) else None
        if owed is None or owed.kind is not Kind.GRANT or owed.since is None:
            return
        if after.activated_at is None or not isinstance(before, Voucher) or before.activated_at:
            return
        way = after.granted_by if after.granted_by in WAYS else OTHER
        waited = (after.activated_at - owed.since).total_seconds()
        self._grants.labels(way).observe(max(0.0, waited))

    def _webhook(self, before: object, after: WebhookLog) -> None:
        told = isinstance(before, WebhookLog) and before.status == after.status
        if told or after.status == _RECEIVED:
            return
        kind = after.type if after.type in TYPES else OTHER
        decision = after.status if after.status in DECISIONS else OTHER
        self._webhooks.labels(kind, decision).inc()
        if after.processing_time is not None:
            self._callbacks.observe(after.processing_time / 1000)

    def _count_sales(self) -> None:
        self._payments = self._counter("edge_payments", "Payments that came to a state.", "result")
        for state in State:
            self._payments.labels(state)
        self._shillings = self._counter("edge_paid_shillings", "Money that was paid, in KES.")
        self._webhooks = self._counter(
            "edge_webhooks", "Calls from Safaricom, decided about.", "type", "decision"
        )
        for kind in TYPES:
            self._webhooks.labels(kind, "completed")
        self._callbacks = self._histogram(
            "edge_callback_seconds", "From a call's arrival to its decision.", _CALLBACK_SECONDS
        )
        self._grants = self._histogram(
            "edge_grant_seconds", "From the news that it is paid to online.", _GRANT_SECONDS, "way"
        )
        for way in WAYS:
            self._grants.labels(way)

    def _show_debts(self) -> None:
        self._debts = self._gauge("edge_debts", "Debts that are not paid.", "kind", "state")
        self._oldest = self._gauge("edge_debt_oldest_seconds", "Age of the oldest of them.")
        self._unmatched = self._gauge("edge_unmatched_payments", "Money that waits for a person.")
        self._spool = self._gauge(
            "edge_spool_calls", "Calls kept until the database is back.", "state"
        )
        self.owes((), 0)
        self.spool(0, 0)

    def _show_router(self) -> None:
        up = self._gauge("edge_router_up", "Whether the router answers.", "router")
        self._router_up = up.labels(self._router_id)
        self._ways = self._gauge("edge_router_way_up", "Whether this way in answers.", "way")
        self._router_seen = self._gauge(
            "edge_router_last_success_timestamp", "When the router last said how it is."
        )
        self._router_seconds = self._gauge("edge_router_answer_seconds", "A short question's time.")
        self._router_info = self._gauge("edge_router_info", "The router's version.", "version")
        self._online = self._gauge("edge_router_online", "Devices that are online.")
        self._most_online = self._gauge("edge_router_online_limit", "What its licence allows.")
        self._api_sessions = self._gauge("edge_router_api_sessions", "API sessions that are open.")
        self._most_api_sessions = self._gauge(
            "edge_router_api_sessions_limit", "How many the router allows."
        )

    def _show_canary(self) -> None:
        self._canary_up = self._gauge("edge_canary_up", "Whether the latest canary came back.")
        self._canary_at = self._gauge("edge_canary_timestamp", "When it was sent; 0 for never.")
        self._canary_seconds = self._gauge("edge_canary_seconds", "How long it was away.")
        self._canary_online = self._gauge(
            "edge_canary_online_seconds", "Until its device was online; 0 where none was logged in."
        )

    def _show_box(self) -> None:
        self._clock = self._gauge("edge_clock_trusted", "Whether the time is beyond doubt.")
        self._lag = self._gauge("edge_watchdog_lag_seconds", "How late the event loop was last.")
        self._late = self._gauge("edge_loops_late", "Loops that do not come round.")
        self._db_up = self._gauge("edge_db_up", "Whether the database answers.")
        self._db_seconds = self._gauge("edge_db_round_trip_seconds", "A short question's time.")
        self._wal = self._gauge("edge_db_wal_bytes", "Size of the embedded database's log.")
        self._token_refreshed = self._gauge(
            "edge_token_refreshed_timestamp", "When the M-Pesa token was fetched."
        )
        self._token_expires = self._gauge(
            "edge_token_expires_timestamp", "When the M-Pesa token ends."
        )
        self._job_success = self._gauge(
            "edge_job_last_success_timestamp", "When a job last ended well.", "task"
        )
        self._job_failures = self._counter("edge_job_failures", "Jobs that broke off.", "task")
        self._memory = self._gauge("edge_resident_memory_bytes", "Memory the process holds.")
        build = self._gauge("edge_build_info", "What runs here.", "version", "python")
        build.labels(version("hotspot-appliance"), platform.python_version()).set(1)

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        return Counter(name, about, labels, registry=self._registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(name, about, labels, registry=self._registry)

    def _histogram(
        self, name: str, about: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(name, about, labels, buckets=buckets, registry=self._registry)
