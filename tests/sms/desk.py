"""One box's messages in memory: a provider that remembers, and a worker whose steps are called."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from appliance.domain import ids, vouchers
from appliance.domain.devices import Device
from appliance.domain.errors import ApplianceError
from appliance.domain.messages import Message, Sent
from appliance.domain.payments import Payment, State
from appliance.domain.plans import ClockKind, Plan
from appliance.domain.vouchers import Voucher
from appliance.flows.bounds import Bounds, Rate
from appliance.flows.messages import Outbox, Wanted
from appliance.sms.wording import CATALOGUES
from appliance.store.port import Store
from appliance.store.records import books
from appliance.worker import Worker
from tests.conftest import HandClock
from tests.memory_store import AmbushedStore

PHONE, OPERATORS = "254712345001", ("254700000001", "254700000002")
HOUR = Plan(id="hour", name="One hour", price=10, duration=timedelta(hours=1))
CONNECTED = replace(HOUR, id="connected", clock=ClockKind.CONNECTED)
ALL = Wanted(
    receipts=True,
    reminders=timedelta(minutes=10),
    alerts_to=OPERATORS,
    brand="Mwangaza Wi-Fi",
    box="kibera",
)


class Provider:
    """Takes every message, unless it is told how to fail."""

    def __init__(self) -> None:
        self.sent = list[tuple[str, str]]()
        self.asked = 0
        self.fails: ApplianceError | None = None

    async def send(self, to: str, text: str) -> Sent:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        self.sent.append((to, text))
        return Sent(f"ATXid_{len(self.sent)}", 80)


class Desk:
    """Everything about messages."""

    def __init__(
        self, wanted: Wanted = ALL, *, per_minute: int = 60, store: Store | None = None
    ) -> None:
        self.clock, self.store, self.provider = HandClock(), AmbushedStore(), Provider()
        self.kept = books(store or self.store, "here")
        rate = Rate(per_minute, 60)
        self.outbox = Outbox(
            messages=self.kept.messages,
            payments=self.kept.payments,
            vouchers=self.kept.vouchers,
            messenger=self.provider,
            wording=CATALOGUES,
            bounds=Bounds(clock=self.clock, each=rate, everybody=rate),
            clock=self.clock,
            router_id="here",
            wanted=wanted,
            hand_over=lambda _: None,
        )
        self.worker = Worker("message", self.kept.messages, self.outbox.pay, self.clock)

    async def sold(self, plan: Plan = HOUR, **more: Any) -> tuple[Payment, Voucher]:
        """Return a paid purchase whose voucher runs since now."""
        now = self.clock.now()
        made = vouchers.drawn_up(plan, router_id="here", payment_id=ids.new_id(), now=now)
        device = Device("02:00:00:00:00:01", "127.0.1.1")
        running = made.paid(now, made.payment_id or "").online(now, device)
        running = replace(running, device=device, owed=running.end_owed(now))
        voucher = await self.kept.vouchers.insert(running)
        payment = Payment(
            id=made.payment_id or "",
            token=made.token,
            voucher_id=made.id,
            amount=plan.price,
            paybill_number="174379",
            router_id="here",
            created_at=now,
            state=State.PAID,
            **({"phone": PHONE, "callback_hash": ids.new_token()} | more),
        )
        return await self.kept.payments.insert(payment), voucher

    async def work(self, seconds: int = 60) -> None:
        """Let a while go by in which the worker looks every second."""
        for _ in range(seconds):
            self.clock.pass_by(timedelta(seconds=1))
            while await self.worker.step():
                pass

    async def all(self) -> list[Message]:
        return await self.outbox.newest(100)

    async def only(self) -> Message:
        (message,) = await self.all()
        return message

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.provider.sent]
