"""Somebody at the console: a line is read as a whole and then carried out; a file, bit by bit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.console import commands
from appliance.sandbox.routeros.console.balance import Balance
from appliance.sandbox.routeros.console.export import Export
from appliance.sandbox.routeros.console.kinds import Code, Value
from appliance.sandbox.routeros.console.language import FORMS, SEVEN, Form, serialize
from appliance.sandbox.routeros.console.names import Names
from appliance.sandbox.routeros.console.parser import Parser
from appliance.sandbox.routeros.console.reader import Reader
from appliance.sandbox.routeros.console.rows import Rows
from appliance.sandbox.routeros.console.run import Large, Machine, Returned, Variables
from appliance.sandbox.routeros.console.syntax import ConsoleError, Invocation
from appliance.sandbox.routeros.device import Device

_LOADED = "\r\nScript file loaded and executed successfully"


@dataclass(slots=True)
class Session:
    """One of them, with the policies of their group."""

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
            self._machine().script(self._parser(line).script(), Variables())
            self.refused = False
        except ConsoleError as error:
            self.said.append(str(error))
        except traps.Trap as trap:
            self.said.append(commands.message(trap))
        except RecursionError:
            self.said.append("syntax error (line 1 column 1)")
        return "".join(f"{text}\r\n" for text in self.said)

    def bring_in(self, given: Mapping[str, str], *, dry_run: bool) -> None:
        """Carry out a file, statement by statement; raise `Trap` at the first that fails.

        What came before it stays done. A dry run reads everything and does nothing.
        """
        name = given.get("file-name")
        if name is None:
            raise traps.missing("file-name")
        text = self.device.files.text(name)
        if text is None:
            raise traps.Trap("input does not match any value of file-name", traps.ARGUMENT)
        verbose = given.get("verbose", "no") in {"yes", "true"}
        if dry_run and not verbose:
            raise traps.Trap("dry-run requires verbose=yes")
        try:
            self._bring_in(text, verbose=verbose, dry_run=dry_run)
        except ConsoleError as error:
            raise traps.Trap(f"Script Error: {error}") from None
        except RecursionError:
            raise traps.Trap("Script Error: syntax error (line 1 column 1)") from None
        except traps.Trap as trap:
            raise traps.Trap(f"Script Error: {commands.message(trap)}") from None

    def export(self, path: str, flags: frozenset[str], given: Mapping[str, str]) -> None:
        """Show the configuration as a script, or write it to a file."""
        shown = "show-sensitive" in flags or not self.device.version.seven
        secrets = shown and "hide-sensitive" not in flags and "sensitive" in self.policies
        terse, verbose = "terse" in flags, "verbose" in flags
        lines = Export(self.device, path, secrets, terse=terse, verbose=verbose).lines()
        if "file" not in given:
            self.said += lines
            return
        if "ftp" not in self.policies:
            raise traps.no_permission()
        name = given["file"] if given["file"].endswith(".rsc") else f"{given['file']}.rsc"
        self.device.files.put(name, "".join(f"{line}\r\n" for line in lines))

    def _bring_in(self, text: str, *, verbose: bool, dry_run: bool) -> None:
        menu = self.device.faults.menu
        if menu.import_checks_grammar_first:
            Balance(self._reader(text)).check()
        parser, machine, seen = self._parser(text), self._machine(), Variables()
        while (statement := parser.next()) is not None:
            if dry_run:
                continue
            if verbose or not menu.import_keeps_locals:
                seen = Variables()
            try:
                machine.run([statement], seen)
            except Returned:
                break

    def _one_line(self, line: str) -> None:
        """Refuse what is more than one line: there is no terminal that could ask for more."""
        folded = line.rstrip("\r\n").replace("\\\r\n", "").replace("\\\n", "")
        if "\n" in folded:
            raise ConsoleError("expected end of command", 1, folded.index("\n") + 1)

    def _reader(self, text: str) -> Reader:
        lenient = not self.device.version.seven or self.device.faults.menu.question_mark_escape
        return Reader(text, question_mark=lenient)

    def _parser(self, text: str) -> Parser:
        names = Names(self.device.menus, self.device.version)
        return Parser(self._reader(text), names, self._forms())

    def _forms(self) -> Mapping[str, Form]:
        version = self.device.version
        forms = dict(FORMS)
        if version.seven:
            forms |= SEVEN
            if version.at_least(7, 16) or self.device.faults.menu.early_serialize:
                forms["serialize"] = serialize(options=version.at_least(7, 16))
        return forms

    def _machine(self) -> Machine:
        large: dict[str, Large] = {
            "quit": lambda command, given: None,
            "import": self._imported,
            "export": lambda command, given: self.export(command.path, command.flags, given),
        }
        rows = Rows(self.device, self.policies)
        return Machine(rows, commands.language(self._parsed), self.said.append, large)

    def _imported(self, command: Invocation, given: Mapping[str, str]) -> None:
        if "write" not in self.policies:
            raise traps.no_permission()
        self.bring_in(given, dry_run="dry-run" in command.flags)
        self.said.append(_LOADED)

    def _parsed(self, text: str) -> Value:
        try:
            body = self._parser(text).script()
        except ConsoleError as error:
            raise traps.Trap(str(error)) from None
        return Code(f"(evl {text})", body)
