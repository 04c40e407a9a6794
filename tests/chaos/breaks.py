"""Deliberate breaks of each promise, and for each a schedule that must show it.

A machine that finds nothing proves nothing: every break is made in a copy of the appliance, and
the schedule has to end there with a violation of that promise, and without the break with none.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.machine import ROOT
from tests.chaos.schedule import Schedule, Step

_NOT_COPIED = ("appliance", "tests", ".git", ".venv-dev")


@dataclass(frozen=True)
class Break:
    """What is broken, by which changes of the text, and when it shows."""

    promise: int
    name: str
    changes: tuple[tuple[str, str, str], ...]
    """File, what is there, and what is there instead."""
    steps: tuple[Step, ...]

    @property
    def schedule(self) -> Schedule:
        return Schedule(seed=1, people=1, steps=self.steps)

    def copied(self, folder: Path) -> Path:
        """Return a copy of the package with the break in it."""
        folder.mkdir(parents=True)
        for path in ROOT.iterdir():
            if path.name not in _NOT_COPIED:
                (folder / path.name).symlink_to(path)
        (folder / "tests").symlink_to(ROOT / "tests")
        shutil.copytree(ROOT / "appliance", folder / "appliance")
        for name, there, instead in self.changes:
            file = folder / "appliance" / name
            text = file.read_text(encoding="utf-8")
            assert text.count(there) == 1, f"{self.name}: {name} has changed"
            file.write_text(text.replace(there, instead), encoding="utf-8")
        return folder


def _at(at: float, do: str, **args: Any) -> Step:
    return Step(at, do, args)


_ORDER = _at(0.0, "order", who=0, plan="half-hour", door="json")
_PAY = _at(0.0, "answer", after="push", who=0, how="pay")
_BUY = (_ORDER, _PAY)
_CALLED = _at(0.0, "visit", after="callback", who=0)
_BY_HAND = _at(0.2, "pay_by_hand", who=0, to="word", plan="hour", short=False)

BREAKS = (
    Break(
        1,
        "a payment that is done owes its voucher nothing",
        (("domain/payments.py", "owed = owing(Kind.CONCLUDE, now)", "owed = None"),),
        _BUY,
    ),
    Break(
        1,
        "a stored message of money is not owed a decision",
        (("web/webhooks.py", "owed=debts.owing(debts.Kind.SETTLE, now)", "owed=None"),),
        (_at(0.0, "kill_when", event="confirmation", off=0.0), _BY_HAND),
    ),
    Break(
        2,
        "a callback is answered before it is stored",
        (
            (
                "web/webhooks.py",
                "    if not await door.intake.take(webhook, token_hash):\n"
                "        raise web.HTTPNotFound\n",
                "    async def later() -> None:\n        await asyncio.sleep(0.3)\n"
                "        await door.intake.take(webhook, token_hash)\n\n"
                "    request = asyncio.ensure_future(later())\n    del request\n",
            ),
        ),
        (_at(0.0, "kill_when", event="callback", off=0.0), *_BUY, _CALLED),
    ),
    Break(
        2,
        "a commit is not forced to the disk",
        (("store/thread.py", "PRAGMA synchronous=FULL", "PRAGMA synchronous=NORMAL"),),
        (_at(0.0, "power_cut_when", event="callback", off=0.0), *_BUY, _CALLED),
    ),
    Break(
        2,
        "the push leaves before its initiation is stored",
        (
            (
                "flows/checkout.py",
                "        await self.initiations.insert(_initiation(payment))\n        return await",
                "        return await",
            ),
        ),
        (_at(0.0, "kill_when", event="push", off=0.0), *_BUY),
    ),
    Break(
        3,
        "a push without an answer is sent again",
        (
            (
                "flows/checkout.py",
                "return await self._unanswered(payment)",
                "return await self._push(payment, secret, not_after)",
            ),
        ),
        (_at(0.0, "safaricom", menu={"push": "lost_answer"}, lasts=0.8), *_BUY),
    ),
    Break(
        4,
        "a receipt may be used again",
        (
            ("store/sqlite_tables.py", '("UNIQUE ", (path,), path)', '("", (path,), path)'),
            (
                "domain/ids.py",
                "return hashlib.sha256(receipt.encode()).hexdigest()[:24]",
                "return new_id()",
            ),
            (
                "flows/matching.py",
                '        known = await self.payments.find("mpesaReceiptNumber", money.receipt)\n'
                "        if known is not None and (",
                "        known: Payment | None = None\n        if known is not None and (",
            ),
        ),
        (_at(0.0, "safaricom", menu={"c2b": "twice"}, lasts=2.0), _BY_HAND),
    ),
    Break(
        5,
        "a failure that comes late undoes a payment",
        (
            (
                "domain/payments.py",
                "        if self.state not in UNDECIDED:\n            return self\n"
                "        state = State.CANCELLED",
                "        state = State.CANCELLED",
            ),
        ),
        (*_BUY, _at(0.0, "out_of_order", after="login", wait=0.5, who=0)),
    ),
    Break(
        5,
        "uncertainty lets somebody in",
        (
            (
                "domain/payments.py",
                'return replace(self, state=State.UNKNOWN, reason="checking", open_phone=None)',
                "return self._closed(State.PAID, None, now)",
            ),
        ),
        (
            _at(0.0, "safaricom", menu={"query": "never", "callback": "never"}, lasts=60.0),
            _ORDER,
            _at(0.0, "answer", after="push", who=0, how="ignore"),
            _at(0.0, "visit", after="login", who=0),
        ),
    ),
    Break(
        6,
        "paid time starts when it is paid",
        (
            (
                "domain/vouchers.py",
                "expires_at = now + self.length - self._passed if wall else None",
                "expires_at = (self.paid_at or now) + self.length if wall else None",
            ),
        ),
        (
            _at(0.0, "router", menu={"refuse": True}, lasts=60.0),
            *_BUY,
            _at(0.0, "time_passes", after="callback", wait=1.0, seconds=720.0),
        ),
    ),
    Break(
        7,
        "the router is told of more than was sold",
        (
            (
                "domain/accounts.py",
                "limit_uptime=timedelta(seconds=max(1, left)),",
                "limit_uptime=timedelta(seconds=max(1, left) * 3),",
            ),
        ),
        (
            _at(0.0, "kill_when", event="login", off=1.0),
            *_BUY,
            _at(0.0, "time_passes", after="login", seconds=7200.0),
        ),
    ),
    Break(
        8,
        "whoever knows a purchase's token may call",
        (
            (
                "web/callers.py",
                'hmac.compare_digest(shown.encode(errors="replace"), secret.encode())',
                'hmac.compare_digest(shown.encode(errors="replace"), shown.encode())',
            ),
        ),
        (_ORDER, _at(0.0, "forge", after="ordered", who=0, how="no_secret")),
    ),
    Break(
        9,
        "a voucher's code is logged",
        (
            (
                "flows/checkout.py",
                'log.info("prompted payment=%s plan=%s", payment.id, payment.plan_id)',
                'log.info("prompted payment=%s code=%s", payment.id, payment.voucher_code)',
            ),
        ),
        (_ORDER,),
    ),
)
