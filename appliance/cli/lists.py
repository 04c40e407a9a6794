"""`appliance initiations` and `appliance webhooks`: what went out and what came in, newest first.

Documents are shown as they are stored, other programs' among them. Phone numbers are hidden
wherever they stand, and so is the end of a CheckoutRequestID, which is one too.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from appliance import app, settings
from appliance.cli.privacy import without_phones
from appliance.cli.running import config_option, json_option, once
from appliance.domain.records import InitiationStatus
from appliance.store.port import Document
from appliance.store.schema import INITIATIONS, WEBHOOKS, Collection

# Raw bodies hold names and numbers in every shape: they are shown in full or not at all.
_BODIES = ("rawBody", "payload")
_limit = click.option(
    "--limit", default=10, show_default=True, type=click.IntRange(1, 10_000), help="How many."
)
_full = click.option("--full", is_flag=True, help="Show phone numbers and bodies too.")


@click.group()
def initiations() -> None:
    """Look at the STK pushes that went out."""


@initiations.command("list")
@config_option
@click.option("--status", type=click.Choice([str(status) for status in InitiationStatus]))
@_limit
@_full
@json_option
def list_initiations(
    config: Path | None, status: str | None, limit: int, *, full: bool, as_json: bool
) -> None:
    """List STK pushes, the newest first."""
    found = once(_newest(settings.load(config), INITIATIONS, "status", status, limit))
    columns = (
        "createdAt",
        "status",
        "Amount",
        "PhoneNumber",
        "AccountReference",
        "CheckoutRequestID",
    )
    _print(found, columns, full=full, as_json=as_json)


@click.group()
def webhooks() -> None:
    """Look at the calls that came in."""


@webhooks.command("list")
@config_option
@click.option("--source", help="Only these, such as mpesa_confirmation, or refused.")
@_limit
@_full
@json_option
def list_webhooks(
    config: Path | None, source: str | None, limit: int, *, full: bool, as_json: bool
) -> None:
    """List webhooks, the newest first."""
    found = once(_newest(settings.load(config), WEBHOOKS, "source", source, limit))
    columns = ("timestamp", "source", "status", "remoteIp", "listed", "processingTime", "metadata")
    _print(found, columns, full=full, as_json=as_json)


async def _newest(
    loaded: settings.Settings, collection: Collection, index: str, value: str | None, limit: int
) -> list[Document]:
    async with app.open_store(loaded) as store:
        asked = None if value is None else index
        return await store.page(collection.name, asked, value, limit)


def _print(found: list[Document], columns: tuple[str, ...], *, full: bool, as_json: bool) -> None:
    text = json.dumps(
        found if full else [_hidden(document) for document in found], default=_as_text
    )
    if as_json:
        click.echo(text)
        return
    shown = [*columns, *_BODIES] if full else columns
    for document in json.loads(text):
        click.echo("  ".join(_cell(document[name]) for name in shown if name in document))


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={_cell(inner)}" for name, inner in value.items())
    return "-" if value is None else str(value)


def _hidden(document: Document) -> Document:
    return {
        name: without_phones(name, value) for name, value in document.items() if name not in _BODIES
    }


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
