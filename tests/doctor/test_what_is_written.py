"""Every command that the doctor or a page tells to run is there, with its options."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from appliance.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`([^`]+)`")
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_SHELL = {"", "sh"}
_BEFORE = re.compile(r"^(?:sudo +(?:--\S+ +)*)?(?:[A-Z_]+=\S* +)*(?=\S)")
_INSTALLER = "./install.sh"
# These read no settings: anybody may run them.
_FOR_ALL = {"sandbox", "settings", "--help", "--version"}
# Made from the program, where a command is named and not told to be run.
_MADE = {"settings.md"}
# The daemon of whoever has settings of their own.
_BY_HAND = "--config"
_NONE = click.Context(cli)


@dataclass(frozen=True, slots=True)
class Told:
    """One command as somebody reads it."""

    page: str
    words: str
    """What follows `appliance`."""
    sudo: bool
    fenced: bool
    remark: str = ""
    """The comment behind it."""

    def __str__(self) -> str:
        return f"{self.page}: {self.words}"


def _commands(line: str) -> Iterator[str]:
    """Return the commands of a line of shell."""
    return (part.strip() for part in re.split(r"&&|\|\||[|;]", line))


def _of_line(page: str, line: str, program: str, *, fenced: bool) -> Iterator[Told]:
    code, _, remark = line.partition(" # ") if fenced else (line, "", "")
    for command in _commands(code):
        before = _BEFORE.match(command)
        rest = command[before.end() :] if before else command
        if rest == program or rest.startswith(f"{program} "):
            words = rest.removeprefix(program).strip()
            yield Told(page, words, command.startswith("sudo "), fenced, remark)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Return each line of shell and each piece of inline code, and which of both it is."""
    for _, language, block in _FENCED.findall(text):
        if language in _SHELL:
            yield from ((line.strip(), True) for line in block.replace("\\\n", "").splitlines())
    for code in _INLINE.findall(_FENCED.sub("", text)):
        yield " ".join(code.split()), False


def written(program: str) -> list[Told]:
    """Return what every page tells to run of this program."""
    return [
        told
        for page in PAGES
        for line, fenced in _lines(page.read_text(encoding="utf-8"))
        for told in _of_line(page.name, line, program, fenced=fenced)
    ]


def said() -> list[Told]:
    """Return what the doctor tells to run."""
    folder = ROOT / "appliance/cli/doctor"
    source = "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py")))
    found = re.findall(
        r"appliance ((?:backup|c2b|db|debts|doctor|payments|provision|restore|tokens)\b[a-z -]*)",
        source,
    )
    return [Told("doctor", words.strip(), sudo=True, fenced=False) for words in sorted(set(found))]


def _resolved(words: str) -> tuple[click.Command, click.Group]:
    """Return the command that these words begin with, and the group it is in."""
    command: click.Command = cli
    group: click.Group = cli
    for word in words.split():
        if not isinstance(command, click.Group) or word.startswith("-"):
            break
        group = command
        found = group.get_command(click.Context(group), word)
        assert found is not None, f"there is no {word} in: {words}"
        command = found
    return command, group


def _known(command: click.Command) -> set[str]:
    own = {name for parameter in command.params for name in parameter.opts}
    return own | {"--help"}


def _is_told(told: Told) -> bool:
    """Say whether it is more than a placeholder, as in `appliance …`."""
    return re.match(r"[a-z-]", told.words) is not None


COMMANDS = [told for told in dict.fromkeys((*written("appliance"), *said())) if _is_told(told)]


@pytest.mark.parametrize("told", COMMANDS, ids=str)
def test_what_is_told_to_be_run_can_be_run(told: Told) -> None:
    command, group = _resolved(told.words)
    if isinstance(command, click.Group) and not told.words.startswith("-"):
        # In a sentence a group may be named alone; nobody can run it.
        assert not told.fenced, told
        assert len(told.words.split()) == 1, told
    assert set(_OPTION.findall(told.words)) <= _known(command), told
    beside = [group.get_command(click.Context(group), name) for name in group.commands]
    allowed = {name for one in beside if one is not None for name in _known(one)}
    assert set(_OPTION.findall(told.remark)) <= _known(command) | allowed, told.remark


@pytest.mark.parametrize("told", COMMANDS, ids=str)
def test_what_reads_the_settings_is_told_with_sudo(told: Told) -> None:
    """They are root's, and the credentials beside them nobody else's."""
    exempt = told.page in _MADE or told.words.split()[0] in _FOR_ALL or _BY_HAND in told.words
    assert told.sudo or exempt, told


def _installers() -> set[str]:
    source = (ROOT / "install.sh").read_text(encoding="utf-8")
    return set(_OPTION.findall(source.partition("parse()")[2]))


@pytest.mark.parametrize("told", written(_INSTALLER), ids=str)
def test_the_installer_knows_its_flags(told: Told) -> None:
    flags, asked = _installers(), _OPTION.findall(told.words)
    if asked[:1] == ["--sandbox"]:
        flags, asked = _known(_resolved("sandbox")[0]), asked[1:]
    assert set(asked) <= flags, told


def _all(command: click.Command) -> set[str]:
    """Return the options of everything that is in this group."""
    if not isinstance(command, click.Group):
        return _known(command)
    inside = (command.get_command(click.Context(command), n) for n in command.list_commands(_NONE))
    return _known(command).union(*(_all(one) for one in inside if one is not None))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_flag_that_is_named_alone_is_somebodys(page: Path) -> None:
    named = {
        flag
        for line, fenced in _lines(page.read_text(encoding="utf-8"))
        if line.startswith("--") and not fenced
        for flag in _OPTION.findall(line)
    }
    assert named <= _all(cli) | _installers()


def test_there_is_much_to_be_run() -> None:
    pages = {told.page for told in COMMANDS}
    assert len(COMMANDS) > 100
    assert {"doctor", "README.md", "router.md", "operating.md", "tunnel.md"} <= pages
    assert any(told.fenced for told in COMMANDS)
    assert len(written(_INSTALLER)) > 2
