"""A customer asks for time: everything is stored, then the phone is prompted, once."""

import asyncio
import logging
from dataclasses import dataclass

from appliance.domain import ids, payments, phones, plans, vouchers
from appliance.domain.devices import Device
from appliance.domain.errors import (
    ApplianceError,
    Duplicate,
    GatewayRefused,
    GatewayUnavailable,
    Invalid,
    Locked,
    OutcomeUnknown,
    SalesClosed,
    StoreUnavailable,
)
from appliance.domain.payments import Payment
from appliance.domain.plans import Plan
from appliance.domain.records import Initiation
from appliance.domain.vouchers import Voucher
from appliance.flows.cashier import Cashier
from appliance.flows.evolve import evolve
from appliance.flows.restraint import Restraint
from appliance.flows.settlement import Settlement
from appliance.ports import Clock, Gateway, Initiations, Payments, Plans, Vouchers

log = logging.getLogger(__name__)

_OUTRUN_TRIES, _OUTRUN_WAIT = 10, 0.1
_MOST_PLANS = 1000
_KEEP_TRYING = (0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a customer asked for; the price is the plan's, never the browser's."""

    plan_id: str
    phone: str
    device: Device | None = None
    proved: bool = False
    """Whether the device is the one that asks; else it is one that somebody says they pay for."""
    language: str = "en"
    continue_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Start a purchase."""

    payments: Payments
    vouchers: Vouchers
    initiations: Initiations
    plans: Plans
    cashier: Cashier
    gateway: Gateway
    settlement: Settlement
    restraint: Restraint
    clock: Clock
    router_id: str

    async def start(self, order: Order) -> Payment:
        """Store the purchase, prompt the phone and return the payment as it then stands.

        The same order again while the first is undecided returns the first. Raises `Invalid`,
        `Locked`, `TooMany`, `SalesClosed`, or `StoreUnavailable` when nothing could be stored and
        so nothing was sent.
        """
        phone, plan = phones.normalise(order.phone), await self._plan(order.plan_id)
        return await self._sold(order, plan, await self.cashier.paybill_number(), phone)

    async def trial(self, number: str, phone: str) -> Payment:
        """Sell a minute for one shilling through this paybill, by the same way as everything.

        It shows that prompt, callback and voucher work. Raises what `start` raises, `SalesClosed`
        also where this paybill sells nothing.
        """
        for_sale = await self.plans.page("active", value=True, limit=_MOST_PLANS)
        plan = plans.trial(min(for_sale, key=lambda each: each.place, default=None))
        order = Order(plan_id=plan.id, phone=phone)
        number = await self.cashier.checked(number)
        return await self._sold(order, plan, number, phones.normalise(phone))

    async def _sold(self, order: Order, plan: Plan, number: str, phone: str) -> Payment:
        not_after = self.clock.monotonic() + payments.SEND_WITHIN.total_seconds()
        await self.restraint.check(phone, order.device if order.proved else None)
        secret = ids.new_token()
        payment, voucher = self._drawn_up(order, plan, phone, number, secret)
        open_already = await self._claim_phone(payment, order)
        if open_already is not None:
            return open_already
        # One after the other: without an initiation nothing was sent, with one all is there.
        await self.vouchers.insert(voucher)
        await self.initiations.insert(_initiation(payment))
        return await self._push(payment, secret, not_after)

    async def _plan(self, plan_id: str) -> Plan:
        plan = await self.plans.get(plan_id) if 0 < len(plan_id) <= ids.LONGEST else None
        if plan is None or not plan.active:
            raise Invalid("plan_unknown", "plan")
        return plan

    def _drawn_up(
        self, order: Order, plan: Plan, phone: str, number: str, secret: str
    ) -> tuple[Payment, Voucher]:
        now, payment_id = self.clock.now(), ids.new_id()
        voucher = vouchers.drawn_up(
            plan,
            router_id=self.router_id,
            payment_id=payment_id,
            now=now,
            device=order.device if order.proved else None,
        )
        payment = Payment(
            id=payment_id,
            token=voucher.token,
            callback_hash=ids.fingerprint(secret),
            plan_id=plan.id,
            voucher_id=voucher.id,
            voucher_code=voucher.code,
            amount=plan.price,
            phone=phone,
            paybill_number=number,
            router_id=self.router_id,
            created_at=now,
            device=order.device,
            open_phone=phone,
            language=order.language,
            continue_url=order.continue_url,
            owed=payments.first_ask(now),
        )
        return payment, voucher

    async def _claim_phone(self, payment: Payment, order: Order) -> Payment | None:
        """Store the payment, or return the undecided one that is this same order."""
        try:
            await self.payments.insert(payment)
        except Duplicate:
            first = await self.payments.find("openPhone", payment.phone)
            if first is None:
                raise Locked(1) from None
            same = first.plan_id == payment.plan_id and first.device == payment.device
            if same and order.proved and await self._has_pages(first):
                return first
            left = (first.locked_until - payment.created_at).total_seconds()
            raise Locked(max(1, int(left))) from None
        return None

    async def _has_pages(self, first: Payment) -> bool:
        """Say whether the first order got as far as its voucher, which a double tap may outrun."""
        for _ in range(_OUTRUN_TRIES):
            if await self.vouchers.get(first.voucher_id) is not None:
                return True
            await asyncio.sleep(_OUTRUN_WAIT)
        return False

    async def _push(self, payment: Payment, secret: str, not_after: float) -> Payment:
        try:
            checkout_id, merchant_id = await self.gateway.push(payment, secret, not_after)
        except OutcomeUnknown as error:
            log.warning("push unanswered payment=%s why=%s", payment.id, error)
            return await self._unanswered(payment)
        except GatewayRefused as error:
            log.warning("push refused payment=%s why=%s", payment.id, error)
            return await self._not_sent(payment, error.reason)
        except (GatewayUnavailable, StoreUnavailable, SalesClosed) as error:
            log.warning("push not sent payment=%s code=%s", payment.id, error.code)
            return await self._not_sent(payment, "gateway_unreachable")
        log.info("prompted payment=%s plan=%s", payment.id, payment.plan_id)
        return await self._prompted(payment, checkout_id, merchant_id)

    async def _prompted(self, payment: Payment, checkout_id: str, merchant_id: str) -> Payment:
        """Keep Safaricom's names; if that fails for good, the callback's own URL still finds us.

        The phone is ringing: nothing that goes wrong from here on may look like a failed order.
        """
        now = self.clock.now()
        for wait in _KEEP_TRYING:
            try:
                after, _ = await asyncio.gather(
                    evolve(self.payments, payment, lambda p: p.prompted(checkout_id, now)),
                    evolve(
                        self.initiations,
                        _initiation(payment),
                        lambda i: i.prompted(checkout_id, merchant_id),
                    ),
                )
            except StoreUnavailable:
                await asyncio.sleep(wait)
            except ApplianceError:
                break
            else:
                return after
        log.error("a push is out, its names are not stored payment=%s", payment.id)
        return payment.prompted(checkout_id, now)

    async def _unanswered(self, payment: Payment) -> Payment:
        try:
            after = await evolve(self.payments, payment, Payment.unanswered)
            await evolve(self.initiations, _initiation(payment), lambda i: i.follows(after))
        except StoreUnavailable:
            # The phone may be ringing: nobody may be told that nothing was charged.
            log.error("a push may be out, that is not stored payment=%s", payment.id)
            return payment.unanswered()
        return after

    async def _not_sent(self, payment: Payment, reason: str) -> Payment:
        now = self.clock.now()
        after = await evolve(self.payments, payment, lambda p: p.never_sent(reason, now))
        await self.settlement.conclude(after)
        return after


def _initiation(payment: Payment) -> Initiation:
    return Initiation(
        id=payment.id,
        account_reference=payment.voucher_code,
        phone_number=payment.phone,
        amount=payment.amount,
        paybill_number=payment.paybill_number,
        router_id=payment.router_id,
        voucher_id=payment.voucher_id,
        payment_id=payment.id,
        created_at=payment.created_at,
    )
