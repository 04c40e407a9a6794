"""The canary: a voucher for nobody that goes the way of every voucher."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from appliance import app
from appliance.app.canary import CanaryRound, latest
from appliance.cli.doctor.checks import Finding, Skipped, fail, well
from appliance.cli.doctor.patient import Patient
from appliance.domain.canary import Outcome

SECONDS = 45.0
_MISSED = 3


async def canary(about: Patient) -> list[Finding]:
    """Send one where that was asked for; else say what became of the latest."""
    if about.canary:
        about.books()
        async with app.open_flows(about.loaded) as flows:
            bird = replace(flows.canary, mac=about.device or flows.canary.mac)
            outcome = await CanaryRound(bird.send, about.data_dir).go()
        return _said(outcome)
    found = await asyncio.to_thread(latest, about.data_dir)
    every = about.loaded.canary.every
    if found is None:
        raise Skipped(
            "none was sent yet: appliance doctor --canary sends one, canary.every one now and then"
        )
    age = about.clock.now() - found.at
    if every is not None and age > timedelta(minutes=every) * _MISSED:
        hours = age.total_seconds() / 3600
        return fail(
            f"the latest is {hours:.0f} hours old, one is to go every {every} minutes",
            "journalctl -u hotspot-appliance | grep canary",
        )
    return _said(found)


def _said(outcome: Outcome) -> list[Finding]:
    when = f"{outcome.at:%Y-%m-%d %H:%M} UTC"
    if outcome.trouble is not None:
        return fail(
            f"the canary of {when} did not come back: {outcome.trouble}",
            "see the lines on the router; then appliance doctor --canary. What it left on the "
            "router goes by itself within a minute",
        )
    granted = outcome.granted_seconds or 0.0
    return well(
        f"the canary of {when} was on the router ({outcome.way}) after {granted * 1000:.0f} ms and "
        f"off it after {outcome.seconds * 1000:.0f} ms{_device(outcome)}"
    )


def _device(outcome: Outcome) -> str:
    if outcome.left_alone is not None:
        return f"; nobody was logged in: {outcome.left_alone}"
    if outcome.online_seconds is None:
        return ""
    return f"; the device was online after {outcome.online_seconds * 1000:.0f} ms, and is out again"
