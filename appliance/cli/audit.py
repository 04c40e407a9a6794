"""`appliance audit`: who did what at this box, and whether what is written of it still holds."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO, TypeVar

import click

from appliance import app, settings
from appliance.cli.running import FILE, config_option, json_option, once
from appliance.domain.audit import Entry
from appliance.flows.audit import Audit
from appliance.sheets.rows import lines, table

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
    chain = _asked(config, lambda log: log.verified())
    broken = chain.broken()
    if as_json:
        shown = None if broken is None else asdict(broken)
        head = chain.head.hash if chain.head else ""
        click.echo(json.dumps({"entries": chain.length, "head": head, "broken": shown}))
    elif broken is None:
        click.echo(f"{chain.length} entries, each as it was written")
    else:
        click.echo(f"entry {broken.place} {broken.why}", err=True)
    if broken is not None:
        sys.exit(1)


@audit.command("export")
@click.argument("file", type=FILE)
@config_option
def export(file: Path, config: Path | None) -> None:
    """Write every entry into FILE, the newest first; its name ends in .csv or .jsonl."""
    if file.suffix not in {".csv", ".jsonl"}:
        raise click.UsageError("the file's name must end in .csv or .jsonl")
    with _replacing(file) as out:
        count = _asked(config, lambda log: _written(log, out, as_table=file.suffix == ".csv"))
    click.echo(f"{count} entries in {file}")


@contextmanager
def _replacing(file: Path) -> Iterator[TextIO]:
    """Yield what takes the file's place once it is whole; else the earlier one stays."""
    begun = file.with_name(f".{file.name}.part")
    made = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(made, "w", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            os.fsync(made)
        begun.replace(file)
    finally:
        begun.unlink(missing_ok=True)


async def _written(log: Audit, out: TextIO, *, as_table: bool) -> int:
    """Write every entry, and return how many they were."""
    count, text = 0, table(_ALL, ()) if as_table else ""
    async for page in log.pages():
        shown = [_shown(entry) for entry in page]
        if as_table:
            text += lines([_cell(one[name]) for name in _ALL] for one in shown)
        else:
            text += "".join(f"{json.dumps(one)}\n" for one in shown)
        await asyncio.to_thread(out.write, text)
        count, text = count + len(page), ""
    await asyncio.to_thread(out.write, text)
    return count


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
