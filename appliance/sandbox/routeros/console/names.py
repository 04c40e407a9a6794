"""What the console knows by name: paths, the commands of each, and what these take."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.sandbox.routeros.actions import Action, Menu
from appliance.sandbox.routeros.versions import Version


@dataclass(frozen=True, slots=True)
class Command:
    """How a command is written."""

    name: str
    action: Action | None
    """None for what the console does itself."""
    named: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    loose: tuple[str, ...] = ()
    """What values mean that come without a name, in their order."""
    conditions: bool = False
    """Everything that follows is a condition."""


_PRINT = Command(
    "print",
    None,
    named=frozenset({"proplist"}),
    flags=frozenset(
        {"detail", "terse", "brief", "as-value", "count-only", "without-paging", "where"}
    ),
)
_FIND = Command("find", None, conditions=True)
_EXPORT_FLAGS = frozenset({"compact", "terse", "verbose", "hide-sensitive"})


class Names:
    """The names of one device."""

    def __init__(self, menus: Mapping[str, Menu], version: Version) -> None:
        self.version = version
        self._menus = menus
        self._paths = {""}
        for path in menus:
            parts = path.split("/")
            self._paths |= {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}

    def submenu(self, path: str, word: str) -> str | None:
        """Return the path that this word leads to."""
        if word == "..":
            return path.rpartition("/")[0]
        return _meant(f"{path}/{word}", self._paths, within=path)

    def command(self, path: str, word: str) -> Command | None:
        """Return the command that this word means here."""
        menu = self._menus.get(path)
        known = dict(self._own(path, menu))
        for name, action in menu.actions.items() if menu else ():
            if name not in known and action.on_console:
                known[name] = _written(name, action)
        meant = _meant(word, known)
        return None if meant is None else known[meant]

    def _own(self, path: str, menu: Menu | None) -> Iterable[tuple[str, Command]]:
        yield "export", self._export()
        if path == "":
            yield "quit", Command("quit", None)
            named = frozenset({"file-name", "verbose"})
            newer = frozenset({"dry-run"}) if self.version.at_least(7, 16) else frozenset[str]()
            yield "import", Command("import", None, named, newer, ("file-name",))
        if menu is None:
            return
        if "print" in menu.actions:
            yield "print", _PRINT
            loose = ("value-name",) if menu.single else ("numbers", "value-name")
            yield "get", Command("get", None, frozenset(loose), loose=loose)
            if not menu.single:
                yield "find", _FIND

    def _export(self) -> Command:
        flags = _EXPORT_FLAGS
        if self.version.seven:
            flags = flags - {"hide-sensitive"} | {"show-sensitive", "hide-sensitive"}
        return Command("export", None, frozenset({"file"}), flags)


def argument(command: Command, word: str) -> str | None:
    """Return the argument that this word means."""
    return _meant(word, command.named)


def _written(name: str, action: Action) -> Command:
    named = frozenset(argument for argument in action.arguments if argument != ".id")
    return Command(name, action, named, loose=action.loose)


def _meant(word: str, known: Iterable[str], within: str | None = None) -> str | None:
    """Return the one name that this is, or begins."""
    names = list(known)
    if word in names:
        return word
    found = [name for name in names if name.startswith(word)]
    if within is not None:
        found = [name for name in found if name.count("/") == word.count("/")]
    return found[0] if len(found) == 1 else None
