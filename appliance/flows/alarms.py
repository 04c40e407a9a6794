"""What is wrong with the router is said every minute, for as long as it is wrong."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.domain.health import RouterHealth
from appliance.ports import Router

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Alarms:
    """Looks at the router and tells."""

    router: Router
    standing: tuple[str, ...] = ()
    """What was wrong at the last look."""
    answers: bool = True
    """Whether the router said anything at the last look."""
    told: Callable[[RouterHealth | None], None] = lambda _: None
    """Is told what each look found; None where the router said nothing."""

    async def look(self) -> tuple[str, ...]:
        """Log what is wrong now, and once that nothing is any more."""
        found = await self._found()
        for alarm in found:
            log.warning("router alarm: %s", alarm)
        if self.standing and not found:
            log.info("router well again")
        self.standing = found
        return found

    async def _found(self) -> tuple[str, ...]:
        try:
            health = await self.router.health()
        except RouterUnreachable as error:
            self.answers = False
            self.told(None)
            return (f"it does not answer, {error}",)
        except RouterRefused as error:
            self.answers = True
            self.told(None)
            return (f"it does not say how it is, {error}",)
        log.debug("router %s", health)
        self.answers = True
        self.told(health)
        return tuple(health.alarms())
