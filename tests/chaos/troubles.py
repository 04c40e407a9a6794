"""What goes wrong in a step of a schedule, and is put right after a while."""

import json
import resource
import signal
import sqlite3
from contextlib import suppress
from typing import Any

import aiohttp

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.express import NoSuchPrompt
from appliance.sandbox.routeros import values
from tests.chaos.doings import doing
from tests.chaos.site import PORTS
from tests.chaos.town import Town


@doing
async def kill(town: Town, off: float) -> None:
    _count(town, "kill", town.end(signal.SIGKILL, off))


@doing
async def die_at(town: Town, boundary: int) -> None:
    """The next start dies at its n-th boundary: around a write, a command, a request."""
    town.daemon.die_at = boundary
    _count(town, "die_at", town.end(signal.SIGKILL, 0.0))


@doing
async def power_cut(town: Town, off: float) -> None:
    _count(town, "power_cut", town.end(signal.SIGKILL, off, power_too=True))


@doing
async def stop(town: Town, off: float) -> None:
    _count(town, "stop", town.end(signal.SIGTERM, off))


@doing
async def kill_when(town: Town, event: str, off: float) -> None:
    town.when[event] = lambda: _count(town, f"kill_when_{event}", town.end(signal.SIGKILL, off))


@doing
async def power_cut_when(town: Town, event: str, off: float) -> None:
    def cut() -> None:
        _count(town, f"power_cut_when_{event}", town.end(signal.SIGKILL, off, power_too=True))

    town.when[event] = cut


@doing
async def router(town: Town, menu: dict[str, Any], lasts: float) -> None:
    _count(town, f"router_{'_'.join(menu)}")
    town.later(lasts, town.menu("router", menu))


@doing
async def reboot(town: Town, lasts: float) -> None:
    _count(town, "router_reboot")
    await town.router.reboot(lasts)
    _all_come_back(town)


@doing
async def reset(town: Town, lasts: float) -> None:
    """The router is set up anew: its users are gone, but for the operator's own."""
    _count(town, "router_reset")
    users = town.router.hotspot.config.users
    town.router.hotspot.power_cut()
    for row_id, row in list(users.rows.items()):
        if row["name"] != "admin":
            users.rows.pop(row_id)
            users.originals.pop(row_id)
            town.record.forgotten[row["name"]] += _seconds(row["uptime"])
    await town.router.reboot(lasts)
    _all_come_back(town)


@doing
async def lose_counters(town: Town) -> None:
    _count(town, "router_lost_counters")
    for row in town.router.hotspot.config.users.rows.values():
        town.record.forgotten[row["name"]] += _seconds(row["uptime"])
        row["uptime"] = "0s"


def _seconds(text: str) -> float:
    return float(values.seconds(text) or 0)


def _all_come_back(town: Town) -> None:
    for person in town.people:
        person.arrive()


@doing
async def safaricom(town: Town, menu: dict[str, Any], lasts: float) -> None:
    _count(town, "safaricom_" + "_".join(f"{name}_{value}" for name, value in menu.items()))
    town.later(lasts, town.menu("daraja", menu))


@doing
async def line(town: Town, mode: str, lasts: float) -> None:
    _pipe(town, "line", mode, lasts)


@doing
async def tunnel(town: Town, mode: str, lasts: float) -> None:
    _pipe(town, "tunnel", mode, lasts)


@doing
async def database(town: Town, mode: str, lasts: float) -> None:
    if town.schedule.store == "mongodb":
        _pipe(town, "to_database", "away" if mode == "full" else mode, lasts)
    elif mode in {"full", "read_only", "not_primary"}:
        _disk_full(town, lasts)
    else:
        await _locked(town, min(lasts, 1.5))


def _pipe(town: Town, which: str, mode: str, lasts: float) -> None:
    _count(town, f"{which}_{mode}")
    pipe = getattr(town, which)
    pipe.set(mode)

    def mend() -> None:
        pipe.set("open")

    town.restore.append(mend)
    town.later(lasts, mend)


def _disk_full(town: Town, lasts: float) -> None:
    """No file of the running process grows any more: what it has on the disk is all there is."""
    program = town.daemon.program
    if program is None or program.ended.is_set():
        return
    _count(town, "disk_full")
    log = town.file.with_name(f"{town.file.name}-wal")
    room = log.stat().st_size if log.exists() else 0

    def limit(size: int) -> None:
        if not program.ended.is_set():
            with suppress(ProcessLookupError):
                resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def mend() -> None:
        limit(resource.RLIM_INFINITY)

    limit(room)
    town.restore.append(mend)
    town.later(lasts, mend)


