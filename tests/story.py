"""One box and one M-Pesa in memory, for tests that run thousands of stories."""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from appliance.domain import debts, ids
from appliance.domain.errors import ApplianceError, Invalid
from appliance.domain.paybills import Credentials, Paybill, PaybillInfo
from appliance.domain.payments import NEEDS_A_PERSON, State
from appliance.domain.plans import Plan
from appliance.domain.records import WebhookLog
from appliance.domain.secrets import InClear
from appliance.domain.vouchers import USABLE, Voucher
from appliance.flows.access import Access
from appliance.flows.cashier import Cashier
from appliance.flows.checkout import Checkout, Order
from appliance.flows.homing import Homing
from appliance.flows.inbox import C2B_CONFIRMATION, STK_CALLBACK, Inbox
from appliance.flows.inquiry import Inquiry, bounds
from appliance.flows.lookup import Lookup
from appliance.flows.matching import Matching
from appliance.flows.reconcile import Reconcile
from appliance.flows.recover import Recover
from appliance.flows.redeem import Redeem
from appliance.flows.resolve import Resolve
from appliance.flows.restraint import restrained
from appliance.flows.reversal import Reversal
from appliance.flows.settlement import Settlement
from appliance.flows.usage import Usage
from appliance.flows.validation import Validation
from appliance.store.records import books
from appliance.worker import Worker
from tests.conftest import HandClock
from tests.gate import DEVICES, OpenGate
from tests.memory_store import AmbushedStore
from tests.mortal import crossing
from tests.mpesa_truth import Mpesa, named

PHONES = ("254712345001", "254712345002")
PRICES = {"hour": 10, "day": 50}
PATH_SECRET = "feedface"
SHORT_CODES = {"paybill": "174379", "till": "5142076"}


class Died(BaseException):
    """Ends everything at once."""


