"""Whose money this may be: by the account that was typed, or by amount, time and payer."""

from dataclasses import dataclass, replace
from datetime import timedelta

from appliance.domain import ids, phones
from appliance.domain.errors import Invalid, Unreadable
from appliance.domain.evidence import Received
from appliance.domain.paybills import Paybill
from appliance.domain.payments import Payment, State, awaiting
from appliance.domain.plans import Plan
from appliance.domain.vouchers import State as VoucherState
from appliance.domain.vouchers import Voucher
from appliance.ports import Clock, Initiations, Paybills, Payments, Plans, Vouchers

# A prompt lives three minutes, and its money is told of within a few more.
_WINDOW = timedelta(minutes=10)
# A list of past payments reaches back two days, and its times are in a zone nobody has established.
_LONG_WINDOW = timedelta(hours=48)
_MOST_CANDIDATES = 200
_MOST_PLANS = 50
UNTOLD = "?"
"""The account of money to a paybill where nobody could tell us what was typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """The purchases that some money can be for."""

    fitting: tuple[Payment, ...] = ()
    doubtful: bool = False
    """Whether it may be for another purchase as well: then nothing new is sold for it."""

    known: bool = False
    """Whether it may be of one of several purchases that are paid and lack their receipts."""

    @property
    def only(self) -> Payment | None:
        """Return the one purchase there is, if there is one."""
        return self.fitting[0] if len(self.fitting) == 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Reads and decides nothing."""

    payments: Payments
    vouchers: Vouchers
    initiations: Initiations
    plans: Plans
    paybills: Paybills
    clock: Clock

    async def account(self, money: Received) -> str | None:
        """Return the number of our paybill or till of this short code."""
        paybill = await self._paybill(money)
        return None if paybill is None else paybill.paybill_info.number

    async def purchases(self, money: Received) -> Candidates:
        """Return the purchases of this account that the money can be for; usually one, or none."""
        named = await self.named(money.reference)
        if named is not None:
            return Candidates(fitting=(named,) if named.amount == money.amount else ())
        return Candidates() if money.reference else await self._waiting(money)

    async def named(self, reference: str) -> Payment | None:
        """Return the purchase whose code was given as account: by its push, else by its voucher."""
        for code in ids.readings(reference) if reference else ():
            for initiation in await self.initiations.page("AccountReference", code, 1):
                return await self.payments.get(initiation.payment_id)
            voucher = await self.vouchers.find("code", code)
            if voucher is not None:
                mine = voucher.payment_id
                return None if mine is None else await self.payments.get(mine)
        return None

    async def perhaps_given(self, money: Payment, apart_from: str | None = None) -> bool:
        """Say whether this may be the receipt of time that somebody has without one."""
        try:
            return not money.asked_for and await self.perhaps_known(money, apart_from)
        except Unreadable:
            return True

    async def check_not_given(self, money: Payment, apart_from: str | None = None) -> None:
        """Raise `Invalid` in words where its buyer may have the time already."""
        if await self.perhaps_given(money, apart_from):
            raise Invalid(
                "this may be the money of a purchase without a receipt, whose buyer has the time "
                "already or may get it yet: look at those of this amount first, then “anyway”, or "
                "--again, decides all the same"
            )

    async def perhaps_known(self, money: Payment, apart_from: str | None = None) -> bool:
        """Say whether a purchase that lacks a receipt may be what this money paid for.

        It is looked up when somebody decides, so it is true whatever order the news came in.
        """
        named = await self.named(money.voucher_code)
        if named is not None:
            return named.lacks_receipt and named.id != apart_from
        if money.voucher_code not in {"", UNTOLD} or money.received is not None:
            return False
        at, msisdn = money.paid_at or money.created_at, money.msisdn or ""
        key = awaiting(money.paybill_number, money.amount)
        listed = await self.payments.page("awaits", key, _MOST_CANDIDATES)
        return len(listed) == _MOST_CANDIDATES or any(
            other.lacks_receipt
            and other.id != apart_from
            and abs(at - other.created_at) <= _LONG_WINDOW
            and (not phones.readable(msisdn) or phones.fits(other.phone, msisdn))
            for other in listed
        )

    async def unpaid_voucher(self, reference: str) -> Voucher | None:
        """Return the unpaid voucher that this reference names."""
        for code in ids.readings(reference) if reference else ():
            voucher = await self.vouchers.find("code", code)
            if voucher is not None:
                return voucher if voucher.state is VoucherState.UNPAID else None
        return None

    async def with_account(self, money: Received) -> Received:
        """Return money with the account that it was paid with, as far as we can know.

        Some of Safaricom's books name none, and a paybill may take money for other things than
        ours. A push of ours names its own; whatever else was paid is for a person to find out.
        """
        paybill = await self._paybill(money)
        told = bool(money.reference) or paybill is None or paybill.paybill_info.type == "till"
        if told:
            return money
        purchase = (await self.purchases(money)).only
        return replace(money, reference=UNTOLD if purchase is None else purchase.voucher_code)

    async def sold_by_hand(self, money: Received) -> list[Plan]:
        """Return the plans that this money may be for by its account word.

        A till has no word, so any of them; a paybill without one may be paid for other things.
        """
        active = await self.plans.page("active", value=True, limit=_MOST_PLANS)
        words = [plan for plan in active if plan.account_word]
        typed = "".join(money.reference.split()).casefold()
        if typed:
            return [plan for plan in words if (plan.account_word or "").casefold() == typed]
        paybill = await self._paybill(money)
        return words if paybill is not None and paybill.paybill_info.type == "till" else []

    async def _paybill(self, money: Received) -> Paybill | None:
        """Return ours of this short code.

        A till is also known by its store, and either by what its C2B URLs were registered for.
        """
        paybill = await self.paybills.find("paybillInfo.number", money.short_code)
        if paybill is not None:
            return paybill
        for path in ("paybillInfo.storeNumber", "config.c2bShortCode"):
            for other in await self.paybills.page(path, money.short_code, 1):
                return other
        return None

    async def _waiting(self, money: Received) -> Candidates:
        """Return the purchases that wait for this much on this account, by time and payer.

        Of several of one payer that are known to be paid and only lack a receipt, one is as right
        as the next. A payer that nobody can read fits only where nothing is opened by it: a
        purchase that is paid already.
        """
        account = await self.account(money)
        if account is None or money.amount != int(money.amount):
            return Candidates()
        at = money.at or self.clock.now()
        window = _WINDOW if money.at is not None else _LONG_WINDOW
        key = awaiting(account, int(money.amount))
        listed = await self.payments.page("awaits", key, _MOST_CANDIDATES)
        near = [payment for payment in listed if -window <= at - payment.created_at <= window]
        full = len(listed) == _MOST_CANDIDATES
        if not phones.readable(money.msisdn):
            paid = [payment for payment in near if payment.state is State.PAID]
            fitting = tuple(paid) if len(paid) == 1 else ()
            known = len(paid) > 1
            return Candidates(fitting=fitting, doubtful=full or bool(near), known=known)
        theirs = [payment for payment in near if phones.fits(payment.phone, money.msisdn)]
        paid = [payment for payment in theirs if payment.state is State.PAID]
        paid.sort(key=lambda payment: _hinted(payment, money.receipt))
        fitting = tuple(paid[-1:] or theirs)
        return Candidates(fitting=fitting, doubtful=full or len(theirs) > 1)


def _hinted(payment: Payment, receipt: str) -> int:
    """Rank by what news in doubt said: this receipt, none yet, another."""
    if payment.doubted_receipt is None:
        return 1
    return 2 if payment.doubted_receipt == receipt else 0
