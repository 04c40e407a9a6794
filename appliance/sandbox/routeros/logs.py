"""The device's log: who signed in and what scripts had to say."""

from collections import deque
from dataclasses import dataclass, field

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.actions import Action, Answer, Menu, Request, live
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.tables import Row

_KEPT = 1000
_TOPICS = ("info", "warning", "error", "debug")


@dataclass(slots=True)
class Log:
    """The last thousand lines; a power cut loses them."""

    clock: RouterClock
    _rows: deque[Row] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _written: int = 0

    def write(self, topics: str, message: str) -> None:
        """Add a line."""
        self._written += 1
        time = f"{self.clock.date():%H:%M:%S}"
        row = {".id": f"*{self._written:X}", "time": time, "topics": topics, "message": message}
        self._rows.append(row)

    def account(self, name: str, address: str, door: str, event: str) -> None:
        """Add what happened at a sign-in or a sign-out."""
        self.write("system,info,account", f"user {name} logged {event} from {address} via {door}")

    def power_cut(self) -> None:
        """Forget everything."""
        self._rows.clear()

    def menu(self) -> Menu:
        """Return `/log`."""
        return live(lambda _, __: list(self._rows), {topic: self._say(topic) for topic in _TOPICS})

    def _say(self, topic: str) -> Action:
        def command(request: Request) -> Answer:
            if "message" not in request.attributes:
                raise traps.missing("message")
            self.write(f"script,{topic}", request.attributes["message"])
            return Answer()

        return Action(command, frozenset({"message"}), loose=("message",))
