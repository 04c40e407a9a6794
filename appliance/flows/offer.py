"""An operator puts a plan on sale, changes it, or takes it off; what was sold stays as it was."""

import logging
import re
from dataclasses import dataclass, replace

from appliance.domain import ids
from appliance.domain.errors import Duplicate, Invalid
from appliance.domain.plans import Plan, flaws
from appliance.flows.evolve import Moved, evolve, load
from appliance.ports import Plans

log = logging.getLogger(__name__)

_MOST = 200
_NOT_IN_AN_ID = re.compile("[^a-z0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is for sale. A plan that was sold is never removed, only taken off the shelf."""

    plans: Plans

    async def all(self) -> list[Plan]:
        """Return every plan as customers see them, then those that are not for sale."""
        found = await self.plans.page(None, None, _MOST)
        return sorted(found, key=lambda plan: (not plan.active, plan.place))

    async def check(self, wanted: Plan) -> None:
        """Raise `Invalid` with the first thing that is wrong; a new plan needs no id yet."""
        for flaw in flaws(replace(wanted, id=wanted.id or "new")):
            raise Invalid(flaw.what, flaw.field)
        if wanted.active and wanted.account_word is not None:
            await self._told_apart(wanted, wanted.account_word)

    async def add(self, wanted: Plan) -> Plan:
        """Store a new plan under an id made of its name; the same name twice is `Invalid`."""
        await self.check(wanted)
        name = _NOT_IN_AN_ID.sub("-", wanted.name.casefold()).strip("-")
        plan = replace(wanted, id=name or ids.new_id(), version=0)
        try:
            stored = await self.plans.insert(plan)
        except Duplicate:
            there = await load(self.plans, plan.id)
            if there.name.casefold() == plan.name.casefold():
                raise Invalid("there is a plan with this name already", "name") from None
            stored = await self.plans.insert(replace(plan, id=ids.new_id()))
        log.info("plan added plan=%s", stored.id)
        return stored

    async def change(self, plan_id: str, version: int, wanted: Plan) -> Plan:
        """Store what differs from this version; raise `Invalid`, or `Moved` where it moved on."""
        await self.check(replace(wanted, id=plan_id))

        def step(latest: Plan) -> Plan:
            if latest.version != version:
                raise Moved(latest.name)
            return replace(wanted, id=latest.id, version=latest.version)

        stored = await evolve(self.plans, await load(self.plans, plan_id), step)
        log.info("plan changed plan=%s", plan_id)
        return stored

    async def _told_apart(self, wanted: Plan, word: str) -> None:
        """Raise where money at the M-Pesa menu could be for another plan just as well."""
        for other in await self.plans.page("active", value=True, limit=_MOST):
            same = (other.account_word or "").casefold() == word.casefold()
            if same and other.price == wanted.price and other.id != wanted.id:
                raise Invalid(
                    f"{other.name} has this word and the same price: money that is paid by hand "
                    "could be for either. Give one another word, or another price",
                    "accountWord",
                )
