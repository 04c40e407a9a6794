"""What `appliance provision` is asked: the options of its commands, and what they say."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from appliance.app.provision import Asked
from provisioning.wish import WrongWish

_PASSWORD = "APPLIANCE_ADMIN_PASSWORD"  # noqa: S105  # the variable's name
F = TypeVar("F", bound=Callable[..., Any])


def sign_in(command: F) -> F:
    """Let a command be run as an administrator of the router."""
    return click.option(
        "--admin",
        metavar="NAME",
        help="Sign in as this administrator; the password is asked for, "
        f"or taken from {_PASSWORD}.",
    )(command)


def wish_options(command: F) -> F:
    """Let a command be told what is wanted, beyond the settings."""
    for option in (
        click.option("--interface", metavar="NAME", help="Make a hotspot here."),
        click.option("--server", metavar="NAME", help="Which hotspot, if not hotspot.server."),
    ):
        command = option(command)
    return command


def asked_for(told: dict[str, Any]) -> Asked:
    """Return what was asked; an administrator's password is asked for where it is not given."""
    if told.get("admin") is None:
        return Asked(**told)
    password = os.environ.get(_PASSWORD) or click.prompt(
        f"Password of {told['admin']}", hide_input=True
    )
    return Asked(**told, password=password)


@contextmanager
def in_usage() -> Iterator[None]:
    """Turn a wish that cannot be meant into a usage error."""
    try:
        yield
    except WrongWish as error:
        raise click.UsageError(str(error)) from None
