"""The operator's commands: parse, call, print. Exit codes: 0 done, 1 failed, 2 usage."""

import platform
import sys
from importlib.metadata import version
from pathlib import Path

import click

from appliance import app, log, settings
from appliance.cli.c2b import c2b
from appliance.cli.db import db
from appliance.cli.lists import initiations, webhooks
from appliance.cli.payments import payments
from appliance.cli.provision import provision
from appliance.cli.running import config_option, until_stopped
from appliance.cli.sandbox import sandbox
from appliance.cli.tokens import tokens
from appliance.cli.vouchers import vouchers
from appliance.domain.errors import ApplianceError
from appliance.store.seed import WrongSeed

_VERSION = f"{version('hotspot-appliance')} (Python {platform.python_version()})"


@click.group()
@click.version_option(_VERSION, message="appliance %(version)s")
def cli() -> None:
    """Sell hotspot time through M-Pesa beside a MikroTik router."""


@cli.command()
@config_option
def run(config: Path | None) -> None:
    """Run the daemon."""
    loaded = settings.load(config)
    log.set_up(loaded.appliance.log_level)
    until_stopped(app.run(loaded, on_ready=lambda: click.echo("ready")))


for group in (c2b, db, initiations, payments, provision, sandbox, tokens, vouchers, webhooks):
    cli.add_command(group)


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
