"""`appliance provision`: the router's set-up, shown, made, checked and taken back."""

import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from appliance import app, settings
from appliance.cli.running import FILE, config_option, json_option, once
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.domain.plans import Plan
from appliance.store.records import books
from provisioning import rsc, shown, visit
from provisioning.desired import FOLDER
from provisioning.difference import in_use, to_be_undone
from provisioning.door import ApiDoor, WrongAccount
from provisioning.lending import lending
from provisioning.pages import render_pages
from provisioning.preflight import Level, Trouble, lacking, troubles
from provisioning.rows import Change
from provisioning.visit import Look
from provisioning.wish import Wish, WrongWish, is_address

_MOST_PLANS = 1000
_DNS = 53
_PASSWORD = "APPLIANCE_ADMIN_PASSWORD"  # noqa: S105  # the variable's name
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says, beyond the settings."""

    admin: str | None
    password: str
    interface: str | None
    server: str | None
    box: str | None
    box_mac: str | None
    allow_host: tuple[str, ...]
    ntp: str
    ssh: bool
    option_114: bool
    keep_services_open: bool


def _sign_in(command: F) -> F:
    return click.option(
        "--admin",
        metavar="NAME",
        help="Sign in as this administrator; the password is asked for, "
        f"or taken from {_PASSWORD}.",
    )(command)


def _wish_options(command: F) -> F:
    for option in (
        click.option("--interface", metavar="NAME", help="Make a hotspot here."),
        click.option("--server", metavar="NAME", help="Which hotspot, where there are several."),
        click.option("--box", metavar="IP", help="This box, as the router sees it."),
        click.option("--box-mac", metavar="MAC", help="Let the box itself through the hotspot."),
        click.option("--allow-host", multiple=True, metavar="NAME", help="Free before paying."),
        click.option("--ntp", default="pool.ntp.org", show_default=True, help="A time server."),
        click.option("--ssh", is_flag=True, help="The box may come by SSH too."),
        click.option("--option-114", is_flag=True, help="Tell phones of the portal by DHCP."),
        click.option("--keep-services-open", is_flag=True, help="Do not limit the API to the box."),
    ):
        command = option(command)
    return command


@click.group()
def provision() -> None:
    """Set the router up."""


@provision.command("plan")
@config_option
@_sign_in
@_wish_options
@json_option
def plan(config: Path | None, *, as_json: bool, **told: Any) -> None:
    """Show what apply would do; change nothing. Exit 1 where something must be mended first."""
    loaded = settings.load(config)
    changes, found, _ = _planned(loaded, _asked(told))
    _show(changes, found, as_json=as_json)
    if _hopeless(found):
        sys.exit(1)


@provision.command("verify")
@config_option
@_sign_in
@_wish_options
@json_option
def verify(config: Path | None, *, as_json: bool, **told: Any) -> None:
    """Say whether the router is as it should be; exit 1 where it is not."""
    loaded = settings.load(config)
    changes, found, _ = _planned(loaded, _asked(told))
    _show(changes, found, as_json=as_json)
    if changes or _hopeless(found):
        sys.exit(1)


@provision.command("apply")
@config_option
@_sign_in
@_wish_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply(config: Path | None, *, yes: bool, **told: Any) -> None:
    """Do the least that sets the router up. Safe to repeat, and to run again after a cut."""
    loaded, asked = settings.load(config), _asked(told)
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
@_sign_in
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(config: Path | None, *, admin: str | None, yes: bool) -> None:
    """Take back everything that apply made, and put back what it changed."""
    loaded = settings.load(config)
    asked, box = _asked({"admin": admin}), _box(loaded, None)
    seen = once(_seen(loaded, asked, box))
    changes = to_be_undone(seen.tables)
    if not changes:
        click.echo("Nothing to do: nothing of ours is on the router.")
        return
    _show(changes, [], as_json=False)
    for name in in_use(seen.tables):
        click.echo(f"  kept: the profile {name}, for vouchers on the router have it")
    if not yes:
        click.confirm("Remove?", abort=True)

    async def work() -> int:
        async with _door(loaded, asked, box) as door:
            return await visit.undo(door, await visit.look(door), _tell)

    once(work())
    click.echo("Done: the router is as it was.")


@provision.command("render")
@config_option
@_wish_options
@click.option("--profile", metavar="NAME", help="The profile of the hotspot that is there.")
@click.option("--output", type=FILE, help="Write it here, for nobody else to read.")
def render(config: Path | None, *, profile: str | None, output: Path | None, **told: Any) -> None:
    """Write the set-up as a script for RouterOS 6.49 and 7, without looking at the router."""
    loaded = settings.load(config)
    wish = _wish(loaded, _asked(told), once(_plans(loaded)), profile)
    text = rsc.rendered(wish)
    if output is None:
        click.echo(text, nl=False)
        return
    output.touch(mode=0o600)
    output.write_text(text, encoding="ascii")
    click.echo(str(output))


def _asked(told: dict[str, Any]) -> Asked:
    given = {
        "admin": None,
        "password": "",
        "interface": None,
        "server": None,
        "box": None,
        "box_mac": None,
        "allow_host": (),
        "ntp": "pool.ntp.org",
        "ssh": False,
        "option_114": False,
        "keep_services_open": False,
        **told,
    }
    if given["admin"] is not None:
        given["password"] = os.environ.get(_PASSWORD) or click.prompt(
            f"Password of {given['admin']}", hide_input=True
        )
    return Asked(**given)


def _wish(
    loaded: settings.Settings, asked: Asked, plans: tuple[Plan, ...], profile: str | None = None
) -> Wish:
    try:
        return Wish(
            portal_url=loaded.portal.public_url,
            pages=render_pages(loaded.portal.public_url),
            box=_box(loaded, asked.box),
            username=loaded.router.username,
            password=loaded.router.password.get_secret_value(),
            plans=plans,
            interface=asked.interface,
            server=asked.server,
            profile=profile,
            box_mac=asked.box_mac,
            hosts=asked.allow_host,
            ntp=asked.ntp,
            ssh=asked.ssh,
            option_114=asked.option_114,
            limit_services=not asked.keep_services_open,
        )
    except WrongWish as error:
        raise click.UsageError(str(error)) from None


def _box(loaded: settings.Settings, told: str | None) -> str:
    """Return this box's address towards the router; nothing is sent to find it out."""
    if told is not None:
        return told
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((loaded.router.host, _DNS))
        except OSError:
            host = urlsplit(loaded.portal.public_url).hostname or ""
            if is_address(host):
                return host
            raise click.UsageError("give the address of this box with --box") from None
        address: str = probe.getsockname()[0]
        return address


