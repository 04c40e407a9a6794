"""The daemon's waits, about a hundredth of the real ones and in the same order of size."""

import os
import time
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

import apscheduler.schedulers.base
import apscheduler.triggers.interval

from appliance import scheduler, worker
from appliance.app import clock
from appliance.domain import debts, payments, vouchers
from appliance.flows import drift, inquiry, intake
from appliance.mpesa import tokens
from appliance.router import patience
from appliance.store import mongodb, thread
from appliance.web import visitors
from appliance.worker import outage
from tests.chaos.shared import Shared

PROMPT = 1.2
"""How long a phone rings, in seconds."""


def environment(slow: float) -> dict[str, str]:
    """Return the settings of a daemon on a machine that is so many times slower than most."""
    return {
        "CHAOS_SLOW": str(slow),
        "APPLIANCE_ROUTER__TIMEOUT": str(slow),
        "APPLIANCE_DARAJA__CONNECT_TIMEOUT": str(0.5 * slow),
        "APPLIANCE_DARAJA__READ_TIMEOUT": str(1.2 * slow),
        "APPLIANCE_APPLIANCE__CLOCK": "checked",
    }


def hasten() -> None:
    """Shorten every wait of this process; what limits work, less so on a slow machine."""
    slow = float(os.environ["CHAOS_SLOW"])
    for module in (debts, vouchers, drift):
        vars(module)["LEASE"] = timedelta(seconds=2.4 * slow)
    worker._LONGEST_PAYING = 2.2 * slow
    worker._FIRST_WAIT = timedelta(seconds=0.1)
    worker._LONGEST_WAIT = worker._LONGEST_ABSENCE = timedelta(seconds=0.6)
    outage._FIRST_WAIT, outage._SOON_WAIT, outage._LONGEST_WAIT = 0.1, 0.3, 0.4
    worker._LOOK_EVERY = 0.1
    payments.SEND_WITHIN = timedelta(seconds=slow)
    payments.UNDECIDED_FOR = timedelta(seconds=2.5 * slow + PROMPT)
    payments._FIRST_ASK = payments.SEND_WITHIN
    payments._ASK_EVERY = timedelta(seconds=0.3)
    asks = tuple(timedelta(seconds=s) for s in (4, 5, 6, 8, 10, 13, 17, 22, 30, 60, 90))
    payments.LATE_ASKS = asks
    _hasten_jobs()
    inquiry._MINUTE = 0.5
    visitors._KEEP_SECONDS = 0.2
    patience.FIRST_WAIT, patience.SOON, patience.LONGEST_WAIT = 0.15, 0.3, 0.4
    intake._PATIENCE_SECONDS, intake._LOOK_EVERY = slow, 0.1
    tokens.LEASE, tokens._FETCH_WITHIN = timedelta(seconds=1.6 * slow), 1.3 * slow
    thread._PATIENCE_SECONDS = 0.4 * slow
    mongodb._AWAY_AFTER_MS = int(1000 * slow)
    mongodb._GIVE_UP_AFTER_MS = int(3000 * slow)


def _hasten_jobs() -> None:
    often = {"drift": 0.6, "usage": 0.5, "alarms": 5, "clock": 0.2}
    scheduler.TURNS |= {
        name: replace(scheduler.TURNS[name], every=timedelta(seconds=seconds))
        for name, seconds in often.items()
    }
    scheduler._FIRST_REPAIR = timedelta(seconds=0.3)
    clock._SETTLE = 0.5


def tell_time_by(shared: Shared) -> None:
    """Have this process see the time that the machine says it is."""
    real, since_start = time.time, time.monotonic

    def wall() -> float:
        return real() + shared.passed + shared.skew

    class Dated(datetime):
        """What `datetime.now` of others is replaced by."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(wall(), tz)

    defaults: Any = clock.SystemClock.__init__.__kwdefaults__
    defaults.update(wall=wall, monotonic=lambda: since_start() + shared.passed)
    vars(clock)["kernel_or_timesyncd"] = lambda *, jumped: shared.heard
    time.time = wall
    for module in (scheduler, apscheduler.schedulers.base, apscheduler.triggers.interval):
        vars(module)["datetime"] = Dated
