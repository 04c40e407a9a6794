"""How vouchers are shown to an operator, one or many."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from appliance.domain.vouchers import Voucher

_COLUMNS = ("code", "createdAt", "state", "plan", "secondsLeft", "expiresAt")


def print_one(voucher: Voucher, *, as_json: bool) -> None:
    """Print everything about one."""
    values = shown(voucher)
    if as_json:
        click.echo(json.dumps(values))
        return
    for name, value in values.items():
        click.echo(f"{name:12} {_cell(value)}")


def print_all(found: Sequence[Voucher], *, as_json: bool) -> None:
    """Print a line for each."""
    if as_json:
        click.echo(json.dumps([shown(voucher) for voucher in found]))
        return
    for voucher in found:
        values = shown(voucher)
        click.echo("  ".join(_cell(values[name]) for name in _COLUMNS))


def shown(voucher: Voucher) -> dict[str, Any]:
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
        "batch": voucher.batch.id if voucher.batch else None,
        "owes": owes,
    }


def _cell(value: object) -> str:
    return "-" if value is None else str(value)
