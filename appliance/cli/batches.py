"""`appliance vouchers create`, `print` and `batches`: vouchers by the hundred, sold on paper."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from appliance import app, settings
from appliance.app.printing import press
from appliance.cli.running import FILE, config_option, json_option, once, operator
from appliance.cli.voucher_lines import print_all, shown
from appliance.domain.batches import LONGEST_NOTE, MOST
from appliance.domain.errors import Invalid
from appliance.domain.vouchers import Voucher
from appliance.settings import Settings
from appliance.sheets import Paper
from appliance.web.pages import Pages
from appliance.web.tickets import rows

F = TypeVar("F", bound=Callable[..., object])


def _paper_options(command: F) -> F:
    """Give a command what it needs to know to print."""
    for option in (
        click.option("--language", type=click.Choice(Pages.languages), help="Of what is printed."),
        click.option(
            "--paper",
            type=click.Choice([str(paper) for paper in Paper]),
            default=str(Paper.A4),
            show_default=True,
        ),
        click.option("--csv", "csv_file", type=FILE, help="Write all of them as a table."),
        click.option("--pdf", "pdf_file", type=FILE, help="Print those that nobody has used."),
    ):
        command = option(command)
    return command


@click.command("create")
@config_option
@click.option("--plan", required=True, help="The plan's id.")
@click.option("--count", required=True, type=click.IntRange(1, MOST))
@click.option("--note", help=f"For yourself, up to {LONGEST_NOTE} characters.")
@click.option(
    "--key", help="The same key again makes nothing twice, and finishes what was cut off."
)
@_paper_options
@json_option
def create(
    config: Path | None,
    plan: str,
    count: int,
    note: str | None,
    key: str | None,
    *,
    as_json: bool,
    **printing: Any,
) -> None:
    """Make vouchers to sell for cash; the time of each starts when it is first used."""
    _writable(printing)
    loaded = settings.load(config)

    async def work() -> list[Voucher]:
        async with (
            app.open_flows(loaded) as flows,
            flows.audit.deed(operator(), "create vouchers", plan, count=count),
        ):
            return await flows.batches.make(plan, count, key=key, note=note)

    made = once(work())
    _print_to_files(loaded, made, **printing)
    if as_json:
        click.echo(json.dumps(_summary(made[0]) | {"vouchers": [shown(one) for one in made]}))
        return
    click.echo(f"batch {made[0].batch.id if made[0].batch else '-'}")
    print_all(made, as_json=False)


@click.command("print")
@click.argument("batch")
@config_option
@_paper_options
def print_batch(batch: str, config: Path | None, **printing: Any) -> None:
    """Print a batch once more: what somebody has used meanwhile is left out."""
    if printing["pdf_file"] is None and printing["csv_file"] is None:
        raise click.UsageError("say where to: --pdf FILE or --csv FILE")
    _writable(printing)
    loaded = settings.load(config)
    _print_to_files(loaded, found_batch(loaded, batch), **printing)


@click.command("batches")
@config_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def batches(config: Path | None, limit: int, *, as_json: bool) -> None:
    """List batches, the newest first."""
    loaded = settings.load(config)

    async def work() -> list[Voucher]:
        async with app.open_flows(loaded) as flows:
            return await flows.batches.latest(limit)

    found = [_summary(head) for head in once(work())]
    if as_json:
        click.echo(json.dumps(found))
        return
    for one in found:
        click.echo("  ".join("-" if value is None else str(value) for value in one.values()))


@click.command("withdraw")
@click.argument("batch")
@config_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def withdraw(batch: str, config: Path | None, *, yes: bool) -> None:
    """Take away what nobody has used of a batch, such as lost paper. Safe to repeat."""
    loaded = settings.load(config)
    left = sum(voucher.in_stock for voucher in found_batch(loaded, batch))
    if not yes:
        click.confirm(f"Take {left} away? That cannot be undone.", abort=True)

    async def work() -> int:
        async with (
            app.open_flows(loaded) as flows,
            flows.audit.deed(operator(), "withdraw vouchers", batch, count=left),
        ):
            return await flows.batches.withdraw(batch)

    click.echo(f"{once(work())} taken away")


def found_batch(loaded: Settings, batch: str) -> list[Voucher]:
    """Return what there is of a batch; say so and fail where there is none."""

    async def work() -> list[Voucher]:
        async with app.open_flows(loaded) as flows:
            return await flows.batches.find(batch)

    found = once(work())
    if not found:
        click.echo(f"there is no batch {batch}", err=True)
        sys.exit(1)
    return found


def _summary(head: Voucher) -> dict[str, Any]:
    batch = head.batch
    return {
        "batch": batch.id if batch else None,
        "createdAt": head.created_at.isoformat(),
        "plan": head.plan.id,
        "count": batch.size if batch else None,
        "note": batch.note if batch else None,
    }


def _writable(printing: dict[str, Any]) -> None:
    """Refuse a file that cannot be written, before anything is made."""
    for file in (printing["pdf_file"], printing["csv_file"]):
        if file is not None and not os.access(file if file.exists() else file.parent, os.W_OK):
            raise click.UsageError(f"{file} cannot be written")


def _print_to_files(
    loaded: Settings,
    made: Sequence[Voucher],
    *,
    pdf_file: Path | None,
    csv_file: Path | None,
    paper: str,
    language: str | None,
) -> None:
    if csv_file is not None:
        _write(csv_file, rows(made).encode())
    if pdf_file is None:
        return
    try:
        _write(pdf_file, press(loaded.portal).printed(made, Paper(paper), language))
    except Invalid as error:
        click.echo(str(error), err=True)
        sys.exit(1)


def _write(file: Path, content: bytes) -> None:
    """Write a file that, where it is new, only its owner reads: who has a code has its time."""
    with open(file, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as written:
        written.write(content)
