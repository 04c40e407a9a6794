"""The console's templates, and how times, money and sizes are written in them."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from importlib.resources import files

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from appliance.web.console.charts import bars

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
_KILO = 1_000
NOTHING = "\N{EN DASH}"

SAID = {
    "saved": "Saved.",
    "ended": "Signed out there.",
    "done": "Done.",
    "asked": "It is under way.",
    "not-ordered": "Nothing is on its way back: see below why.",
    "trial-unknown": "Safaricom did not say whether the phone rings. Wait, then reload.",
    "withdrawn": "Every voucher that nobody had used is taken away.",
    "trial": "The phone was asked. Enter the PIN there, then reload this page.",
    "token": "Safaricom gave a new token: the keys are right.",
    "registered": "Safaricom tells us of payments from the M-Pesa menu from now on.",
    "switched-on": "It sells from now on.",
    "switched-off": "It sells no longer. What is under way is still heard of.",
    "away": "The router does not answer now. Try again when it is back.",
    "logged-out": "That device is out.",
    "repaired": "The router was gone over. What is still different is below.",
    "set-up": "The router was set up.",
    "on-the-shelf": "Saved. Customers see it within a few seconds.",
    "extended": "Added.",
    "revoked": "It is taken away. Whoever is online with it is cut off now.",
    "made": "Made. Print them, or take them along as a table.",
}
"""What the page after a form may say; a link can only choose among these."""


@dataclass(frozen=True, slots=True)
class ConsolePages:
    """Renders the operator's pages, with times as the clock on the wall shows them."""

    brand: str
    zone: timezone
    _environment: Environment = field(init=False, repr=False)

    def __post_init__(self) -> None:
        environment = Environment(
            loader=DictLoader(_templates()),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        environment.globals |= {"brand": self.brand, "sentences": SAID}
        environment.globals |= {"bars": bars}
        environment.filters |= {
            "kes": kes,
            "when": self.when,
            "clock": self.clock,
            "day": self.day,
            "span": span,
            "size": size,
        }
        object.__setattr__(self, "_environment", environment)

    def render(self, template: str, **context: object) -> bytes:
        """Return one whole page; a name missing from the context raises at once."""
        return self._environment.get_template(template).render(**context).encode()

    def when(self, moment: datetime | None) -> Markup | str:
        """Return a moment for reading, with the exact one behind it for programs."""
        if moment is None:
            return NOTHING
        local = moment.astimezone(self.zone)
        text = f"{local.day} {local:%b %Y, %H:%M}"
        return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), text)

    def day(self, moment: date) -> str:
        """Return a date, or the one of a moment."""
        local = moment.astimezone(self.zone) if isinstance(moment, datetime) else moment
        return f"{local.day} {local:%b %Y}"

    def clock(self, moment: datetime | None) -> Markup | str:
        """Return a moment to the millisecond, for what follows within a second."""
        if moment is None:
            return NOTHING
        local = moment.astimezone(self.zone)
        text = f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"
        return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), text)


def kes(amount: float | None) -> str:
    """Return an amount of money."""
    return NOTHING if amount is None else f"KSh\N{NO-BREAK SPACE}{amount:,.0f}"


def span(length: timedelta | float | None) -> str:
    """Return a length of time in its one or two largest units."""
    if length is None:
        return NOTHING
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if 0 < seconds < 1:
        return f"{round(seconds * 1000)} ms"
    left, shown = int(max(0, seconds)), list[str]()
    for unit, unit_size in _UNITS:
        count, left = divmod(left, unit_size)
        if count or (shown and left):
            shown.append(f"{count} {unit}")
    return " ".join(shown[:2]) or "0 s"


def size(count: int | None) -> str:
    """Return an amount of data."""
    if count is None:
        return NOTHING
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < _KILO:
            return f"{amount:.0f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} GB"


def _templates() -> dict[str, str]:
    folder = files("appliance.web.console").joinpath("templates")
    return {found.name: found.read_text("utf-8") for found in folder.iterdir()}
