"""An operator changes a voucher that was sold: takes it away, or adds to it."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from appliance.domain import accounts, ids
from appliance.domain.devices import Reading
from appliance.domain.errors import Invalid, RouterRefused, RouterUnreachable
from appliance.domain.vouchers import USABLE, Voucher
from appliance.flows.evolve import Moved, evolve
from appliance.ports import Clock, Router, Vouchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """What the router must be told is owed to it, so it happens whatever comes between."""

    vouchers: Vouchers
    router: Router
    clock: Clock

    async def revoke(self, code: str) -> Voucher:
        """Take a voucher away; whoever pays debts at its hotspot cuts it off at once."""
        now = self.clock.now()
        voucher = await evolve(
            self.vouchers, await self._usable(code), lambda v: v.revoked(now).due_at(now)
        )
        log.info("revoked voucher=%s", voucher.id)
        return voucher

    async def extend(
        self, code: str, time: timedelta, data: int = 0, *, after: tuple[int, int] | None = None
    ) -> Voucher:
        """Add time, and bytes where data is limited; time that runs simply ends later.

        `after` is the seconds and bytes that had been added when somebody decided on it: where
        more has been since, that is `Moved`. So one press is never two.
        """
        if time < timedelta() or data < 0 or not (time or data):
            raise Invalid("say how much to add")
        now = self.clock.now()

        def step(voucher: Voucher) -> Voucher:
            if after not in {None, (voucher.extra_seconds, voucher.extra_bytes)}:
                raise Moved(f"voucher {voucher.code}")
            return voucher.extended(time, data, now)

        voucher = await evolve(self.vouchers, await self._usable(code), step)
        log.info("extended voucher=%s seconds=%d bytes=%d", voucher.id, time.total_seconds(), data)
        try:
            await self._raise_limits(voucher)
        except (RouterUnreachable, RouterRefused) as error:
            log.warning("limits follow later voucher=%s code=%s", voucher.id, error.code)
        return voucher

    async def _usable(self, code: str) -> Voucher:
        voucher = await self.vouchers.find("code", ids.typed_voucher_code(code))
        if voucher is None:
            raise Invalid("there is no voucher with this code")
        if voucher.state not in USABLE:
            raise Invalid(f"this voucher is {voucher.state}")
        return voucher

    async def _raise_limits(self, voucher: Voucher) -> None:
        """Tell the router now; else the next pass over it does."""
        sessions, now = await self.router.sessions(user=voucher.code), self.clock.now()
        for entry in await self.router.users(name=voucher.code):
            reading = Reading.of(entry, sessions)
            await self.router.set_limits(accounts.after(voucher, now, reading))
