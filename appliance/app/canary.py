"""What became of the latest canary, kept in a small file: for the metrics and for the doctor."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from appliance.domain.canary import Outcome
from appliance.store.hold import written

log = logging.getLogger(__name__)

_FILE = "canary.json"


@dataclass(frozen=True, slots=True)
class CanaryRound:
    """Sends a canary and keeps what became of it."""

    send: Callable[[], Awaitable[Outcome]]
    data_dir: Path

    async def go(self) -> Outcome:
        """Send one; a full disk is no reason to lose what it found."""
        outcome = await self.send()
        try:
            await asyncio.to_thread(_keep, self.data_dir, outcome)
        except OSError as error:
            log.error("what became of the canary is not kept: %s", type(error).__name__)
        return outcome


def latest(data_dir: Path) -> Outcome | None:
    """Return what became of the latest canary; None where there was none, or it is unreadable."""
    try:
        found = json.loads((data_dir / _FILE).read_text(encoding="utf-8"))
        return Outcome(**{**found, "at": datetime.fromisoformat(found["at"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(data_dir: Path, outcome: Outcome) -> None:
    text = json.dumps({**asdict(outcome), "at": outcome.at.isoformat()})
    written(data_dir / _FILE, text.encode(), 0o644)
