"""What happened, as seen from outside while it happened."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from appliance.sandbox.daraja.ledger import Callback, Confirmation, Paid, Push
from appliance.sandbox.daraja.server import PretendDaraja
from appliance.sandbox.routeros.hotspot import Login, Session
from appliance.sandbox.routeros.server import PretendRouter
from appliance.sandbox.routeros.values import seconds


@dataclass(frozen=True)
class Seen:
    """The gate was opened; times are the router's seconds."""

    user: str
    mac: str
    at: float
    real: float
    limit: float | None
    used_before: float


@dataclass(frozen=True)
class Stay:
    """Somebody was online for so long."""

    user: str
    mac: str
    began: float
    ended: float


@dataclass
class Record:
    """Everything that the oracle judges by, but for the documents."""

    pushes: list[dict[str, Any]] = field(default_factory=list)
    paid: list[tuple[float, Paid]] = field(default_factory=list)
    """With the real second in which the money moved."""
    callbacks: list[Callback] = field(default_factory=list)
    confirmations: list[Confirmation] = field(default_factory=list)
    logins: list[Seen] = field(default_factory=list)
    stays: list[Stay] = field(default_factory=list)
    forgotten: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds of each user that the router lost count of."""
    told: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What the portal said of each purchase, by its page's token, one after the other."""
    left: dict[str, tuple[float, int]] = field(default_factory=dict)
    """When the portal last said how many seconds an open voucher has."""
    statuses: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What each payment's document said, one after the other."""
    given: dict[str, str] = field(default_factory=dict)
    """Vouchers that the operator gave: the payment of each."""
    revoked: set[str] = field(default_factory=set)
    extended: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    forged: set[str] = field(default_factory=set)
    """Receipts that nobody paid."""
    faults: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    jumped: bool = False
    """Whether the date was ever wrong."""

    def watch(
        self,
        daraja: PretendDaraja,
        router: PretendRouter,
        on: Callable[[str], None],
    ) -> None:
        """Write down what the neighbours see from now on; `on` hears of each event at once."""
        ledger = daraja.ledger

        def pushed(push: Push) -> None:
            self.pushes.append(push.fields)
            on("push")

        def paid(money: Paid) -> None:
            self.paid.append((time.monotonic(), money))
            on("paid")

        def called(callback: Callback) -> None:
            self.callbacks.append(callback)
            on("callback")

        def confirmed(confirmation: Confirmation) -> None:
            self.confirmations.append(confirmation)
            on("confirmation")

        ledger.pushes, ledger.payments = Noticed(pushed), Noticed(paid)
        ledger.callbacks, ledger.confirmations = Noticed(called), Noticed(confirmed)
        self._watch_gate(router, on)
        self._watch_ends(router)

    def _watch_gate(self, router: PretendRouter, on: Callable[[str], None]) -> None:
        hotspot = router.hotspot
        add = hotspot.config.users.add

        def let_in(login: Login) -> None:
            found = hotspot.config.users.named(login.user)
            row = found[1] if found else {}
            limit, used = seconds(row.get("limit-uptime", "")), seconds(row.get("uptime", ""))
            now, real = router.clock.monotonic(), time.monotonic()
            self.logins.append(Seen(login.user, login.mac, now, real, limit, float(used or 0)))
            on("login")

        def added(given: Mapping[str, str]) -> str:
            row_id = add(given)
            on("user")
            return row_id

        hotspot.logins = Noticed(let_in)
        hotspot.config.users.add = added  # type: ignore[method-assign]

    def _watch_ends(self, router: PretendRouter) -> None:
        hotspot = router.hotspot
        end, power_cut = hotspot.end, hotspot.power_cut

        def ended(session: Session) -> None:
            self.stays.append(_stay(session, router.clock.monotonic()))
            end(session)

        def lost() -> None:
            for session in hotspot.sessions:
                stay = _stay(session, router.clock.monotonic())
                self.stays.append(stay)
                self.forgotten[stay.user] += stay.ended - stay.began
            power_cut()

        hotspot.end = ended  # type: ignore[method-assign]
        hotspot.power_cut = lost  # type: ignore[method-assign]

    def until_now(self) -> "Record":
        """Return the record without what is going to be added by the neighbours."""
        return replace(
            self,
            pushes=list(self.pushes),
            paid=list(self.paid),
            callbacks=list(self.callbacks),
            confirmations=list(self.confirmations),
            logins=list(self.logins),
        )

    def all_stays(self, router: PretendRouter) -> list[Stay]:
        """Return how long everybody was online until now."""
        now = router.clock.monotonic()
        return self.stays + [_stay(session, now) for session in router.hotspot.sessions]


class Noticed(list[Any]):
    """A list whose owner hears of what is added."""

    def __init__(self, heard: Callable[[Any], None]) -> None:
        super().__init__()
        self._heard = heard

    def append(self, item: Any) -> None:
        super().append(item)
        self._heard(item)


def _stay(session: Session, now: float) -> Stay:
    ended = now if session.ends is None else min(now, session.ends)
    return Stay(session.user, session.mac, session.began, ended)
