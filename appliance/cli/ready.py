"""`appliance ready`: is the daemon of these settings ready; for scripts that started it."""

import asyncio
import sys
from pathlib import Path

import click
import httpx

from appliance import settings
from appliance.cli.running import config_option, once
from appliance.web.knocking import knocking_at

_EVERY_SECONDS = 0.5


@click.command()
@config_option
@click.option("--wait", default=0.0, metavar="SECONDS", help="How long it may take.")
def ready(config: Path | None, wait: float) -> None:
    """Say whether the daemon is ready; exit 1 where it is not, with the reasons."""
    loaded = settings.load(config)
    found = once(_becomes_ready(loaded.admin.listen, wait))
    click.echo(found or "ready", err=bool(found))
    sys.exit(1 if found else 0)


async def _becomes_ready(listen: str, wait: float) -> str:
    """Return why it is not ready, and nothing where it is."""
    deadline = asyncio.get_running_loop().time() + wait
    while why := await _look(listen):
        if asyncio.get_running_loop().time() >= deadline:
            return why
        await asyncio.sleep(_EVERY_SECONDS)
    return ""


async def _look(listen: str) -> str:
    async with knocking_at(listen) as http:
        try:
            answer = await http.get("/readyz")
        except httpx.HTTPError as error:
            return f"not ready: no answer ({type(error).__name__})"
    return "" if answer.status_code == httpx.codes.OK else f"not ready: {answer.text}"
