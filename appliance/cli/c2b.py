"""`appliance c2b`: payments that Safaricom tells us of."""

import sys
from pathlib import Path

import click

from appliance import app, settings
from appliance.cli.running import config_option, once, operator
from appliance.domain.errors import OutcomeUnknown

_TAKEN = "500.003.1001"


@click.group()
def c2b() -> None:
    """Hear of payments made at the M-Pesa menu."""


@c2b.command("register")
@config_option
@click.option("--paybill", help="This number; else the one this box sells through.")
def register(config: Path | None, paybill: str | None) -> None:
    """Tell Safaricom where to send confirmations and validations; in production it works once."""
    loaded = settings.load(config)
    secret = loaded.webhooks.path_secret.get_secret_value()
    hooks = f"{loaded.webhooks.public_url}/hooks/{secret}/c2b"

    async def work() -> str:
        async with app.open_flows(loaded) as flows, app.open_mpesa(loaded) as mpesa:
            number = paybill or await flows.cashier.paybill_number()
            confirmation, validation = f"{hooks}/confirmation", f"{hooks}/validation"
            async with flows.audit.deed(operator(), "register c2b", number):
                await mpesa.register_c2b_urls(
                    number, confirmation, validation, loaded.daraja.c2b_version
                )
            return number

    try:
        number = once(work())
    except OutcomeUnknown as error:
        if _TAKEN not in str(error):
            raise
        click.echo(
            "Safaricom has URLs for this account already. Delete them in its portal under Self "
            "Services, URL Management, and register again; or ask apisupport@safaricom.co.ke.",
            err=True,
        )
        sys.exit(1)
    click.echo(f"registered {number} at {loaded.webhooks.public_url} ({loaded.daraja.c2b_version})")
