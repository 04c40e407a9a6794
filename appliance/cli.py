"""The operator's commands: parse, call, print. Exit codes: 0 done, 1 failed, 2 usage."""

import asyncio
import json
import platform
import signal
import sys
import tempfile
from collections.abc import Coroutine
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from appliance import app, log, settings
from appliance.domain.errors import ApplianceError
from appliance.sandbox import config as sandbox_config
from appliance.sandbox.addresses import HOST, Ports
from appliance.sandbox.daraja.server import DarajaOptions, pretend_daraja
from appliance.sandbox.neighbours import neighbours
from appliance.sandbox.routeros.server import RouterOptions, pretend_router
from appliance.store.schema import COLLECTIONS
from appliance.store.seed import WrongSeed, seed
from provisioning.pages import render_pages

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_config = click.option("--config", type=_FILE, help="Settings file.")
_offset = click.option("--offset", default=0, show_default=True, help="Added to every port.")
_autopay = click.option(
    "--autopay", type=float, metavar="SECONDS", help="Pay every prompt by itself after a while."
)

_VERSION = f"{version('hotspot-appliance')} (Python {platform.python_version()})"


@click.group()
@click.version_option(_VERSION, message="appliance %(version)s")
def cli() -> None:
    """Sell hotspot time through M-Pesa beside a MikroTik router."""


@cli.command()
@_config
def run(config: Path | None) -> None:
    """Run the daemon."""
    loaded = settings.load(config)
    log.set_up(loaded.appliance.log_level)
    _until_stopped(_serve(loaded))


@cli.group()
def db() -> None:
    """Look after the database."""


@db.command("init")
@_config
def db_init(config: Path | None) -> None:
    """Make every collection and index; running it twice changes nothing."""

    async def work() -> None:
        async with app.open_store(settings.load(config)) as store:
            await store.ping()

    _once(work())
    click.echo(f"ready: {', '.join(COLLECTIONS)}")


@db.command("seed")
@click.argument("file", type=_FILE)
@_config
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def db_seed(file: Path, config: Path | None, *, as_json: bool) -> None:
    """Put users, routers, paybills and plans from a TOML FILE; safe to repeat."""
    counts = _once(_seed(settings.load(config), file))
    words = ", ".join(f"{count} {name}" for name, count in counts.items())
    click.echo(json.dumps(counts) if as_json else words)


@cli.group(invoke_without_command=True)
@click.pass_context
@_offset
@_autopay
@click.option("--data-dir", type=_FOLDER, help="Keep the data here; else it is forgotten.")
@click.option("--router-latency", default=0.0, metavar="MS", help="Slow the router down.")
@click.option("--mongodb", metavar="URI", help="Keep the data in this MongoDB.")
def sandbox(
    context: click.Context,
    offset: int,
    autopay: float | None,
    data_dir: Path | None,
    router_latency: float,
    mongodb: str | None,
) -> None:
    """Everything on one machine, with a pretend Safaricom, phone and router."""
    if context.invoked_subcommand is not None:
        return
    ports = Ports.at(offset)
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="hotspot-sandbox-")
        folder = data_dir or Path(stack.enter_context(temporary))
        log.set_up("info")
        _until_stopped(_sandbox(ports, folder, autopay, router_latency / 1000, mongodb))


@sandbox.command("daraja")
@click.option("--port", default=8090, show_default=True)
@_autopay
def sandbox_daraja(port: int, autopay: float | None) -> None:
    """Run the pretend Safaricom and its phone, alone."""

    async def work() -> None:
        async with pretend_daraja(DarajaOptions(port=port, autopay=autopay)) as daraja:
            click.echo(f"phone http://{HOST}:{daraja.port}/phone")
            await _ready()

    _until_stopped(work())


@sandbox.command("routeros")
@click.option("--api-port", default=8728, show_default=True)
@click.option("--web-port", default=8091, show_default=True)
@click.option("--portal-url", default="http://127.0.0.1:8080", show_default=True)
def sandbox_routeros(api_port: int, web_port: int, portal_url: str) -> None:
    """Run the pretend router, alone."""

    async def work() -> None:
        pages = render_pages(portal_url)
        options = RouterOptions(api_port=api_port, web_port=web_port, pages=pages)
        async with pretend_router(options) as router:
            click.echo(f"hotspot http://{HOST}:{router.web_port}/")
            await _ready()

    _until_stopped(work())


@sandbox.command("neighbours")
@_offset
@_autopay
def sandbox_neighbours(offset: int, autopay: float | None) -> None:
    """Safaricom, phone and router without the appliance."""

    async def work() -> None:
        ports = Ports.at(offset)
        async with neighbours(ports, render_pages(_portal_url(ports)), autopay=autopay):
            await _ready()

    _until_stopped(work())


@sandbox.command("config")
@click.option("--data-dir", type=_FOLDER, required=True)
@_offset
@click.option("--mongodb", metavar="URI", help="Keep the data in this MongoDB.")
def sandbox_write_config(data_dir: Path, offset: int, mongodb: str | None) -> None:
    """Write appliance.toml and seed.toml for the pretend neighbours."""
    for file in sandbox_config.write(data_dir, Ports.at(offset), mongodb):
        click.echo(str(file))


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


async def _serve(loaded: settings.Settings) -> None:
    await app.run(loaded, on_ready=lambda: click.echo("ready"))


async def _sandbox(
    ports: Ports, folder: Path, autopay: float | None, latency: float, mongodb: str | None
) -> None:
    file, seeds = sandbox_config.write(folder, ports, mongodb)
    loaded = settings.load(file, environ={})
    await _seed(loaded, seeds)
    pages = render_pages(_portal_url(ports))
    async with neighbours(ports, pages, autopay=autopay, router_latency=latency):
        click.echo(f"You are a phone on the hotspot   http://{HOST}:{ports.router_web}/")
        click.echo(f"Your M-Pesa                      http://{HOST}:{ports.daraja}/phone")
        click.echo(f"The portal itself                {_portal_url(ports)}/")
        click.echo(f"What can go wrong (PUT JSON)     http://{HOST}:{ports.daraja}/faults")
        click.echo(f"                                 http://{HOST}:{ports.router_web}/faults")
        await _serve(loaded)


async def _seed(loaded: settings.Settings, file: Path) -> dict[str, int]:
    async with app.open_store(loaded) as store:
        return await seed(store, file)


async def _ready() -> None:
    click.echo("ready")
    await asyncio.Event().wait()


def _portal_url(ports: Ports) -> str:
    return f"http://{HOST}:{ports.portal}"


def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until SIGTERM or Ctrl-C; both let what is under way finish."""

    async def guarded() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            return

    try:
        asyncio.run(guarded())
    except OSError as error:
        click.echo(f"cannot start: {error}", err=True)
        sys.exit(1)


def _once(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)
