"""One line of a terminal or of SSH: read as a whole, then carried out; what it says is text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.console import commands
from appliance.sandbox.routeros.console.kinds import Value
from appliance.sandbox.routeros.console.language import FORMS, SEVEN, Form, serialize
from appliance.sandbox.routeros.console.names import Names
from appliance.sandbox.routeros.console.parser import Parser
from appliance.sandbox.routeros.console.reader import Reader
from appliance.sandbox.routeros.console.rows import Rows
from appliance.sandbox.routeros.console.run import Machine, Variables
from appliance.sandbox.routeros.console.syntax import ConsoleError, Invocation
from appliance.sandbox.routeros.device import Device


@dataclass(slots=True)
class Session:
    """Somebody at the console, with the policies of their group."""

    device: Device
    policies: frozenset[str]
    said: list[str] = field(default_factory=list)
    refused: bool = False
    """The last line was refused, or ended in a refusal."""

    def run(self, line: str) -> str:
        """Return everything that the line prints; a refusal is printed like anything else."""
        self.said.clear()
        self.refused = True
        try:
            self._one_line(line)
            self._machine().run(self.parser(line).script(), Variables())
            self.refused = False
        except ConsoleError as error:
            self.said.append(str(error))
        except traps.Trap as trap:
            self.said.append(commands.message(trap))
        return "".join(f"{text}\r\n" for text in self.said)

    def parser(self, text: str) -> Parser:
        """Return what reads this text."""
        menu, version = self.device.faults.menu, self.device.version
        reader = Reader(text, question_mark=not version.seven or menu.question_mark_escape)
        return Parser(reader, Names(self.device.menus, version), self._forms())

    def _one_line(self, line: str) -> None:
        """Refuse what is more than one line: there is no terminal that could ask for more."""
        folded = line.rstrip("\r\n").replace("\\\r\n", "").replace("\\\n", "")
        if "\n" in folded:
            raise ConsoleError("expected end of command", 1, folded.index("\n") + 1)

    def _forms(self) -> Mapping[str, Form]:
        version = self.device.version
        forms = dict(FORMS)
        if version.seven:
            forms |= SEVEN
            if version.at_least(7, 16) or self.device.faults.menu.early_serialize:
                forms["serialize"] = serialize(options=version.at_least(7, 16))
        return forms

    def _machine(self) -> Machine:
        large: dict[str, Callable[[Invocation, Mapping[str, str]], Value]] = {
            "quit": lambda command, given: None,
        }
        rows = Rows(self.device, self.policies)
        return Machine(rows, commands.language(self._parsed), self.said.append, large)

    def _parsed(self, text: str) -> Value:
        try:
            self.parser(text).script()
        except ConsoleError as error:
            raise traps.Trap(str(error)) from None
        return f"(evl {text})"
