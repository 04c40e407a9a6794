"""Who is on the hotspot now, and an operator who sends one of them out."""

import logging
from dataclasses import dataclass
from datetime import datetime

from appliance.domain.devices import Session
from appliance.domain.errors import Invalid, Unreadable
from appliance.domain.vouchers import Voucher
from appliance.ports import Clock, Router, Vouchers

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Guest:
    """A device that is in."""

    session: Session
    since: datetime
    voucher: Voucher | None
    """None for a user that is not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Online:
    """What the router shows, beside what the books know of it."""

    vouchers: Vouchers
    router: Router
    clock: Clock
    router_id: str

    async def sessions(self) -> list[Session]:
        """Return who is in, who came last first; raise what the router raises."""
        return sorted(await self.router.sessions(), key=lambda s: (s.uptime, s.user, s.mac))

    async def guests(self, sessions: list[Session]) -> list[Guest]:
        """Return them with the vouchers that they are in with."""
        now = self.clock.now()
        return [
            Guest(session, now - session.uptime, await self._voucher(session.user))
            for session in sessions
        ]

    async def log_out(self, voucher_id: str, mac: str) -> None:
        """Log one device of a voucher out. Its time goes on, and a page of ours lets it back in.

        Raises `Invalid` where the voucher is not of this hotspot, and what the router raises.
        """
        voucher = await self.vouchers.get(voucher_id)
        if voucher is None or voucher.router_id != self.router_id:
            raise Invalid("there is no such voucher at this hotspot")
        await self.router.leave(voucher.code, mac)
        log.info("logged out by hand voucher=%s", voucher.id)

    async def _voucher(self, user: str) -> Voucher | None:
        try:
            voucher = await self.vouchers.find("code", user)
        except Unreadable:
            return None
        return voucher if voucher is not None and voucher.router_id == self.router_id else None
