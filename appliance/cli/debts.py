"""`appliance debts`: what the box still owes though its time has come, and what it cannot pay."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from appliance import app, settings
from appliance.cli.privacy import without_phones
from appliance.cli.running import config_option, json_option, once, operator
from appliance.domain.errors import Unreadable
from appliance.domain.records import PutAside
from appliance.store.debts import Debt, Debts
from appliance.store.open import SPOOL_FILE

T = TypeVar("T")

_COLUMNS = ("id", "in", "kind", "state", "since", "attempts", "nextTry", "lastError")


@click.group()
def debts() -> None:
    """Look at what waits or is parked, try it again, or end it."""


@debts.command("list")
@config_option
@click.option("--parked", is_flag=True, help="Only what waits for a person.")
@json_option
def list_debts(config: Path | None, *, parked: bool, as_json: bool) -> None:
    """List what waits and what is parked, the oldest first; what is only planned is not shown."""
    loaded = settings.load(config)

    calls = [_call(call) for call in _put_aside(loaded)]
    if not as_json:
        _print(calls)  # first: they count most while the database does not answer
    outstanding = once(_asked(loaded, lambda debts, now: debts.outstanding(now)))
    found = [_shown(debt) for debt in outstanding if debt.parked_at is not None or not parked]
    if as_json:
        click.echo(json.dumps(calls + found))
    else:
        _print(found)


@debts.command("retry")
@click.argument("record_id", metavar="ID")
@config_option
def retry(record_id: str, config: Path | None) -> None:
    """Have the running daemon try a debt again at once, or a call of the spool at its next look."""
    loaded = settings.load(config)

    calls = {call.id: call.place for call in _put_aside(loaded)}
    if record_id in calls:  # not in the audit log: that is where the database is, which may be away
        once(_free(loaded, calls[record_id]))
        click.echo(f"{record_id} is tried again within a minute")
        return

    async def work() -> Debt:
        async with (
            app.open_flows(loaded) as flows,
            flows.audit.deed(operator(), "retry debt", record_id),
        ):
            return await _asked(loaded, lambda debts, now: debts.retry(record_id, now))

    debt = once(work())
    click.echo(f"{debt.collection} {debt.id} is tried again now")


@debts.command("give-up")
@click.argument("record_id", metavar="ID")
@config_option
def give_up(record_id: str, config: Path | None) -> None:
    """End a parked debt where nobody loses by it: money is kept for a person to decide about."""
    loaded = settings.load(config)

    async def work() -> str:
        async with (
            app.open_flows(loaded) as flows,
            flows.audit.deed(operator(), "give up debt", record_id),
        ):
            return await flows.give_up.debt(record_id)

    try:
        click.echo(once(work()))
    except Unreadable as error:
        raise click.ClickException(f"this version cannot read it: {error}") from error


async def _asked(loaded: settings.Settings, work: Callable[[Debts, datetime], Awaitable[T]]) -> T:
    async with app.open_store(loaded) as store:
        return await work(Debts(store, loaded.router.id), datetime.now(UTC))


def _put_aside(loaded: settings.Settings) -> list[PutAside]:
    """Return the calls that the database refuses; where none ever waited, no file is made."""
    there = (loaded.appliance.data_dir / SPOOL_FILE).exists()
    return once(_parked(loaded)) if there else []


async def _parked(loaded: settings.Settings) -> list[PutAside]:
    async with app.open_spool(loaded) as spool:
        return [] if spool is None else await spool.parked()


async def _free(loaded: settings.Settings, place: int) -> None:
    async with app.open_spool(loaded) as spool:
        if spool is not None:
            await spool.unpark(place)


def _print(found: list[dict[str, Any]]) -> None:
    for shown in found:
        click.echo("  ".join(str(shown[name] or "-") for name in _COLUMNS))


def _call(call: PutAside) -> dict[str, Any]:
    """Return a call that the database does not take, as if it were a debt of the spool's."""
    return {
        "id": call.id,
        "in": "spool",
        "kind": "store",
        "state": "parked",
        "since": _text(call.arrived),
        "attempts": None,
        "nextTry": None,
        "parkedAt": None,
        "lastError": without_phones("lastError", call.reason),
    }


def _shown(debt: Debt) -> dict[str, Any]:
    return {
        "id": debt.id,
        "in": debt.collection,
        "kind": debt.kind,
        "state": _state(debt),
        "since": _text(debt.since),
        "attempts": debt.attempts,
        "nextTry": _text(debt.at),
        "parkedAt": _text(debt.parked_at),
        "lastError": debt.last_error,
    }


def _state(debt: Debt) -> str:
    if debt.being_paid:
        return "being paid"
    return "waiting" if debt.parked_at is None else "parked"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
