"""The device's files: what may be in them, what is shown of them, what a power cut leaves."""

from dataclasses import dataclass, field
from datetime import datetime

from appliance.sandbox.routeros import traps
from appliance.sandbox.routeros.actions import Action, Answer, Menu, Request, live, on_rows
from appliance.sandbox.routeros.clock import RouterClock
from appliance.sandbox.routeros.faults import Faults
from appliance.sandbox.routeros.tables import Row
from appliance.sandbox.routeros.versions import Version

_LONGEST = 60 * 1024
"""61,250 bytes were seen to be taken and 61,500 refused."""
_LONGEST_ON_SIX = 4095
_FLASH = "flash"


@dataclass(slots=True)
class File:
    """One file or folder."""

    name: str
    contents: str
    changed: datetime
    row_id: str
    folder: bool = False

    @property
    def size(self) -> int:
        """Return its size in bytes."""
        return len(self.contents.encode("utf-8", "surrogateescape"))

    @property
    def kind(self) -> str:
        """Return what `/file` calls it."""
        if self.folder:
            return "directory"
        ending = self.name.rpartition("/")[2].rpartition(".")[2]
        return {"rsc": "script", "backup": "backup"}.get(ending, f".{ending} file")


@dataclass(slots=True)
class Files:
    """Every file, by its whole name."""

    version: Version
    clock: RouterClock
    faults: Faults
    kept: dict[str, File] = field(default_factory=dict)
    _made: int = 0

    def put(self, name: str, contents: str) -> File:
        """Write a file as an upload does: whatever its size, in place of what was there."""
        folder = name.rpartition("/")[0]
        if folder:
            self.make_folder(folder)
        return self._keep(name, contents)

    def text(self, name: str) -> str | None:
        """Return what is in a file; None where there is no such file."""
        found = self.kept.get(name)
        return None if found is None or found.folder else found.contents

    def make_folder(self, name: str) -> None:
        """Make a folder, where there is none."""
        if name not in self.kept:
            self._keep(name, "", folder=True)

    def within(self, folder: str) -> dict[str, str]:
        """Return the files of a folder by their names in it."""
        start = f"{folder}/"
        return {
            name.removeprefix(start): file.contents
            for name, file in self.kept.items()
            if name.startswith(start) and not file.folder
        }

    def power_cut(self) -> None:
        """Lose what is not on the flash, where the device has one."""
        if self.faults.menu.has_flash:
            keep = (f"{_FLASH}/", _FLASH)
            self.kept = {n: f for n, f in self.kept.items() if n == _FLASH or n.startswith(keep[0])}

    def menu(self) -> Menu:
        """Return `/file`."""
        numbers = frozenset({".id", "numbers"})
        settable = {"contents", "name"} if self.version.seven else {"contents"}
        change = Action(self._set, numbers | settable, loose=("numbers",))
        more = {"set": change, "remove": on_rows(self._remove)}
        if self.version.seven:
            more["add"] = Action(self._add, frozenset({"name", "contents", "type"}))
        if self.version.at_least(7, 13):
            read = frozenset({"file", "offset", "chunk-size"})
            more["read"] = Action(self._read, read, frozenset({"read"}))
        return live(lambda _, __: [self._row(file) for file in self._all()], more)

    def _all(self) -> list[File]:
        if self.faults.menu.has_flash and _FLASH not in self.kept:
            self._keep(_FLASH, "", folder=True)
        return list(self.kept.values())

    def _keep(self, name: str, contents: str, *, folder: bool = False) -> File:
        standing = self.kept.get(name)
        if standing is None:
            self._made += 1
        row_id = f"*{self._made:X}" if standing is None else standing.row_id
        self.kept[name] = File(name, contents, self.clock.date(), row_id, folder)
        return self.kept[name]

    def _row(self, file: File) -> Row:
        day = self.version.date(file.changed.year, file.changed.month, file.changed.day)
        when = "last-modified" if self.version.at_least(7, 8) else "creation-time"
        row = {".id": file.row_id, "name": file.name, "type": file.kind}
        if not file.folder:
            row["size"] = str(file.size)
        row[when] = f"{day} {file.changed:%H:%M:%S}"
        if not file.folder and file.size <= self._longest:
            row["contents"] = file.contents
        return row

    @property
    def _longest(self) -> int:
        return _LONGEST if self.version.seven else _LONGEST_ON_SIX

    def _checked(self, contents: str) -> str:
        if len(contents.encode("utf-8", "surrogateescape")) > self._longest:
            raise traps.Trap("failure: contents too long")
        return contents

    def _add(self, request: Request) -> Answer:
        name = request.attributes.get("name")
        if not name:
            raise traps.missing("name")
        if name in self.kept:
            raise traps.Trap("failure: already have file with such name")
        contents = self._checked(request.attributes.get("contents", ""))
        folder = request.attributes.get("type") == "directory"
        made = self._keep(name, "", folder=True) if folder else self.put(name, contents)
        return Answer(ret=made.row_id if self.version.at_least(7, 13) else None)

    def _set(self, request: Request) -> Answer:
        rest = request.rest
        for row_id in request.row_ids:
            file = self._at(row_id)
            if "contents" in rest:
                file.contents = self._checked(rest["contents"])
                file.changed = self.clock.date()
            if rest.get("name"):
                self.kept[rest["name"]] = self.kept.pop(file.name)
                file.name = rest["name"]
        return Answer()

    def _remove(self, row_id: str) -> None:
        name = self._at(row_id).name
        within = [n for n in self.kept if n == name or n.startswith(f"{name}/")]
        for gone in within:
            del self.kept[gone]

    def _read(self, request: Request) -> Answer:
        file = self.kept.get(request.attributes.get("file", ""))
        if file is None:
            raise traps.no_item()
        try:
            start = int(request.attributes.get("offset", "0"))
            size = int(request.attributes.get("chunk-size", "32768"))
        except ValueError:
            raise traps.bad_value("offset") from None
        raw = file.contents.encode("utf-8", "surrogateescape")[start : start + size]
        return Answer(rows=[{"data": raw.decode("utf-8", "surrogateescape")}])

    def _at(self, row_id: str) -> File:
        for file in self.kept.values():
            if file.row_id == row_id:
                return file
        raise traps.no_item()