class Story:
    """One box, one M-Pesa, and whatever happens."""

    def __init__(
        self, account: str, router_id: str = "router", beside: "Story | None" = None
    ) -> None:
        """Take another box to share the database and the time with."""
        self.router_id = router_id
        self.clock: HandClock = HandClock() if beside is None else beside.clock
        self.mpesa: Mpesa = Mpesa(SHORT_CODES[account]) if beside is None else beside.mpesa
        self.account = account
        self.router = OpenGate()
        self.store: AmbushedStore = AmbushedStore() if beside is None else beside.store
        self.books = books(self.store, router_id)
        self.errands: list[Callable[[], Awaitable[object]]] = []
        self.gates: list[Voucher] = []
        self.by_a_person: set[str] = set()
        self.settlement = Settlement(
            payments=self.books.payments,
            vouchers=self.books.vouchers,
            initiations=self.books.initiations,
            gateway=self.mpesa,
            clock=self.clock,
            router_id=router_id,
            hand_over=self.gates.append,
            later=self.errands.append,
        )
        lookup = Lookup(
            payments=self.books.payments,
            vouchers=self.books.vouchers,
            initiations=self.books.initiations,
            plans=self.books.plans,
            paybills=self.books.paybills,
            clock=self.clock,
        )
        self.matching = Matching(
            payments=self.books.payments,
            vouchers=self.books.vouchers,
            lookup=lookup,
            settlement=self.settlement,
            clock=self.clock,
            router_id=router_id,
        )
        cashier = Cashier(
            self.books.paybills,
            self.books.routers,
            self.books.users,
            router_id,
            "sandbox",
            InClear(),
        )
        again, by_device = bounds(self.clock)
        self.inquiry = Inquiry(
            payments=self.books.payments,
            paybills=self.books.paybills,
            cashier=cashier,
            gateway=self.mpesa,
            settlement=self.settlement,
            lookup=lookup,
            matching=self.matching,
            reconcile=Reconcile(
                payments=self.books.payments,
                paybills=self.books.paybills,
                cashier=cashier,
                gateway=self.mpesa,
                matching=self.matching,
                clock=self.clock,
            ),
            again=again,
            by_device=by_device,
            clock=self.clock,
            later=self.errands.append,
            token=partial(ids.signed, PATH_SECRET),
        )
        self.reversal = Reversal(
            payments=self.books.payments,
            paybills=self.books.paybills,
            lookup=lookup,
            gateway=self.mpesa,
            clock=self.clock,
            token=partial(ids.signed, PATH_SECRET),
        )
        self.inbox = Inbox(
            payments=self.books.payments,
            initiations=self.books.initiations,
            webhooks=self.books.webhooks,
            gateway=self.mpesa,
            settlement=self.settlement,
            matching=self.matching,
            inquiry=self.inquiry,
            reversal=self.reversal,
            validation=Validation(lookup),
            clock=self.clock,
            later=self.errands.append,
        )
        self.checkout = Checkout(
            payments=self.books.payments,
            vouchers=self.books.vouchers,
            initiations=self.books.initiations,
            plans=self.books.plans,
            cashier=cashier,
            gateway=self.mpesa,
            settlement=self.settlement,
            restraint=restrained(self.books.payments, self.books.vouchers, self.clock, 120),
            clock=self.clock,
            router_id=router_id,
        )
        self.person = Resolve(
            payments=self.books.payments,
            vouchers=self.books.vouchers,
            plans=self.books.plans,
            lookup=lookup,
            settlement=self.settlement,
            clock=self.clock,
            router_id=router_id,
        )
        self.access = Access(
            vouchers=self.books.vouchers,
            seats=self.books.seats,
            router=self.router,
            usage=Usage(
                vouchers=self.books.vouchers,
                router=self.router,
                clock=self.clock,
                router_id=router_id,
            ),
            clock=self.clock,
        )
        self.recover = Recover(
            payments=self.books.payments,
            vouchers=self.books.vouchers,
            redeem=Redeem(
                vouchers=self.books.vouchers,
                seats=self.books.seats,
                router=self.router,
                access=self.access,
                homing=Homing(
                    payments=self.books.payments,
                    vouchers=self.books.vouchers,
                    cashier=cashier,
                    clock=self.clock,
                    router_id=router_id,
                ),
                clock=self.clock,
                router_id=router_id,
            ),
            inquiry=self.inquiry,
        )

    async def open(self) -> None:
        info = PaybillInfo(
            number=self.mpesa.short_code,
            name="Shop",
            type="till" if self.account == "till" else "paybill",
            store_number="7208840" if self.account == "till" else None,
        )
        keys = Credentials(consumer_key="k", consumer_secret="s", pass_key="p")
        await self.books.paybills.insert(Paybill(id="p", paybill_info=info, credentials=keys))
        for name, price in PRICES.items():
            await self.books.plans.insert(
                Plan(
                    id=name,
                    name=name,
                    price=price,
                    duration=timedelta(hours=1),
                    account_word="WIFI",
                )
            )

    # What may happen

    async def order(self, who: int, plan: str, answer: str) -> None:
        self.mpesa.lose_answers = answer == "lost"
        order = Order(plan_id=plan, phone=PHONES[who], device=DEVICES[who], proved=True)
        with suppress(ApplianceError):
            if plan == "trial":
                await self.checkout.trial(self.mpesa.short_code, PHONES[who])
            else:
                await self.checkout.start(order)

    async def decide(self, which: int, result: int, more: int = 0) -> None:
        """Answer one prompt at the phone: 0 pays, at times another amount than was asked for."""
        waiting = [prompt for prompt in self.mpesa.prompts if prompt.result is None]
        if not waiting:
            return
        prompt = waiting[which % len(waiting)]
        prompt.result = result
        if result == 0:
            reference = "" if self.account == "till" else prompt.reference
            prompt.moved = prompt.amount + more
            prompt.receipt = self.mpesa.pays(prompt.phone, prompt.moved, reference)

    async def daraja(self, how: str) -> None:
        self.mpesa.away = how == "away"

    async def ambush(self, name: str, *arguments: Any, **more: Any) -> None:
        """Have this happen right before the next write."""
        self.store.ambush = lambda: getattr(self, name)(*arguments, **more)

    async def by_hand(self, who: int, amount: int, word: str) -> None:
        reference = word
        if word == "CODE":
            reference = self.mpesa.prompts[-1].reference.lower() if self.mpesa.prompts else "X"
        self.mpesa.pays(PHONES[who], amount, "" if self.account == "till" else reference)

    async def callback(self, which: int) -> None:
        decided = [prompt for prompt in self.mpesa.prompts if prompt.result is not None]
        if not decided:
            return
        prompt = decided[which % len(decided)]
        payment = await self.books.payments.find("callbackHash", ids.fingerprint(prompt.token))
        assert payment is not None
        said: dict[str, Any] = {
            "MerchantRequestID": f"merchant-{prompt.checkout}",
            "CheckoutRequestID": prompt.checkout,
            "ResultCode": prompt.result,
            "ResultDesc": "x",
        }
        if prompt.receipt is not None:
            values = {"Amount": prompt.moved, "MpesaReceiptNumber": prompt.receipt}
            said["CallbackMetadata"] = {
                "Item": [{"Name": name, "Value": value} for name, value in values.items()]
            }
        body = json.dumps({"Body": {"stkCallback": said}})
        await self.hooked(STK_CALLBACK, body, payment.id)

    async def confirmation(self, which: int, payer: str) -> None:
        if not self.mpesa.money:
            return
        receipt = list(self.mpesa.money)[which % len(self.mpesa.money)]
        phone, amount, reference = self.mpesa.money[receipt]
        await self._confirmed(receipt, amount, reference, named(phone, payer), proved=True)

    async def forgery(self, which: int, amount: int) -> None:
        """Let a stranger tell of money that never moved, on the address everybody knows."""
        if not self.mpesa.prompts:
            return
        prompt = self.mpesa.prompts[which % len(self.mpesa.prompts)]
        reference = "" if self.account == "till" else prompt.reference
        await self._confirmed(f"FORGED{which}", amount, reference, prompt.phone, proved=False)

    async def pull(self, payer: str = "whole") -> None:
        now = self.clock.now()
        for money in await self.mpesa.pull(self.mpesa.short_code, now, now, payer):
            await self.matching.arrived(money)

    async def resolve(self, which: int, how: str, *, again: bool = False) -> None:
        """Let a person decide about money that waits."""
        waiting = [
            payment
            for state in sorted(NEEDS_A_PERSON)
            for payment in await self.books.payments.page("status", state.value, 10)
        ]
        if not waiting:
            return
        payment = waiting[which % len(waiting)]
        self.by_a_person.add(payment.id)
        with suppress(Invalid):
            if how == "refunded":
                await self.person.as_refunded(payment.id, "by hand")
            elif how == "voucher":
                await self.person.with_voucher(payment.id, payment.voucher_code, again=again)
            else:
                await self.person.with_plan(payment.id, "hour", again=again)

    async def work(self) -> None:
        """Let the box do everything it owes, now."""
        while self.errands or self.gates:
            for errand in [self.errands.pop(0) for _ in list(self.errands)]:
                await errand()
            for voucher in [self.gates.pop(0) for _ in list(self.gates)]:
                with suppress(ApplianceError):  # its lease runs out
                    await self.access.grant(voucher)
        for worker in (
            Worker("webhook", self.books.webhooks, self.inbox.settle, self.clock),
            Worker("payment", self.books.payments, self.settlement.pay, self.clock),
            Worker("voucher", self.books.vouchers, self.access.pay, self.clock),
        ):
            await worker.step()

    @contextmanager
    def dying(self, boundary: int) -> Iterator[None]:
        """Raise `Died` at the n-th boundary around the writes in here, and look that it came."""
        left = boundary

        def cross() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Died

        with pytest.MonkeyPatch.context() as patch:
            for write in ("insert", "change"):
                patch.setattr(self.store, write, crossing(getattr(self.store, write), cross))
            try:
                yield
            except Died:
                return
        raise AssertionError(f"it never came to boundary {boundary}")

    async def crash(self) -> None:
        """Lose what only memory knew."""
        self.errands.clear()
        self.gates.clear()

    async def wait(self, seconds: int) -> None:
        self.clock.pass_by(timedelta(seconds=seconds))

    async def finish(self) -> None:
        """Let every prompt end, everything be told by one path at least, and all debts be paid."""
        self.store.ambush, self.mpesa.away = None, False
        for prompt in self.mpesa.prompts:
            prompt.result = 1032 if prompt.result is None else prompt.result
        for _ in range(14):
            await self.pull()
            await self.work()
            self.clock.pass_by(timedelta(minutes=30))
            await self.work()

    async def _confirmed(
        self, receipt: str, amount: int, reference: str, msisdn: str, *, proved: bool
    ) -> None:
        said = {
            "TransID": receipt,
            "TransAmount": f"{amount}.00",
            "BusinessShortCode": self.mpesa.short_code,
            "BillRefNumber": reference,
            "MSISDN": msisdn,
        }
        await self.hooked(C2B_CONFIRMATION, json.dumps(said), None, proved=proved)

    async def hooked(
        self,
        kind: str,
        body: str,
        payment_id: str | None,
        *,
        proved: bool = True,
        asked: str | None = None,
        doubted: bool = False,
    ) -> None:
        now = self.clock.now()
        webhook = WebhookLog(
            id=ids.new_id(),
            source=kind,
            type=kind,
            timestamp=now,
            raw_body=body,
            payment_id=payment_id,
            asked=asked,
            proved=proved,
            doubted=doubted,
            owed=debts.owing(debts.Kind.SETTLE, now),
        )
        await self.books.webhooks.insert(webhook)
        await self.inbox.settle(webhook)

    # What must hold

    def payments(self) -> list[dict[str, Any]]:
        return list(self.store.collections["payments"].values())

    def check(self) -> None:
        """Every receipt is in exactly one place, and every open gate has one behind it."""
        kept = [p["mpesaReceiptNumber"] for p in self.payments() if "mpesaReceiptNumber" in p]
        assert sorted(kept) == sorted(self.mpesa.money)
        paid = [p for p in self.payments() if p["status"] == State.PAID]
        odd = {ids.fingerprint(p.token) for p in self.mpesa.prompts if p.moved != p.amount}
        for payment in paid:
            if "mpesaReceiptNumber" not in payment:
                # A query names none: it was of another amount, or a person gave it away.
                assert self.by_a_person or payment["callbackHash"] in odd
                continue
            _, amount, _ = self.mpesa.money[payment["mpesaReceiptNumber"]]
            voucher = self.store.collections["vouchers"][payment["voucherId"]]
            assert amount == Decimal(payment.get("received", payment["amount"]))
            if payment["_id"] not in self.by_a_person:
                assert payment["amount"] == voucher["plan"]["price"]
            assert voucher["paymentId"] == payment["_id"]
            assert voucher["status"] in {*USABLE, "expired"}
            assert "owed" not in payment
        sold = {payment["voucherId"] for payment in paid}
        if all(p.moved in {0, p.amount} for p in self.mpesa.prompts):
            assert len(sold) <= len(self.mpesa.money)  # whoever decided, in whatever order
        assert len(sold) == len(paid)
        for voucher in self.store.collections["vouchers"].values():
            assert (voucher["status"] != "unpaid") == (voucher["_id"] in sold)
            assert voucher["code"] not in self.router.entries or voucher["_id"] in sold
            assert voucher["status"] != "expired" or voucher["code"] not in self.router.entries
        assert set(self.router.online.values()) <= self.router.entries.keys()
        self._check_that_who_paid_was_served()

    def _check_that_who_paid_was_served(self) -> None:
        asked_for = {p["callbackHash"]: p for p in self.payments() if "callbackHash" in p}
        for prompt in self.mpesa.prompts:
            payment = asked_for[ids.fingerprint(prompt.token)]
            if prompt.moved == prompt.amount and not self.by_a_person:
                assert payment["status"] == State.PAID
            assert "openPhone" not in payment
