"""`appliance audit`: who did what at this box, and whether what is written of it still holds."""

import json
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click

from appliance import app, settings
from appliance.cli.running import FILE, config_option, json_option, once
from appliance.domain.audit import Entry, verify
from appliance.flows.audit import Audit
from appliance.sheets.rows import table

T = TypeVar("T")

_COLUMNS = ("place", "at", "who", "did", "subject", "detail")
_ALL = (*_COLUMNS, "box", "previous", "hash")


@click.group()
def audit() -> None:
    """Look at who did what, and prove that nobody changed it."""


@audit.command("list")
@config_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_entries(config: Path | None, limit: int, *, as_json: bool) -> None:
    """List what was done, the newest first."""
    found = [_shown(entry) for entry in _asked(config, lambda log: log.page(limit))]
    if as_json:
        click.echo(json.dumps(found))
        return
    for shown in found:
        click.echo("  ".join(_cell(shown[name]) or "-" for name in _COLUMNS))


@audit.command("verify")
@config_option
@json_option
def verify_entries(config: Path | None, *, as_json: bool) -> None:
    """Hold every entry to the one before it; exit 1 at the first that is not what was written."""
    entries = _asked(config, lambda log: log.all())
    broken = verify(entries)
    if as_json:
        shown = None if broken is None else asdict(broken)
        head = entries[-1].hash if entries else ""
        click.echo(json.dumps({"entries": len(entries), "head": head, "broken": shown}))
    elif broken is None:
        click.echo(f"{len(entries)} entries, each as it was written")
    else:
        click.echo(f"entry {broken.place} {broken.why}", err=True)
    if broken is not None:
        sys.exit(1)


@audit.command("export")
@click.argument("file", type=FILE)
@config_option
def export(file: Path, config: Path | None) -> None:
    """Write every entry into FILE, the oldest first; its name ends in .csv or .json."""
    if file.suffix not in {".csv", ".json"}:
        raise click.UsageError("the file's name must end in .csv or .json")
    entries = _asked(config, lambda log: log.all())
    shown = [_shown(entry) for entry in entries]
    if file.suffix == ".csv":
        text = table(_ALL, ([_cell(one[name]) for name in _ALL] for one in shown))
    else:
        text = json.dumps(shown, indent=1) + "\n"
    made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(made, "w", encoding="utf-8", newline="") as out:
        out.write(text)
    click.echo(f"{len(entries)} entries in {file}")


def _asked(config: Path | None, question: Callable[[Audit], Awaitable[T]]) -> T:
    loaded = settings.load(config)

    async def work() -> T:
        async with app.open_flows(loaded) as flows:
            return await question(flows.audit)

    return once(work())


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True) if value else ""
    return str(value)


def _shown(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in _ALL} | {"at": entry.at.isoformat()}
