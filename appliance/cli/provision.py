"""`appliance provision`: the router's set-up, shown, made, checked and taken back."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from appliance import app, settings
from appliance.app.provision import (
    Asked,
    applied,
    box_address,
    hopeless,
    lets_in,
    not_let_in,
    open_door,
    planned,
    plans_for_sale,
    wish_of,
)
from appliance.cli.provision_options import asked_for, in_usage, sign_in, wish_options
from appliance.cli.running import FILE, config_option, json_option, once
from appliance.domain.plans import Plan
from appliance.store.records import books
from provisioning import rsc, shown, visit
from provisioning.difference import in_use, to_be_undone
from provisioning.rows import Change
from provisioning.trouble import Trouble
from provisioning.visit import Look
from provisioning.wish import Wish


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
    if hopeless(found):
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
    if changes or hopeless(found):
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
    if hopeless(found):
        sys.exit(1)
    if not changes:
        return
    if not yes:
        click.confirm("Apply?", abort=True)
    left = once(applied(loaded, asked, wish, _tell))
    if left:
        click.echo("Not everything stayed as it was set:", err=True)
        _show(left, [], as_json=False)
        sys.exit(1)
    if not once(lets_in(loaded)):
        click.echo(not_let_in(loaded), err=True)
        sys.exit(1)
    click.echo("Done: the router is as it should be.")


@provision.command("remove")
@config_option
@sign_in
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(config: Path | None, *, admin: str | None, yes: bool) -> None:
    """Take back everything that apply made, and put back what it changed."""
    loaded = settings.load(config)
    asked = asked_for({"admin": admin})
    with in_usage():
        box = box_address(loaded)
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
        async with open_door(loaded, asked, box) as door:
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
    with in_usage():
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
        return await plans_for_sale(books(store).plans)


def _planned(loaded: settings.Settings, asked: Asked) -> tuple[list[Change], list[Trouble], Wish]:
    """Look at the router, and return what is to be done and what is in the way."""
    with in_usage():
        wish = wish_of(loaded, asked, once(_plans(loaded)))
    return *once(planned(loaded, asked, wish)), wish


async def _seen(loaded: settings.Settings, asked: Asked, box: str) -> Look:
    async with open_door(loaded, asked, box) as door:
        return await visit.look(door)


def _tell(change: Change) -> None:
    click.echo(f"done{shown.headline(change).rstrip()}")


def _show(changes: list[Change], found: list[Trouble], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(shown.as_json(changes, found), indent=2))
        return
    for line in shown.trouble_lines(found):
        click.echo(line)
    if changes or not hopeless(found):
        for line in shown.lines(changes):
            click.echo(line)
