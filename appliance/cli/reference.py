"""`appliance settings`: what can be set."""

import json
from dataclasses import asdict

import click

from appliance.cli.running import json_option
from appliance.settings import reference


@click.command()
@json_option
def settings(*, as_json: bool) -> None:
    """Print every setting: its type, default, environment variable and meaning."""
    if not as_json:
        click.echo(reference.markdown(), nl=False)
        return
    found = [one for section in reference.sections() for one in section.settings]
    click.echo(json.dumps([asdict(one) | {"variable": one.variable} for one in found], indent=2))
