"""`appliance vouchers`: what was sold, how much of it is left, and an operator's word about it."""

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from appliance import app, settings
from appliance.cli.running import config_option, json_option, once, operator
from appliance.domain import ids
from appliance.domain.vouchers import State, Voucher
from appliance.flows.amend import Amend
from appliance.store.records import books

_COLUMNS = ("code", "createdAt", "state", "plan", "secondsLeft", "expiresAt")


@click.group()
def vouchers() -> None:
    """Look at vouchers, take them away or make them last longer."""


@vouchers.command("list")
@config_option
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_vouchers(config: Path | None, state: str | None, limit: int, *, as_json: bool) -> None:
    """List vouchers, the newest first."""
    loaded = settings.load(config)
    states = [state] if state else [str(one) for one in State]

    async def work() -> list[Voucher]:
        async with app.open_store(loaded) as store:
            kept = books(store).vouchers
            return [found for one in states for found in await kept.page("status", one, limit)]

    found = sorted(once(work()), key=lambda voucher: voucher.created_at, reverse=True)[:limit]
    if as_json:
        click.echo(json.dumps([_shown(voucher) for voucher in found]))
        return
    for voucher in found:
        shown = _shown(voucher)
        click.echo("  ".join(_cell(shown[name]) for name in _COLUMNS))


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
    _print(voucher, as_json=as_json)


@vouchers.command("revoke")
@click.argument("code")
@config_option
@json_option
def revoke(code: str, config: Path | None, *, as_json: bool) -> None:
    """Take a voucher away; the running daemon cuts its devices off at once."""
    _print(
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
    _print(changed, as_json=as_json)


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


def _print(voucher: Voucher, *, as_json: bool) -> None:
    shown = _shown(voucher)
    if as_json:
        click.echo(json.dumps(shown))
        return
    for name, value in shown.items():
        click.echo(f"{name:12} {_cell(value)}")


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def _shown(voucher: Voucher) -> dict[str, Any]:
    """Return what an operator needs; a buyer's number is with the payment, and stays there."""
    owed = voucher.owed
    owes = f"{owed.kind} {owed.at.isoformat()} {owed.last_error or ''}".strip() if owed else None
    return {
        "code": voucher.code,
        "createdAt": voucher.created_at.isoformat(),
        "state": str(voucher.state),
        "plan": voucher.plan.id,
        "secondsLeft": voucher.seconds_left(datetime.now(UTC)),
        "expiresAt": voucher.expires_at.isoformat() if voucher.expires_at else None,
        "usedSeconds": voucher.used_seconds,
        "usedBytes": voucher.used_bytes,
        "devices": voucher.plan.devices,
        "mac": voucher.device.mac if voucher.device else None,
        "router": voucher.router_id,
        "paymentId": voucher.payment_id,
        "owes": owes,
    }
