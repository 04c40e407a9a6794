"""What the daemon is made of, for whatever joins it further: its doors and its jobs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.app.clock import SystemClock
from appliance.app.readiness import Facts
from appliance.app.wiring import Flows, Workers
from appliance.mpesa import MpesaService
from appliance.ports import Cipher, Router
from appliance.settings import Settings
from appliance.store.port import Store
from appliance.store.records import Books

if TYPE_CHECKING:
    from appliance.app.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Every adapter, flow and worker of it, open while it runs."""

    settings: Settings
    store: Store
    kept: Books
    flows: Flows
    workers: Workers
    router: Router
    mpesa: MpesaService
    cipher: Cipher
    clock: SystemClock
    metrics: "Metrics"
    facts: Facts
