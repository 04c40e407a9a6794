"""`appliance db`: look after the database."""

import asyncio
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from appliance import app, settings
from appliance.cli.running import FILE, config_option, json_option, once
from appliance.domain.errors import StoreUnavailable
from appliance.domain.records import Backlog
from appliance.store.hold import alone
from appliance.store.migrations import Change, Migrations
from appliance.store.move import Moved, NotMoved, move, put_away
from appliance.store.open import EMBEDDED, SPOOL_FILE, opened
from appliance.store.records import Books, books
from appliance.store.schema import COLLECTIONS
from appliance.store.seed import seed
from appliance.store.sqlite import SqliteStore

_MOST_NAMED = 5


@click.group()
def db() -> None:
    """Look after the database."""


@db.command("init")
@config_option
def init(config: Path | None) -> None:
    """Make every collection and index; running it twice changes nothing."""
    loaded = settings.load(config)

    async def work() -> None:
        async with app.open_store(loaded) as store:
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


@db.command("migrate")
@config_option
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
def migrate(config: Path | None, *, dry_run: bool) -> None:
    """Bring what older programs stored into today's shape; safe to repeat."""
    count = once(_migrated(settings.load(config), dry_run=dry_run))
    if dry_run:
        click.echo(f"{count} changes to be made" if count else "nothing to be done")
    else:
        click.echo(f"{count} changes made")


