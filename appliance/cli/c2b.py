"""`appliance c2b`: payments that Safaricom tells us of."""

import sys
from pathlib import Path

import click

from appliance import app, settings
from appliance.app.c2b import register as registered
from appliance.cli.running import config_option, once, operator
from appliance.domain.errors import Invalid


@click.group()
def c2b() -> None:
    """Hear of payments made at the M-Pesa menu."""


@c2b.command("register")
@config_option
@click.option("--paybill", help="This number; else the one this box sells through.")
def register(config: Path | None, paybill: str | None) -> None:
    """Tell Safaricom where to send confirmations and validations; in production it works once."""
    loaded = settings.load(config)

    async def work() -> str:
        async with app.open_flows(loaded) as flows, app.open_mpesa(loaded) as mpesa:
            number = paybill or await flows.cashier.paybill_number()
            async with flows.audit.deed(operator(), "register c2b", number):
                await registered(loaded, mpesa, flows.enrol, number)
            return number

    try:
        number = once(work())
    except Invalid as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    click.echo(f"registered {number} at {loaded.webhooks.public_url} ({loaded.daraja.c2b_version})")
