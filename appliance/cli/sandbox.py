"""`appliance sandbox`: everything on one machine, or one pretend neighbour alone."""

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from appliance import app, log, settings
from appliance.cli.db import seeded
from appliance.cli.running import FOLDER, until_stopped
from appliance.sandbox import config as sandbox_config
from appliance.sandbox.addresses import HOST, Ports
from appliance.sandbox.daraja.server import DarajaOptions, pretend_daraja
from appliance.sandbox.neighbours import neighbours
from appliance.sandbox.routeros import versions
from appliance.sandbox.routeros.server import RouterOptions, pretend_router
from provisioning.pages import render_pages

_offset = click.option("--offset", default=0, show_default=True, help="Added to every port.")
_autopay = click.option(
    "--autopay", type=float, metavar="SECONDS", help="Pay every prompt by itself after a while."
)


@click.group(invoke_without_command=True)
@click.pass_context
@_offset
@_autopay
@click.option("--data-dir", type=FOLDER, help="Keep the data here; else it is forgotten.")
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
        until_stopped(_everything(ports, folder, autopay, router_latency / 1000, mongodb))


@sandbox.command("daraja")
@click.option("--port", default=8090, show_default=True)
@_autopay
def daraja_alone(port: int, autopay: float | None) -> None:
    """Run the pretend Safaricom and its phone, alone."""

    async def work() -> None:
        async with pretend_daraja(DarajaOptions(port=port, autopay=autopay)) as daraja:
            click.echo(f"phone http://{HOST}:{daraja.port}/phone")
            await _ready()

    until_stopped(work())


@sandbox.command("routeros")
@click.option("--api-port", default=8728, show_default=True)
@click.option("--api-ssl-port", type=int, help="Speak TLS here.")
@click.option("--api-ssl", type=click.Choice(["anonymous", "certificate"]), default="anonymous")
@click.option("--ssh-port", default=8722, show_default=True)
@click.option("--web-port", default=8091, show_default=True)
@click.option("--portal-url", default="http://127.0.0.1:8080", show_default=True)
@click.option("--data-dir", type=FOLDER, help="Keep the router's keys here.")
@click.option(
    "--routeros",
    "version",
    type=click.Choice(versions.NAMES),
    default=versions.NEWEST,
    show_default=True,
    help="The version to be.",
)
def router_alone(portal_url: str, data_dir: Path | None, api_ssl: str, **told: Any) -> None:
    """Run the pretend router, alone."""

    async def work() -> None:
        options = RouterOptions(pages=render_pages(portal_url), keys_dir=data_dir, **told)
        async with pretend_router(options) as router:
            click.echo(f"hotspot http://{HOST}:{router.web_port}/")
            click.echo(f"ssh {HOST}:{router.ssh_port} {router.ssh_fingerprint}")
            if api_ssl == "certificate":
                click.echo(f"api-ssl SHA256 {await asyncio.to_thread(router.certify)}")
            await _ready()

    until_stopped(work())


@sandbox.command("neighbours")
@_offset
@_autopay
def neighbours_alone(offset: int, autopay: float | None) -> None:
    """Safaricom, phone and router without the appliance."""

    async def work() -> None:
        ports = Ports.at(offset)
        async with neighbours(ports, render_pages(_portal_url(ports)), autopay=autopay):
            await _ready()

    until_stopped(work())


@sandbox.command("config")
@click.option("--data-dir", type=FOLDER, required=True)
@_offset
@click.option("--mongodb", metavar="URI", help="Keep the data in this MongoDB.")
def write_config(data_dir: Path, offset: int, mongodb: str | None) -> None:
    """Write appliance.toml and seed.toml for the pretend neighbours."""
    for file in sandbox_config.write(data_dir, Ports.at(offset), mongodb):
        click.echo(str(file))


async def _everything(
    ports: Ports, folder: Path, autopay: float | None, latency: float, mongodb: str | None
) -> None:
    file, seeds = sandbox_config.write(folder, ports, mongodb)
    loaded = settings.load(file, environ={})
    await seeded(loaded, seeds)
    pages = render_pages(_portal_url(ports))
    async with neighbours(ports, pages, autopay=autopay, router_latency=latency):
        click.echo(f"You are a phone on the hotspot   http://{HOST}:{ports.router_web}/")
        click.echo(f"Your M-Pesa                      http://{HOST}:{ports.daraja}/phone")
        click.echo(f"The portal itself                {_portal_url(ports)}/")
        click.echo(f"You are the owner                http://{HOST}:{ports.admin}/")
        click.echo(f"  with the password              {sandbox_config.PASSWORD}")
        click.echo(f"What can go wrong (PUT JSON)     http://{HOST}:{ports.daraja}/faults")
        click.echo(f"                                 http://{HOST}:{ports.daraja}/sms/faults")
        click.echo(f"                                 http://{HOST}:{ports.router_web}/faults")
        await app.run(loaded, on_ready=lambda: click.echo("ready"))


async def _ready() -> None:
    click.echo("ready")
    await asyncio.Event().wait()


def _portal_url(ports: Ports) -> str:
    return f"http://{HOST}:{ports.portal}"