@db.command("status")
@config_option
@json_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Say what there is, which migrations are pending and whether every index is there."""
    loaded = settings.load(config)
    spool = _spool(loaded)  # first: it counts most while the database does not answer
    if spool is not None and not as_json:
        click.echo(_spooled(spool))
    found = {**once(_status(loaded)), "spool": spool}
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, shelf in found["collections"].items():
        missing = (
            f"   lacks {', '.join(shelf['missingIndexes'])}" if shelf["missingIndexes"] else ""
        )
        click.echo(f"{name:16} {shelf['count']:>8}{missing}")
    click.echo("indexes: " + ("ok" if found["indexesOk"] else "not all there, run: db init"))
    pending = found["migrations"]["pending"]
    names = ", ".join(f"{name} ({count})" for name, count in pending.items())
    click.echo("pending migrations: " + (f"{names}, run: db migrate" if names else "none"))
    for name, unreadable in found["unreadable"].items():
        click.echo(f"{name}: this version cannot read {' '.join(unreadable)}")


@db.command("move")
@click.option(
    "--to",
    "uri",
    required=True,
    metavar="URI",
    envvar="APPLIANCE_MOVE_TO",
    help="The shared MongoDB; better as APPLIANCE_MOVE_TO where it holds a password.",
)
@click.option("--database", default=settings.Mongodb().database, show_default=True)
@click.option("--router-is-known", is_flag=True, help="A record of this very router is there.")
@config_option
@json_option
def move_to(
    uri: str, database: str, config: Path | None, *, router_is_known: bool, as_json: bool
) -> None:
    """Carry this box's records into a shared MongoDB; not while the daemon runs.

    Cut off, it is run again. When it is done, set mongodb.uri.
    """
    loaded = settings.load(config)
    if loaded.mongodb.uri is not None:
        raise click.UsageError("this box keeps its records in a shared MongoDB already")
    data_dir = loaded.appliance.data_dir
    if not data_dir.is_dir():
        raise NotMoved(f"there is no {data_dir}")
    with alone(data_dir):
        if put_away(data_dir):
            click.echo("moved already: set mongodb.uri")
            return
        reports = once(_moved(data_dir, uri, database, router_is_known=router_is_known))
        put_away(data_dir)
    if as_json:
        click.echo(json.dumps([asdict(report) for report in reports]))
        return
    for report in reports:
        carried = report.copied + report.there
        click.echo(f"{report.collection:16} {carried:>8}{_kept(report)}")
    click.echo("all that was carried over read back. Now set mongodb.uri, and start the daemon.")


def _kept(report: Moved) -> str:
    if report.left:
        return f"   {report.left} stay in {EMBEDDED}.moved: this box has a log there, which goes on"
    theirs = report.theirs
    more = f" and {len(theirs) - _MOST_NAMED} more" if len(theirs) > _MOST_NAMED else ""
    return f"   kept as it is there: {', '.join(theirs[:_MOST_NAMED])}{more}" if theirs else ""


async def _moved(data_dir: Path, uri: str, database: str, *, router_is_known: bool) -> list[Moved]:
    place = f"{urlsplit(uri).netloc.rpartition('@')[2]}/{database}"
    if not await asyncio.to_thread((data_dir / EMBEDDED).exists):
        raise NotMoved(f"there is no {EMBEDDED} in {data_dir}")
    source = await SqliteStore.open(data_dir / EMBEDDED)
    try:
        async with opened(uri=uri, database=database, data_dir=data_dir) as target:
            return await move(source, target, data_dir, place, router_is_known=router_is_known)
    finally:
        await source.close()


async def _migrated(loaded: settings.Settings, *, dry_run: bool) -> int:
    cipher, count = await app.open_cipher(loaded), 0
    async with app.open_store(loaded) as store:
        migrations = Migrations(store, cipher, app.SystemClock())
        if dry_run:
            changes = await migrations.pending()
            for change in changes:
                _show(change)
            return len(changes)
        async for change in migrations.run():
            _show(change)
            count += 1
    return count


def _show(change: Change) -> None:
    for line in change.lines:
        click.echo(f"{change.migration}  {change.document}  {line}")


def _spool(loaded: settings.Settings) -> dict[str, Any] | None:
    """Return what waits on this box; None where nothing ever did, and no file is made."""
    if not (loaded.appliance.data_dir / SPOOL_FILE).exists():
        return None
    try:
        found = once(_backlog(loaded))
    except StoreUnavailable as error:
        click.echo(f"the spool cannot be read: {error}", err=True)
        return None
    if found is None:
        return None
    oldest = None if found.oldest is None else found.oldest.isoformat(timespec="seconds")
    return {"waiting": found.waiting, "parked": found.parked, "oldest": oldest}


async def _backlog(loaded: settings.Settings) -> Backlog | None:
    async with app.open_spool(loaded) as spool:
        return None if spool is None else await spool.backlog()


def _spooled(spool: dict[str, Any]) -> str:
    since = f" since {spool['oldest']}" if spool["oldest"] else ""
    parked = f", {spool['parked']} that the database refuses" if spool["parked"] else ""
    return f"spool: {spool['waiting']} waiting{since}{parked}"


async def _status(loaded: settings.Settings) -> dict[str, Any]:
    cipher = await app.open_cipher(loaded)
    async with app.open_store(loaded) as store:
        shelves = {name: await store.inspect(name) for name in COLLECTIONS}
        migrations = Migrations(store, cipher, app.SystemClock())
        pending = Counter(change.migration for change in await migrations.pending())
        return {
            "collections": {
                name: {"count": shelf.count, "missingIndexes": list(shelf.missing)}
                for name, shelf in shelves.items()
            },
            "indexesOk": not any(shelf.missing for shelf in shelves.values()),
            "migrations": {"applied": await migrations.applied(), "pending": dict(pending)},
            "unreadable": await _unreadable(books(store)),
        }


async def _unreadable(kept: Books) -> dict[str, list[str]]:
    """Return by collection what this version cannot read; other programs' logs are their own."""
    ours = {
        "paybills": await kept.paybills.unreadable(),
        "plans": await kept.plans.unreadable(),
        "payments": await kept.payments.unreadable(),
        "vouchers": await kept.vouchers.unreadable(),
        "routers": await kept.routers.unreadable(),
        "users": await kept.users.unreadable(),
    }
    return {name: found for name, found in ours.items() if found}


async def seeded(loaded: settings.Settings, file: Path) -> dict[str, int]:
    """Put the file into the database of these settings."""
    cipher = await app.open_cipher(loaded)
    async with app.open_store(loaded) as store:
        return await seed(store, file, cipher)
