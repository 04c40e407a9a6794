"""The operator's commands: parse, call, print. Exit codes: 0 done, 1 failed, 2 usage."""

import os
import platform
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import click

from appliance import app, log, settings
from appliance.cli.running import config_option, until_stopped
from appliance.domain.errors import ApplianceError
from appliance.store.seed import WrongSeed

_VERSION = f"{version('hotspot-appliance')} (Python {platform.python_version()})"
_GROUPS = {
    "audit": "audit",
    "backup": "backup",
    "c2b": "c2b",
    "db": "db",
    "debts": "debts",
    "doctor": "doctor",
    "initiations": "lists",
    "passwd": "passwd",
    "payments": "payments",
    "provision": "provision",
    "ready": "ready",
    "restore": "backup",
    "sandbox": "sandbox",
    "settings": "reference",
    "setup": "setup",
    "tokens": "tokens",
    "tunnel": "tunnel",
    "vouchers": "vouchers",
    "webhooks": "lists",
}
"""The name of each group, or of a command alone, and the module here that has it."""


class Commands(click.Group):
    """Imports a group when it is asked for: the daemon need not carry the sandbox in memory."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every command's name."""
        return sorted([*super().list_commands(ctx), *_GROUPS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of this name."""
        if cmd_name not in _GROUPS:
            return super().get_command(ctx, cmd_name)
        module = import_module(f"appliance.cli.{_GROUPS[cmd_name]}")
        found: click.Command = getattr(module, cmd_name)
        return found


@click.group(cls=Commands)
@click.version_option(_VERSION, message="appliance %(version)s")
def cli() -> None:
    """Sell hotspot time through M-Pesa beside a MikroTik router."""


@cli.command()
@config_option
def run(config: Path | None) -> None:
    """Run the daemon."""
    loaded = settings.load(config)
    log.set_up(loaded.appliance.log_level, loaded.secrets())
    os.umask(0o077)
    until_stopped(app.run(loaded, on_ready=lambda: click.echo("ready"), config=config))


def main() -> None:
    """Run the command; what an operator can mend is said in words, without a traceback."""
    try:
        cli(prog_name="appliance")
    except settings.WrongSettings as error:
        click.echo(f"The settings cannot be used:\n{error}", err=True)
        sys.exit(1)
    except WrongSeed as error:
        click.echo(f"The file cannot be used: {error}", err=True)
        sys.exit(1)
    except ApplianceError as error:
        click.echo(f"{error.code}: {error}", err=True)
        sys.exit(1)
    except PermissionError as error:
        click.echo(f"try sudo: {error}", err=True)
        sys.exit(1)
