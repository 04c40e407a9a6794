"""The real daemon in a process of its own, with short waits, that can die at any boundary.

`DIE_AT=n` in the environment kills the process with SIGKILL at the n-th boundary it crosses: just
before or just after a write to the database, a command to the router or a request to Daraja.
`SEND_WITHIN=n` gives a push so many seconds to leave instead of one, for crowds.
`LOOP=dies|leaves|hangs|blocks` breaks the loop that looks for what vouchers owe, and makes the
watchdog impatient; `LOOP=` alone only makes it impatient.
"""

import asyncio
import os
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from appliance import scheduler, worker
from appliance.app import watchdog
from appliance.cli import main
from appliance.domain import debts, payments
from appliance.mpesa import client, tokens
from appliance.ports import Beat
from appliance.router import patience, pool
from appliance.store.records import StoredRecords
from appliance.worker import Worker, rounds
from tests.mortal import Countdown, crossing


def _hasten() -> None:
    debts.LEASE = timedelta(seconds=1)
    within = timedelta(seconds=float(os.environ.get("SEND_WITHIN", "1")))
    payments.SEND_WITHIN = payments._FIRST_ASK = within
    payments.UNDECIDED_FOR = within + timedelta(seconds=3)
    payments._ASK_EVERY = timedelta(seconds=0.5)
    worker._LONGEST_WAIT = timedelta(seconds=1)
    worker._LONGEST_ABSENCE = timedelta(seconds=1)
    worker._LOOK_EVERY = 0.1
    patience.LONGEST_WAIT = 0.5
    tokens.LEASE = timedelta(seconds=1)
    tokens._FETCH_WITHIN = 0.8


def make_mortal() -> None:
    """Have this process die at the boundary that `DIE_AT` says."""
    cross = Countdown(int(os.environ["DIE_AT"])).cross
    for owner, name in (
        (StoredRecords, "insert"),
        (StoredRecords, "change"),
        (pool.Pool, "command"),
        (client, "send"),
    ):
        setattr(owner, name, crossing(getattr(owner, name), cross))


def _break_a_loop(how: str) -> None:
    watchdog._LATE, watchdog._STUCK, watchdog._LOOK_EVERY = 1.5, 3.0, 0.2
    rounds._LONGEST_IDLE = 0.2
    hastened = {"beat": 0.2, "clock": 1}
    scheduler.TURNS |= {
        name: replace(scheduler.TURNS[name], every=timedelta(seconds=seconds))
        for name, seconds in hastened.items()
    }
    look = Worker._look

    async def broken(self: Worker[Any], beat: Beat) -> None:
        if self._name != "voucher":
            await look(self, beat)
        await asyncio.sleep(0.5)
        match how:
            case "dies":
                raise ZeroDivisionError
            case "leaves":
                raise asyncio.CancelledError
            case "hangs":
                await asyncio.Event().wait()
            case "blocks":
                time.sleep(60)  # noqa: ASYNC251
            case _:
                raise ValueError(how)

    if how:
        Worker._look = broken  # type: ignore[method-assign]


if __name__ == "__main__":
    _hasten()
    if (how := os.environ.get("LOOP")) is not None:
        _break_a_loop(how)
    if os.environ.get("DIE_AT"):
        make_mortal()
    main()
