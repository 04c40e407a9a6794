"""`appliance vouchers`: what was sold, how much of it is left, and an operator's word about it."""

import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import click

from appliance import app, settings
from appliance.cli.batches import batches, create, found_batch, print_batch, withdraw
from appliance.cli.running import config_option, json_option, once, operator
from appliance.cli.voucher_lines import print_all, print_one
from appliance.domain import ids
from appliance.domain.vouchers import State, Voucher
from appliance.flows.amend import Amend
from appliance.store.records import books


@click.group()
def vouchers() -> None:
    """Look at vouchers, take them away or make them last longer."""


vouchers.add_command(create)
vouchers.add_command(batches)
vouchers.add_command(withdraw)
vouchers.add_command(print_batch)


@vouchers.command("list")
@config_option
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--batch", help="Only those of this batch, in its order.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_vouchers(
    config: Path | None, state: str | None, batch: str | None, limit: int, *, as_json: bool
) -> None:
    """List vouchers, the newest first; of a batch all of them."""
    loaded = settings.load(config)
    if batch is not None:
        found = found_batch(loaded, batch)
        print_all([one for one in found if state in {None, str(one.state)}], as_json=as_json)
        return
    states = [state] if state else [str(one) for one in State]

    async def work() -> list[Voucher]:
        async with app.open_store(loaded) as store:
            kept = books(store).vouchers
            return [found for one in states for found in await kept.page("status", one, limit)]

    newest = sorted(once(work()), key=lambda voucher: voucher.created_at, reverse=True)
    print_all(newest[:limit], as_json=as_json)


@vouchers.command("show")
@click.argument("code")
@config_option
@json_option
def show(code: str, config: Path | None, *, as_json: bool) -> None:
    """Show one voucher."""
    loaded = settings.load(config)

    async def work() -> Voucher | None:
        async with app.open_store(loaded) as store:
            return await books(store).vouchers.find("code", ids.typed_voucher_code(code))

    voucher = once(work())
    if voucher is None:
        click.echo(f"there is no voucher {code}", err=True)
        sys.exit(1)
    print_one(voucher, as_json=as_json)


@vouchers.command("revoke")
@click.argument("code")
@config_option
@json_option
def revoke(code: str, config: Path | None, *, as_json: bool) -> None:
    """Take a voucher away; the running daemon cuts its devices off at once."""
    print_one(
        _amended(config, "revoke voucher", code, lambda amend: amend.revoke(code)), as_json=as_json
    )


@vouchers.command("extend")
@click.argument("code")
@config_option
@click.option("--hours", type=click.FloatRange(0, 8_784), default=0, help="Time to add.")
@click.option("--megabytes", type=click.IntRange(0, 10_000_000), default=0, help="Data to add.")
@json_option
def extend(code: str, config: Path | None, hours: float, megabytes: int, *, as_json: bool) -> None:
    """Make a voucher last longer; time that runs ends so much later."""
    time = timedelta(seconds=round(hours * 3600))
    if not time and not megabytes:
        raise click.UsageError("say how much to add: --hours or --megabytes")
    changed = _amended(
        config,
        "extend voucher",
        code,
        lambda amend: amend.extend(code, time, megabytes * 1_000_000),
        seconds=int(time.total_seconds()),
        megabytes=megabytes,
    )
    print_one(changed, as_json=as_json)


def _amended(
    config: Path | None,
    did: str,
    code: str,
    change: Callable[[Amend], Awaitable[Voucher]],
    **detail: int,
) -> Voucher:
    loaded, subject = settings.load(config), ids.typed_voucher_code(code)

    async def work() -> Voucher:
        async with (
            app.open_flows(loaded) as flows,
            flows.audit.deed(operator(), did, subject, **detail),
        ):
            return await change(flows.amend)

    return once(work())
