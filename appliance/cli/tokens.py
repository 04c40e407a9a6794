"""`appliance tokens`: M-Pesa's access tokens, never shown."""

import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import click

from appliance import app, settings
from appliance.cli.running import config_option, json_option, once, operator
from appliance.mpesa.refresh import TokenReport


@click.group()
def tokens() -> None:
    """Look after M-Pesa's access tokens."""


@tokens.command("refresh")
@config_option
@click.option("--force", is_flag=True, help="Renew also what is good for longer.")
@json_option
def refresh(config: Path | None, *, force: bool, as_json: bool) -> None:
    """Renew what has under ten minutes left, of every active paybill."""
    loaded = settings.load(config)

    async def work() -> list[TokenReport]:
        async with AsyncExitStack() as stack:
            if force:
                flows = await stack.enter_async_context(app.open_flows(loaded))
                deed = flows.audit.deed(operator(), "refresh tokens", force=True)
                await stack.enter_async_context(deed)
            mpesa = await stack.enter_async_context(app.open_mpesa(loaded))
            return await mpesa.refresh_access_tokens(force=force)

    reports = once(work())
    success = all(report.error is None for report in reports)
    if as_json:
        paybills = [report.shown() for report in reports]
        click.echo(json.dumps({"success": success, "paybills": paybills}))
    else:
        for report in reports:
            click.echo(f"{_line(report)}  {report.error or report.outcome}")
    if not success:
        sys.exit(1)


@tokens.command("status")
@config_option
@json_option
def status(config: Path | None, *, as_json: bool) -> None:
    """Say how every active paybill's token stands."""
    loaded = settings.load(config)

    async def work() -> list[TokenReport]:
        async with app.open_mpesa(loaded) as mpesa:
            return await mpesa.token_status()

    reports = once(work())
    if as_json:
        click.echo(json.dumps({"paybills": [report.shown() for report in reports]}))
        return
    for report in reports:
        click.echo(f"{_line(report)}  {'good' if report.valid else 'to be renewed'}")


def _line(report: TokenReport) -> str:
    shown = report.shown()
    until, last = shown["tokenExpiresAt"] or "never", shown["lastTokenRefresh"] or "never"
    who = f"{report.number:10} {report.type:8} {report.environment:10}"
    return f"{who}  until {until}  refreshed {last}"