async def _locked(town: Town, lasts: float) -> None:
    """Another program holds the file."""
    _count(town, "database_locked")
    connection = sqlite3.connect(
        town.file, isolation_level=None, timeout=0, check_same_thread=False
    )
    with suppress(sqlite3.Error):
        connection.execute("BEGIN IMMEDIATE")
    town.restore.append(connection.close)
    town.later(lasts, connection.close)


@doing
async def time_passes(town: Town, seconds: float) -> None:
    _count(town, "time_passes")
    for prompt in town.daraja.prompts():  # no phone rings for so long
        with suppress(NoSuchPrompt):
            await town.daraja.answer(prompt.id, "ignore")
    town.passed += seconds
    town.set_time()
    town.router.clock._ahead += seconds


@doing
async def wrong_clock(town: Town, skew: float, lasts: float) -> None:
    """The date is wrong, and no time server is heard, until it is put right."""
    _count(town, "clock_back" if skew < 0 else "clock_ahead")
    town.record.jumped = True
    town.skew, town.heard = skew, False
    town.set_time()

    def mend() -> None:
        town.skew, town.heard = 0.0, True
        town.set_time()

    town.later(lasts, mend)


@doing
async def out_of_order(town: Town, who: int) -> None:
    """That nobody answered the prompt is told after the money came: the two overtook each other."""
    phone = town.people[who].phone
    paid = {money.account for _, money in town.record.paid if money.phone == phone}
    for push in town.record.pushes:
        called = [name for name in _checkouts(town, push) if name.endswith(phone[-9:])]
        if push["AccountReference"] not in paid or len(called) != 1:
            continue
        _count(town, "out_of_order")
        body: dict[str, Any] = {"MerchantRequestID": "1-1-1", "CheckoutRequestID": called[0]}
        body |= {"ResultCode": 1037, "ResultDesc": "DS timeout user cannot be reached"}
        await _call(push["CallBackURL"], {"Body": {"stkCallback": body}})


@doing
async def forge(town: Town, who: int, how: str) -> None:
    """Somebody calls who is not Safaricom, or Safaricom calls at the wrong address."""
    person = town.people[who]
    mine = [push for push in town.record.pushes if push["PhoneNumber"] == person.phone]
    if not mine:
        return
    _count(town, f"forge_{how}")
    push, receipt = mine[-1], names.receipt(names.now())
    town.record.forged.add(receipt)
    right = push["CallBackURL"].rpartition("/")[2]
    others = [p for p in town.record.pushes if p["PhoneNumber"] != person.phone]
    if how == "anothers" and not others:
        return
    secret = {"no_secret": "0" * 32, "old_secret": town.secret[::-1]}.get(how, town.secret)
    token = {"unknown_token": "0" * 32, "anothers": right}.get(how, right)
    if how == "anothers":
        token = others[-1]["CallBackURL"].rpartition("/")[2]
        if not _checkouts(town, others[-1]):
            return  # nobody could tell it from the right one
    checkout = (_checkouts(town, push) or ["ws_CO_1"])[-1]
    amount = int(push["Amount"]) + (7 if how == "amount" else 0)
    items = {"Amount": amount, "MpesaReceiptNumber": receipt, "PhoneNumber": int(person.phone)}
    body: dict[str, Any] = {
        "MerchantRequestID": "1-1-1",
        "CheckoutRequestID": checkout,
        "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": [{"Name": n, "Value": v} for n, v in items.items()]},
    }
    url = f"http://{town.host}:{PORTS.webhooks}/hooks/{secret}/stk/{token}"
    await _call(url, {"Body": {"stkCallback": body}})


def _checkouts(town: Town, push: dict[str, Any]) -> list[str]:
    """Return the name that this push got, where its customer was told of it."""
    who = [person for person in town.people if person.phone == push["PhoneNumber"]]
    return [name for person in who for name in person.checkouts]


async def _call(url: str, body: object) -> None:
    timeout = aiohttp.ClientTimeout(total=2)
    with suppress(aiohttp.ClientError, TimeoutError, OSError):
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.post(url, data=json.dumps(body)) as answered,
        ):
            await answered.read()


def _count(town: Town, fault: str, happened: bool = True) -> None:  # noqa: FBT001, FBT002
    if happened:
        town.record.faults[fault] += 1
