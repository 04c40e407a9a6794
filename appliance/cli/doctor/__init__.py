"""`appliance doctor`: every check in plain words, with what mends it."""

import json
import logging
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from appliance import app, settings
from appliance.cli.doctor import box, doors, gateway, hotspot, records
from appliance.cli.doctor import canary as bird
from appliance.cli.doctor.checks import Check, Finding, Status, fail, in_a_thread, made
from appliance.cli.doctor.patient import Patient, examined
from appliance.cli.running import config_option, json_option, once
from appliance.domain import hosts

CHECKS: tuple[Check[Patient], ...] = (
    Check("system", in_a_thread(box.system)),
    Check("clock", box.clock),
    Check("disk", in_a_thread(box.disk)),
    Check("disk health", in_a_thread(box.disk_health)),
    Check("permissions", in_a_thread(box.permissions)),
    Check("settings", in_a_thread(box.audit)),
    Check("backup", in_a_thread(box.backup)),
    Check("database", records.database),
    Check("indexes", records.indexes),
    Check("migrations", records.migrations),
    Check("spool", records.spool),
    Check("debts", records.debts),
    Check("homes", records.homes),
    Check("people", records.people),
    Check("moved codes", records.moved),
    Check("router", hotspot.api),
    Check("router ssh", hotspot.ssh),
    Check("router state", hotspot.preflight),
    Check("router set-up", hotspot.set_up),
    Check("router load", hotspot.load),
    Check("daemon", doors.daemon),
    Check("ready", doors.ready),
    Check("jobs", doors.jobs),
    Check("portal", doors.portal),
    Check("webhooks", doors.webhooks),
    Check("tunnel", doors.tunnel),
    Check("paybills", gateway.paybills),
    Check("tokens", gateway.tokens, longest=20.0),
    Check("callbacks", gateway.callbacks),
    Check("c2b", gateway.c2b),
    Check("pull", gateway.pull),
    Check("canary", bird.canary, longest=bird.SECONDS),
)
"""In the order in which they are shown; a new one is a function and a line here."""
_WIDTH = max(len(check.name) for check in CHECKS)


def _mac(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else hosts.mac(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@config_option
@click.option("--canary", is_flag=True, help="Put a voucher for nobody on the router and cut it.")
@click.option(
    "--device",
    metavar="MAC",
    callback=_mac,
    help="With --canary: log in this device of yours too, where it has no time of its own.",
)
@json_option
def doctor(config: Path | None, *, canary: bool, device: str | None, as_json: bool) -> None:
    """Look at everything: PASS, WARN, FAIL or SKIP, each with what mends it.

    Exit 1 where something fails. No money is moved, and nothing is changed but with --canary.
    """
    if device is not None and not canary:
        raise click.UsageError("--device goes with --canary")
    # What went wrong is in the lines below, in plain words.
    logging.getLogger("appliance").setLevel(logging.CRITICAL)
    found = _found(config, canary=canary, device=device)
    _show(found, as_json=as_json)
    if any(f.status is Status.FAIL for findings in found.values() for f in findings):
        sys.exit(1)


def _found(config: Path | None, **asked: Any) -> dict[str, list[Finding]]:
    """Look; what was asked for is the patient's."""
    try:
        loaded = settings.load(config)
    except settings.WrongSettings as error:
        mend = f"mend {settings.file_of(config)}: nothing else can be looked at before"
        return {"settings": fail(f"the settings cannot be used: {error}", mend)}
    return once(_looked(loaded, settings.file_of(config), **asked))


async def _looked(loaded: settings.Settings, file: Path, **asked: Any) -> dict[str, list[Finding]]:
    clock = app.SystemClock(always=loaded.appliance.clock == "trusted")
    async with examined(Patient(loaded, file, clock, **asked)) as patient:
        return await made(CHECKS, patient)


def _show(found: dict[str, list[Finding]], *, as_json: bool) -> None:
    count = Counter(finding.status for findings in found.values() for finding in findings)
    if as_json:
        checks = [_shown(name, one) for name, findings in found.items() for one in findings]
        summary = {str(status): count[status] for status in Status}
        click.echo(json.dumps({"checks": checks, "summary": summary}, indent=2))
        return
    for name, findings in found.items():
        for finding in findings:
            click.echo(f"{finding.status.upper()}  {name:{_WIDTH}}  {finding.what}")
            if finding.fix:
                click.echo(f"{'':{_WIDTH + 6}}  → {finding.fix}")
    click.echo(", ".join(f"{count[status]} {status.upper()}" for status in Status))


def _shown(name: str, finding: Finding) -> dict[str, Any]:
    fix = {"fix": finding.fix} if finding.fix else {}
    return {"name": name, "status": str(finding.status), "what": finding.what, **fix}
