"""`appliance backup` and `appliance restore`: the box's own state in one sealed file."""

import json
import os
import tomllib
from dataclasses import asdict
from pathlib import Path

import click

from appliance import app, settings
from appliance.app.backup import VERSION, back_up
from appliance.cli.running import FILE, config_option, json_option
from appliance.store.archive import Manifest, settings_in
from appliance.store.backup import Box
from appliance.store.backup import restore as put_back

_ANY = click.Path(path_type=Path)
_SHORTEST_KEY = 16
_key_file = click.option(
    "--key-file", type=FILE, help="What seals it; else backup.key of the settings, or it asks."
)
_SHARED = "The records are in the shared MongoDB and not in this file: keep them with mongodump."


@click.command()
@click.argument("file", type=_ANY)
@config_option
@_key_file
@click.option(
    "--keep",
    type=click.IntRange(1, 365),
    default=1,
    show_default=True,
    help="How many to keep: the older ones become FILE.1, FILE.2 ….",
)
@json_option
def backup(
    file: Path, config: Path | None, key_file: Path | None, keep: int, *, as_json: bool
) -> None:
    """Write the box's own state, sealed, into FILE (or the usual name in a folder).

    The daemon may run. In it are the data, the settings, the credentials and, made by root, the
    tunnel's key; what is left out is said. The file and its key are all that a new SD card needs.
    It is read back before it replaces an older one.
    """
    loaded = settings.load(config)
    key = _key(key_file, loaded, new=True)
    made = back_up(loaded, config, key, file, app.SystemClock(), keep)
    _show(made, as_json=as_json)
    if made.shared:
        click.echo(_SHARED, err=True)


@click.command()
@click.argument("file", type=FILE)
@config_option
@_key_file
@json_option
def restore(file: Path, config: Path | None, key_file: Path | None, *, as_json: bool) -> None:
    """Put back what `backup` wrote into FILE; not while the daemon runs.

    What it replaces stays beside it as ….before-restore. A spool in which calls wait stays.
    """
    try:
        loaded = settings.load(config)
    except settings.WrongSettings:
        loaded = None  # a new card has none: they are in the file
    key = _key(key_file, loaded, new=False)
    made = put_back(file, key, _box(file, key, config), version=VERSION)
    _show(made, as_json=as_json)
    click.echo(
        "Now: appliance db migrate, start the daemon, and appliance payments reconcile: "
        "what was sold since then is not in the file.",
        err=True,
    )
    if made.shared:
        click.echo(_SHARED, err=True)


def _box(file: Path, key: str, config: Path | None) -> Box:
    """Return where this box keeps things, which is what the settings in the file say."""
    place = settings.file_of(config)
    told = tomllib.loads(settings_in(file, key) or "").get("appliance", {})
    default = settings.Appliance()
    named = os.environ.get("APPLIANCE_APPLIANCE__DATA_DIR", told.get("data_dir"))
    return Box(
        name=told.get("name", default.name),
        data_dir=default.data_dir if named is None else Path(named),
        settings=place,
        credentials=settings.credentials_of(place),
    )


def _key(file: Path | None, loaded: settings.Settings | None, *, new: bool) -> str:
    if file is not None:
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise click.UsageError(f"--key-file cannot be read: {error}") from None
    elif loaded is not None and loaded.backup.key is not None:
        key = loaded.backup.key.get_secret_value()
    else:
        key = str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True))
    if len(key) < _SHORTEST_KEY:
        raise click.UsageError(f"the key must have at least {_SHORTEST_KEY} characters")
    return key


def _show(made: Manifest, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(made), default=str))
        return
    click.echo(f"{made.name}, {made.made:%Y-%m-%d %H:%M} UTC, version {made.version}")
    for database, tables in made.counts.items():
        rows = ", ".join(f"{count} {table}" for table, count in tables.items() if count)
        click.echo(f"{database}: {rows or 'empty'}")
    papers = [name for name in made.files if name not in made.counts]
    click.echo(f"with {', '.join(papers) or 'no settings'}")
