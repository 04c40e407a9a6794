"""Plays a schedule: its steps, then peace, then the judgement."""

import asyncio
import json
import shutil
import signal
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.chaos import troubles
from tests.chaos.case import Case, Violation
from tests.chaos.doings import do
from tests.chaos.oracle import judged
from tests.chaos.people import Person
from tests.chaos.schedule import Schedule, Step
from tests.chaos.site import Ground
from tests.chaos.town import Town

_ = troubles  # its steps are known by being imported
PATIENCE = 20.0
"""Seconds until what may still settle counts as broken."""
_LOOK_AGAIN = 0.15
_START_AGAIN_AFTER = 2.5
"""A start reads Safaricom's list as far back as it goes."""
_FIRST_START = 60
_LISTED_FOR = 40 * 3600.0


@dataclass
class Outcome:
    """What came of one schedule."""

    schedule: Schedule
    violations: list[Violation] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    payments: int = 0
    orders: int = 0
    logins: int = 0
    restarts: int = 0
    deaths: int = 0
    seconds: float = 0.0
    settled: float = 0.0
    folder: Path = Path()

    @property
    def may_be_late(self) -> bool:
        """Say whether nothing is wrong, but for what a slow machine may not have come to."""
        return all(violation.waits for violation in self.violations)


async def play(
    ground: Ground, place: int, schedule: Schedule, patience: float = PATIENCE
) -> Outcome:
    """Return what came of this schedule."""
    town, began = Town(ground, place, schedule), time.monotonic()
    outcome = Outcome(schedule, folder=town.folder)
    try:
        await town.open()
        await _all_steps(town)
        town.calm()
        calm = time.monotonic()
        outcome.violations = await _settled(town, patience)
        outcome.settled = time.monotonic() - calm
    finally:
        await town.close()
    record = town.record
    if not outcome.violations:
        await asyncio.to_thread(shutil.rmtree, town.folder)
    outcome.faults.update(record.faults)
    outcome.payments, outcome.orders = len(record.paid), len(record.pushes)
    outcome.logins = len(record.logins)
    outcome.restarts, outcome.deaths = town.daemon.starts - 1, town.daemon.deaths
    outcome.seconds = time.monotonic() - began
    return outcome


async def _all_steps(town: Town) -> None:
    async with asyncio.timeout(_FIRST_START):
        while not town.daemon.ready:  # the first start is not what is tried
            await asyncio.sleep(0.01)
    began = time.monotonic()

    async def at_its_time(step: Step) -> None:
        await asyncio.sleep(max(0.0, began + step.at - time.monotonic()))
        await do(town, step)

    async with asyncio.TaskGroup() as group:
        for step in town.schedule.steps:
            group.create_task(at_its_time(step))


async def _settled(town: Town, patience: float) -> list[Violation]:
    """Return what is broken, or still is when patience ends."""
    until, wait = time.monotonic() + patience * town.slow, _START_AGAIN_AFTER * town.slow
    again = time.monotonic() + wait
    found = [Violation(1, "the box never was ready", waits=True)]
    while time.monotonic() < until:
        await asyncio.sleep(_LOOK_AGAIN)
        if not town.daemon.ready or town.under_way():
            continue
        found = await _round(town)
        if not found or any(not violation.waits for violation in found):
            break
        if town.schedule.pull and time.monotonic() > again:
            wait *= 2
            again = time.monotonic() + wait
            town.end(signal.SIGTERM, 0.0)
    if found:
        await _keep_documents(town)
    return found


async def _round(town: Town) -> list[Violation]:
    """Return what is broken, or is not yet as it should be; then customers come back."""
    for person in town.people:
        person.arrive()
        await person.look()
    case = await _case(town)
    if case is None:
        return [Violation(1, "the documents cannot be read", waits=True)]
    if found := judged(case):
        return found
    return [
        await _comes_back(town, case, person)
        for person in town.people
        if _time_left(case, person) and not town.router.hotspot.is_online(person.ip)
    ]


async def _keep_documents(town: Town) -> None:
    documents = await town.documents()
    text = json.dumps(asdict(documents), indent=1) if documents else "unreadable"
    await asyncio.to_thread((town.folder / "documents.json").write_text, text)


async def _case(town: Town) -> Case | None:
    """Return what is known; the documents are read last, so that they hold all that was seen."""
    seen = town.record.until_now()
    now, sessions = town.now(), town.router.hotspot.sessions
    stays = town.record.all_stays(town.router)
    accepted = [
        (one.order.account, one.checkout_request_id)
        for one in town.daraja._express._transactions.values()
    ]
    documents = await town.documents()
    if documents is None:
        return None
    return Case(
        record=seen,
        documents=documents,
        now=now,
        stays=stays,
        online={session.mac: (session.user, session.ends) for session in sessions},
        transactions=accepted,
        merchant=town.merchant.short_code,
        pulls=town.schedule.pull and town.passed < _LISTED_FOR,
        log=await asyncio.to_thread(_read, town.folder / "err"),
        secrets=_secrets(town),
    )


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def _secrets(town: Town) -> dict[str, str]:
    """Return every text that no log may hold."""
    found = {town.secret: "the secret of the webhooks' address"}
    for person in town.people:
        found |= {person.phone[3:]: "a phone number"}
        found |= dict.fromkeys(person.tokens, "the token of a page")
    for push in town.record.pushes:
        found[push["AccountReference"]] = "a voucher's code"
        found[push["CallBackURL"].rpartition("/")[2]] = "the token of a callback"
        found[push["Password"]] = "the password of a push"
    for merchant in town.daraja.merchants:
        found[merchant.passkey] = "a passkey"
        found[merchant.consumer_secret] = "a consumer secret"
    return found


async def _comes_back(town: Town, case: Case, person: Person) -> Violation:
    """Have a customer who has time left use it; it is not at rest before that has worked."""
    mine = _time_left(case, person)
    await person.visit()
    for code in mine:
        if not town.router.hotspot.is_online(person.ip):
            await person.type_code(code, move=True)
    return Violation(1, f"customer {person.number} paid for {mine} and is not in yet", waits=True)


def _time_left(case: Case, person: Person) -> list[str]:
    """Return the codes of what this phone paid for and the time of which is not over."""
    paid = {money.receipt for _, money in case.record.paid if money.phone == person.phone}
    accounts = {money.account for _, money in case.record.paid if money.phone == person.phone}
    first = {login.user: login.at for login in reversed(case.record.logins)}
    found = []
    for voucher in case.documents.vouchers.values():
        payment = case.documents.payments.get(voucher.get("paymentId", ""), {})
        theirs = payment.get("mpesaReceiptNumber") in paid or (
            # Somebody else may have paid by hand for the same code, and nobody was told of it.
            "mpesaReceiptNumber" not in payment
            and payment.get("phoneNumber") == person.phone
            and voucher["code"] in accounts
        )
        began = first.get(voucher["code"], case.now)
        over = case.now - began >= voucher["plan"]["durationSeconds"] - 30
        if theirs and voucher["status"] in {"paid", "ready", "active"} and not over:
            found.append(voucher["code"])
    return found
