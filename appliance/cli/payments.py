"""`appliance payments`: the money, and what a person must decide about it."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from appliance import app, settings
from appliance.cli.privacy import without_phones
from appliance.cli.running import FILE, config_option, json_option, once, operator
from appliance.domain.payments import Payment, State
from appliance.flows.reconcile import FURTHEST, Held
from appliance.mpesa import statement
from appliance.store.records import books

_HOURS = int(FURTHEST.total_seconds() // 3600)


@click.group()
def payments() -> None:
    """Look at the money, and decide what nobody else could."""


@payments.command("list")
@config_option
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@json_option
def list_payments(config: Path | None, state: str | None, limit: int, *, as_json: bool) -> None:
    """List payments, the newest first; `--state unmatched` is what waits for a person."""
    loaded = settings.load(config)

    async def work() -> list[Payment]:
        async with app.open_store(loaded) as store:
            return (
                await books(store).payments.page("status", state, limit)
                if state
                else [
                    payment
                    for one in State
                    for payment in await books(store).payments.page("status", one.value, limit)
                ]
            )

    found = sorted(once(work()), key=lambda payment: payment.created_at, reverse=True)[:limit]
    if as_json:
        click.echo(json.dumps([_shown(payment) for payment in found]))
        return
    for payment in found:
        shown = _shown(payment)
        click.echo("  ".join(str(shown[name] or "-") for name in _COLUMNS))


_COLUMNS = ("id", "createdAt", "state", "amount", "receipt", "reference", "reason")


@payments.command("show")
@click.argument("payment_id")
@config_option
@json_option
def show(payment_id: str, config: Path | None, *, as_json: bool) -> None:
    """Show one payment."""
    loaded = settings.load(config)

    async def work() -> Payment | None:
        async with app.open_store(loaded) as store:
            return await books(store).payments.get(payment_id)

    payment = once(work())
    if payment is None:
        click.echo(f"there is no payment {payment_id}", err=True)
        sys.exit(1)
    shown = _shown(payment)
    if as_json:
        click.echo(json.dumps(shown))
        return
    for name, value in shown.items():
        click.echo(f"{name:12} {'-' if value is None else value}")


@payments.command("resolve")
@click.argument("payment_id")
@config_option
@click.option("--plan", help="Give a new voucher of this plan.")
@click.option("--again", is_flag=True, help="Though its buyer may have the time.")
@click.option("--voucher", help="Pay the unpaid voucher with this code.")
@click.option("--refunded", metavar="NOTE", help="Write down that the money went back, and how.")
@json_option
def resolve(  # noqa: PLR0913 # one option for each decision
    payment_id: str,
    config: Path | None,
    plan: str | None,
    voucher: str | None,
    refunded: str | None,
    *,
    again: bool,
    as_json: bool,
) -> None:
    """Decide about money that is unmatched or disputed; once done, it is done."""
    if sum(choice is not None for choice in (plan, voucher, refunded)) != 1:
        raise click.UsageError("say one of --plan, --voucher and --refunded")
    if again and refunded is not None:
        raise click.UsageError("--again goes with --plan and --voucher")
    loaded = settings.load(config)

    detail: dict[str, str | bool] = {"plan": plan or "", "voucher": voucher or "", "again": again}
    how = {name: value for name, value in detail.items() if value}  # a note may name a person

    async def work() -> tuple[Payment, str | None]:
        async with (
            app.open_flows(loaded) as flows,
            flows.audit.deed(operator(), "resolve payment", payment_id, **how),
        ):
            if refunded is not None:
                return await flows.resolve.as_refunded(payment_id, refunded), None
            if plan is not None:
                payment, given = await flows.resolve.with_plan(payment_id, plan, again=again)
            else:
                payment, given = await flows.resolve.with_voucher(
                    payment_id, voucher or "", again=again
                )
            return payment, given.code

    payment, code = once(work())
    if as_json:
        click.echo(json.dumps(_shown(payment) | {"voucherCode": code}))
    else:
        click.echo(f"{payment.id} is {payment.state}" + (f", voucher {code}" if code else ""))


@payments.command("reconcile")
@config_option
@click.option("--csv", "file", type=FILE, help="An M-Pesa statement; else Safaricom is asked.")
@click.option("--paybill", help="Of this number; else the one this box sells through.")
@click.option("--hours", default=_HOURS, show_default=True, type=click.IntRange(1, _HOURS))
@json_option
def reconcile(
    config: Path | None, file: Path | None, paybill: str | None, hours: int, *, as_json: bool
) -> None:
    """Hold Safaricom's books against ours; exit 1 where they differ. Nothing is changed."""
    loaded = settings.load(config)
    lines = None if file is None else statement.read(statement.text_of(file.read_bytes()))

    async def work() -> Held:
        async with app.open_flows(loaded) as flows:
            number = paybill or await flows.cashier.paybill_number()
            now, back = flows.reconcile.clock.now(), timedelta(hours=hours)
            if lines is None:
                found = await flows.reconcile.listed(number, back)
                return await flows.reconcile.held_against(number, found, now - back, now)
            times = [line.at for line in lines] or [now]
            return await flows.reconcile.held_against(number, lines, min(times), max(times))

    held = once(work())
    shown = {name: list(getattr(held, name)) for name in Held.__slots__ if name != "days"}
    if as_json:
        click.echo(json.dumps(shown))
    else:
        for name, receipts in shown.items():
            text = "" if name == "matched" else "  " + " ".join(receipts)
            click.echo(f"{name.replace('_', ' '):16} {len(receipts)}{text}".rstrip())
    if not held.agrees:
        sys.exit(1)


def _shown(payment: Payment) -> dict[str, Any]:
    """Return what an operator needs; the payer's number stays in the database."""
    return {
        "id": payment.id,
        "createdAt": payment.created_at.isoformat(),
        "state": str(payment.state),
        "amount": payment.amount,
        "received": payment.received,
        "receipt": payment.receipt,
        "reference": without_phones("reference", payment.voucher_code) or None,
        "reason": payment.reason,
        "paybill": payment.paybill_number,
        "plan": payment.plan_id or None,
        "paidAt": payment.paid_at.isoformat() if payment.paid_at else None,
    }
