"""What is on sale, read again every few seconds rather than for every visitor."""

import asyncio
from collections.abc import Sequence

from appliance.domain.errors import SalesClosed
from appliance.domain.plans import Plan
from appliance.flows.cashier import Cashier
from appliance.ports import Plans

_KEEP_SECONDS = 5.0
_MOST_PLANS = 50


class Shelf:
    """The active plans in the operator's order, as the pages show them."""

    def __init__(self, plans: Plans) -> None:
        self._records = plans
        self._plans: Sequence[dict[str, object]] = ()
        self._plans_until = 0.0
        self._open = False
        self._open_until = 0.0

    async def plans(self) -> Sequence[dict[str, object]]:
        """Return plan_id, name, price (KES), duration_seconds, limits and devices of each."""
        now = asyncio.get_running_loop().time()
        if now >= self._plans_until:
            found = await self._records.page("active", value=True, limit=_MOST_PLANS)
            ordered = sorted(found, key=lambda plan: plan.place)
            self._plans = [shown(plan) for plan in ordered]
            self._plans_until = now + _KEEP_SECONDS
        return self._plans

    async def open(self, cashier: Cashier) -> bool:
        """Say whether there is an account to be paid into."""
        now = asyncio.get_running_loop().time()
        if now >= self._open_until:
            try:
                await cashier.paybill_number()
                self._open = True
            except SalesClosed:
                self._open = False
            self._open_until = now + _KEEP_SECONDS
        return self._open


def shown(plan: Plan) -> dict[str, object]:
    """Return a plan as the pages know it."""
    return {
        "plan_id": plan.id,
        "name": plan.name,
        "price": plan.price,
        "duration_seconds": int(plan.duration.total_seconds()),
        "data_limit_bytes": plan.data_limit_bytes,
        "rate_limit": plan.rate_limit,
        "devices": plan.devices,
    }
