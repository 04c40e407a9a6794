"""`appliance provision`: the router's set-up, shown, made, checked and taken back."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from appliance import app, settings
from appliance.cli.provision_options import (
    Asked,
    asked_for,
    box_address,
    sign_in,
    wish_of,
    wish_options,
)
from appliance.cli.running import FILE, config_option, json_option, once
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.domain.plans import Plan
from appliance.store.records import books
from provisioning import rsc, shown, visit
from provisioning.desired import FOLDER
from provisioning.difference import in_use, to_be_undone
from provisioning.door import ApiDoor, WrongAccount
from provisioning.lending import lending
from provisioning.preflight import Level, Trouble, lacking, troubles
from provisioning.rows import Change
from provisioning.visit import Look
from provisioning.wish import Wish, WrongWish

_MOST_PLANS = 1000


@click.group()
def provision() -> None:
    """Set the router up."""


@provision.command("plan")
@config_option
@sign_in
@wish_options
@json_option
def plan(config: Path | None, *, as_json: bool, **told: Any) -> None:
    """Show what apply would do; change nothing. Exit 1 where something must be mended first."""
    loaded = settings.load(config)
    changes, found, _ = _planned(loaded, asked_for(told))
    _show(changes, found, as_json=as_json)
    if _hopeless(found):
        sys.exit(1)


@provision.command("verify")
@config_option
@sign_in
@wish_options
@json_option
def verify(config: Path | None, *, as_json: bool, **told: Any) -> None:
    """Say whether the router is as it should be; exit 1 where it is not."""
    loaded = settings.load(config)
    changes, found, _ = _planned(loaded, asked_for(told))
    _show(changes, found, as_json=as_json)
    if changes or _hopeless(found):
        sys.exit(1)


@provision.command("apply")
@config_option
@sign_in
@wish_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply(config: Path | None, *, yes: bool, **told: Any) -> None:
    """Do the least that sets the router up. Safe to repeat, and to run again after a cut."""
    loaded, asked = settings.load(config), asked_for(told)
    changes, found, wish = _planned(loaded, asked)
    _show(changes, found, as_json=False)
    if _hopeless(found):
        sys.exit(1)
    if not changes:
        return
    if not yes:
        click.confirm("Apply?", abort=True)
    left = once(_applied(loaded, asked, wish))
    if left:
        click.echo("Not everything stayed as it was set:", err=True)
        _show(left, [], as_json=False)
        sys.exit(1)
    if not once(_lets_in(loaded)):
        click.echo(
            f"The router is set up, and does not let {wish.username} in: somebody made that "
            "account with another password, address or group. Mend it there (/user), or name "
            "another in router.username.",
            err=True,
        )
        sys.exit(1)
    click.echo("Done: the router is as it should be.")


@provision.command("remove")
@config_option
@sign_in
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(config: Path | None, *, admin: str | None, yes: bool) -> None:
    """Take back everything that apply made, and put back what it changed."""
    loaded = settings.load(config)
    asked, box = asked_for({"admin": admin}), box_address(loaded, None)
    seen = once(_seen(loaded, asked, box))
    changes = to_be_undone(seen.tables)
    if not changes:
        click.echo("Nothing to do: nothing of ours is on the router.")
        return
    _show(changes, [], as_json=False)
    kept = in_use(seen.tables)
    for name in kept:
        click.echo(f"  kept: the profile {name}, for vouchers on the router have it")
    if not yes:
        click.confirm("Remove?", abort=True)

    async def work() -> int:
        async with _door(loaded, asked, box) as door:
            return await visit.undo(door, await visit.look(door), _tell)

    once(work())
    click.echo("Done: the router is as it was" + (", but for what is kept." if kept else "."))


@provision.command("render")
@config_option
@wish_options
@click.option("--profile", metavar="NAME", help="The profile of the hotspot that is there.")
@click.option("--output", type=FILE, help="Write it here, for nobody else to read.")
def render(config: Path | None, *, profile: str | None, output: Path | None, **told: Any) -> None:
    """Write the set-up as a script for RouterOS 6.49 and 7, without looking at the router."""
    loaded = settings.load(config)
    wish = wish_of(loaded, asked_for(told), once(_plans(loaded)), profile)
    text = rsc.rendered(wish)
    if output is None:
        click.echo(text, nl=False)
        return
    output.touch(mode=0o600)
    output.chmod(0o600)  # one that was there before may have been anybody's to read
    output.write_text(text, encoding="ascii")
    click.echo(str(output))


async def _plans(loaded: settings.Settings) -> tuple[Plan, ...]:
    async with app.open_store(loaded) as store:
        return tuple(await books(store).plans.page("active", value=True, limit=_MOST_PLANS))


@asynccontextmanager
async def _door(loaded: settings.Settings, asked: Asked, box: str) -> AsyncIterator[ApiDoor]:
    async def knock() -> None:
        async with app.open_pool(loaded.router, asked.admin, asked.password) as once_more:
            await once_more.command("/system/identity/print")

    async with (
        app.open_pool(loaded.router, asked.admin, asked.password) as pool,
        lending(box) as lender,
    ):
        door = ApiDoor(pool, knock, lender, FOLDER)
        await door.signed_in()
        yield door


def _planned(loaded: settings.Settings, asked: Asked) -> tuple[list[Change], list[Trouble], Wish]:
    """Look at the router, and return what is to be done and what is in the way."""
    wish = wish_of(loaded, asked, once(_plans(loaded)))
    username = asked.admin or loaded.router.username
    try:
        survey = once(surveyed(loaded, asked, wish))
    except WrongAccount as error:
        return [], [Trouble(Level.FAIL, f"the router does not let {username} in", str(error))], wish
    in_the_way = lacking(survey.changes, survey.seen, username)
    return survey.changes, [*survey.troubles, *in_the_way], wish


@dataclass(frozen=True, slots=True)
class Survey:
    """How the router stands to what is wanted of it."""

    seen: Look
    changes: list[Change]
    """What `apply` would do now."""
    troubles: list[Trouble]


async def surveyed(loaded: settings.Settings, asked: Asked, wish: Wish) -> Survey:
    """Look at the router once; raise `WrongAccount` where it does not let us in."""
    async with _door(loaded, asked, wish.box) as door:
        seen = await visit.look(door)
    found = troubles(wish, seen, asked.admin or loaded.router.username, app.SystemClock().now())
    try:
        return Survey(seen, visit.planned(wish, seen), found)
    except WrongWish as error:
        if not _hopeless(found):
            found.append(Trouble(Level.FAIL, "that cannot be done as things stand", str(error)))
        return Survey(seen, [], found)


async def _seen(loaded: settings.Settings, asked: Asked, box: str) -> Look:
    async with _door(loaded, asked, box) as door:
        return await visit.look(door)


async def _applied(loaded: settings.Settings, asked: Asked, wish: Wish) -> list[Change]:
    """Look once more, do it, and return what is still not as it should be."""
    async with _door(loaded, asked, wish.box) as door:
        await visit.apply(door, visit.planned(wish, await visit.look(door)), _tell)
        return visit.planned(wish, await visit.look(door))


async def _lets_in(loaded: settings.Settings) -> bool:
    """Say whether the box's own account works, with which it will come from now on."""
    async with app.open_pool(loaded.router) as pool:
        try:
            await pool.command("/system/identity/print")
        except (RouterRefused, RouterUnreachable):
            return False
        return True


def _tell(change: Change) -> None:
    click.echo(f"done{shown.headline(change).rstrip()}")


def _hopeless(found: list[Trouble]) -> bool:
    return any(trouble.level is Level.FAIL for trouble in found)


def _show(changes: list[Change], found: list[Trouble], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(shown.as_json(changes, found), indent=2))
        return
    for line in shown.trouble_lines(found):
        click.echo(line)
    if changes or not _hopeless(found):
        for line in shown.lines(changes):
            click.echo(line)
