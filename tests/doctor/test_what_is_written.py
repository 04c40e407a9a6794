"""Every command that the doctor or a page on what to do tells to run is there, with its options."""

import re
from pathlib import Path

import click
import pytest

from appliance.cli import cli

ROOT = Path(__file__).parents[2]


def told() -> set[str]:
    """Return what follows `appliance` in the pages' code and in the doctor's own words."""
    pages = [ROOT / "docs" / name for name in ("troubleshooting.md", "going-live.md")]
    page = "\n".join(file.read_text(encoding="utf-8") for file in pages)
    code = re.findall(r"`(?:sudo )?appliance ([a-z][^`]*)`", page)
    folder = ROOT / "appliance/cli/doctor"
    source = "\n".join(file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py")))
    said = re.findall(
        r"appliance ((?:backup|c2b|db|debts|doctor|payments|provision|restore|tokens)\b[a-z -]*)",
        source,
    )
    return {words.strip() for words in (*code, *said)}


@pytest.mark.parametrize("words", sorted(told()))
def test_what_is_told_to_be_run_can_be_run(words: str) -> None:
    command: click.Command = cli
    options = set[str]()
    for word in words.split():
        if word.startswith("--"):
            options.add(word)
        elif isinstance(command, click.Group) and not options:
            found = command.get_command(click.Context(command), word)
            assert found is not None, words
            command = found
    assert not isinstance(command, click.Group), words
    known = {name for parameter in command.params for name in parameter.opts}
    assert options <= known, words


def test_there_is_much_to_be_run() -> None:
    assert len(told()) > 20
