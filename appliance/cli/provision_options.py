"""What `appliance provision` is asked: the options of its commands, and the wish they make."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from appliance import settings
from appliance.domain.plans import Plan
from provisioning.pages import render_pages
from provisioning.wish import Wish, WrongWish, is_address

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


def sign_in(command: F) -> F:
    """Let a command be run as an administrator of the router."""
    return click.option(
        "--admin",
        metavar="NAME",
        help="Sign in as this administrator; the password is asked for, "
        f"or taken from {_PASSWORD}.",
    )(command)


def wish_options(command: F) -> F:
    """Let a command be told what is wanted."""
    for option in (
        click.option("--interface", metavar="NAME", help="Make a hotspot here."),
        click.option("--server", metavar="NAME", help="Which hotspot, where there are several."),
        click.option("--box", metavar="IP", help="This box, as the router sees it."),
        click.option("--box-mac", metavar="MAC", help="Let the box itself through the hotspot."),
        click.option("--allow-host", multiple=True, metavar="NAME", help="Free before paying."),
        click.option("--ntp", default="pool.ntp.org", show_default=True, help="A time server."),
        click.option(
            "--ssh",
            is_flag=True,
            help="The box may come by SSH too; so it is where `ssh_fingerprint` is set.",
        ),
        click.option("--option-114", is_flag=True, help="Tell phones of the portal by DHCP."),
        click.option("--keep-services-open", is_flag=True, help="Do not limit the API to the box."),
    ):
        command = option(command)
    return command


def asked_for(told: dict[str, Any]) -> Asked:
    """Return what was asked; an administrator's password is asked for where it is not given."""
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


def wish_of(
    loaded: settings.Settings, asked: Asked, plans: tuple[Plan, ...], profile: str | None = None
) -> Wish:
    """Return the wish that settings, plans and options make; raise a usage error."""
    try:
        return Wish(
            portal_url=loaded.portal.public_url,
            pages=render_pages(loaded.portal.public_url),
            box=box_address(loaded, asked.box),
            username=loaded.router.username,
            password=loaded.router.password.get_secret_value(),
            plans=plans,
            interface=asked.interface,
            server=asked.server,
            profile=profile,
            box_mac=asked.box_mac,
            hosts=asked.allow_host,
            ntp=asked.ntp,
            ssh=asked.ssh or loaded.router.ssh_fingerprint is not None,
            option_114=asked.option_114,
            limit_services=not asked.keep_services_open,
        )
    except WrongWish as error:
        raise click.UsageError(str(error)) from None


def box_address(loaded: settings.Settings, told: str | None) -> str:
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
