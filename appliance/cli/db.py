"""`appliance db`: look after the database."""

import json
from pathlib import Path

import click

from appliance import app, settings
from appliance.cli.running import FILE, config_option, json_option, once
from appliance.store.schema import COLLECTIONS
from appliance.store.seed import seed


@click.group()
def db() -> None:
    """Look after the database."""


@db.command("init")
@config_option
def init(config: Path | None) -> None:
    """Make every collection and index; running it twice changes nothing."""

    async def work() -> None:
        async with app.open_store(settings.load(config)) as store:
            await store.ping()

    once(work())
    click.echo(f"ready: {', '.join(COLLECTIONS)}")


@db.command("seed")
@click.argument("file", type=FILE)
@config_option
@json_option
def seed_file(file: Path, config: Path | None, *, as_json: bool) -> None:
    """Put users, routers, paybills and plans from a TOML FILE; safe to repeat."""
    counts = once(seeded(settings.load(config), file))
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    click.echo(json.dumps(counts) if as_json else words)


async def seeded(loaded: settings.Settings, file: Path) -> dict[str, int]:
    """Put the file into the database of these settings."""
    async with app.open_store(loaded) as store:
        return await seed(store, file)