async def _plans(loaded: settings.Settings) -> tuple[Plan, ...]:
    async with app.open_store(loaded) as store:
        return tuple(await books(store).plans.page("active", value=True, limit=_MOST_PLANS))


@asynccontextmanager
async def _door(loaded: settings.Settings, asked: Asked, box: str) -> AsyncIterator[ApiDoor]:
    async def knock() -> None:
        async with app.open_router(loaded, asked.admin, asked.password) as once_more:
            await once_more.command("/system/identity/print")

    async with app.open_router(loaded, asked.admin, asked.password) as pool, lending(box) as lender:
        door = ApiDoor(pool, knock, lender, FOLDER)
        await door.signed_in()
        yield door


def _planned(loaded: settings.Settings, asked: Asked) -> tuple[list[Change], list[Trouble], Wish]:
    """Look at the router, and return what is to be done and what is in the way."""
    wish = _wish(loaded, asked, once(_plans(loaded)))
    username = asked.admin or loaded.router.username
    try:
        seen = once(_seen(loaded, asked, wish.box))
    except WrongAccount as error:
        return [], [Trouble(Level.FAIL, f"the router does not let {username} in", str(error))], wish
    found = troubles(wish, seen, username, app.SystemClock().now())
    try:
        changes = visit.planned(wish, seen)
    except WrongWish as error:
        if not _hopeless(found):
            found.append(Trouble(Level.FAIL, "that cannot be done as things stand", str(error)))
        return [], found, wish
    return changes, [*found, *lacking(changes, seen, username)], wish


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
    async with app.open_router(loaded) as pool:
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
