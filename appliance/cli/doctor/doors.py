"""The running daemon: its loops and jobs, and its doors as others come to them."""

import asyncio
import socket
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from appliance import scheduler
from appliance.app.provision import address_towards
from appliance.cli.doctor.checks import Finding, Skipped, fail, warn, well
from appliance.cli.doctor.patient import Patient
from appliance.tunnel.trial import tried
from appliance.web.knocking import knocking_at

_START = "sudo systemctl start hotspot-appliance, then journalctl -u hotspot-appliance -n 50"
_RESTART = "sudo systemctl restart hotspot-appliance, then journalctl -u hotspot-appliance -n 50"
_SECONDS = 5.0
# A job may be late by this, for its jitter and for a box that is busy.
_GRACE = timedelta(minutes=2)


async def daemon(about: Patient) -> list[Finding]:
    """See whether the daemon runs and all of its loops come round."""
    listen = about.loaded.admin.listen
    async with knocking_at(listen) as http:
        try:
            answer = await http.get("/healthz")
            late = list(answer.json().get("late", []))
        except httpx.HTTPError as error:
            return fail(f"the daemon does not answer at {listen} ({type(error).__name__})", _START)
        except (ValueError, AttributeError):
            return fail(
                f"something else than the daemon answers at {listen}", f"sudo ss -ltnp; {_START}"
            )
    if late:
        return fail(f"these loops of the daemon hang: {', '.join(late)}", _RESTART)
    return well("it runs, and every loop comes round")


async def ready(about: Patient) -> list[Finding]:
    """See whether the daemon itself says that it can work."""
    async with knocking_at(about.loaded.admin.listen) as http:
        try:
            answer = await http.get("/readyz")
        except httpx.HTTPError:
            raise Skipped("the daemon does not answer") from None
    if answer.is_success:
        return well("it has its database and its doors are open")
    reasons = dict(answer.json().get("reasons", {}))
    told = ", ".join(f"{name} ({why})" for name, why in reasons.items())
    return fail(f"the daemon is not ready: {told}", _RESTART)


async def jobs(about: Patient) -> list[Finding]:
    """See whether what happens by the clock happens."""
    counted = await about.metrics()
    last = counted.get("edge_job_last_success_timestamp", {})
    now, up = about.clock.now().timestamp(), await about.up_seconds()
    silent = {name: now - last[name] if name in last else up for name in scheduler.TURNS}
    late = [
        name
        for name, turn in scheduler.TURNS.items()
        if silent[name] > (turn.every * 2 + _GRACE).total_seconds()
    ]
    if late:
        return fail(f"these jobs have not ended well for too long: {', '.join(late)}", _RESTART)
    broken = {
        name: many for name, many in counted.get("edge_job_failures_total", {}).items() if many
    }
    if broken:
        told = ", ".join(f"{name} ({many:.0f})" for name, many in sorted(broken.items()))
        return warn(
            f"jobs have broken off since the start: {told}",
            "journalctl -u hotspot-appliance | grep -A20 Traceback",
        )
    if not last:
        return well("none was due yet")
    return well(f"{len(last)} jobs have run at their time")


async def portal(about: Patient) -> list[Finding]:
    """Open the portal at the address that customers are sent to."""
    url = about.loaded.portal.public_url
    if found := await _astray(about, url):
        return found
    look = f"ip address; see portal.listen and portal.public_url; then curl -i {url}/"
    async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as http:
        try:
            answer = await http.get(f"{url}/api/captive/plans")
            plans = answer.json()["plans"] if answer.is_success else None
        except httpx.HTTPError as error:
            return fail(f"the portal does not answer at {url} ({type(error).__name__})", look)
        except (ValueError, KeyError, TypeError):
            return fail(f"something else than the portal answers at {url}", look)
    if plans is None:
        return fail(f"the portal answers at {url} with HTTP {answer.status_code}", look)
    if not plans:
        return warn("no plan is for sale", "appliance db seed FILE with [[plans]]")
    return well(f"it answers at {url} and sells {len(plans)} plans")


async def _astray(about: Patient, url: str) -> list[Finding]:
    """See that the address leads to this box from elsewhere too, not only from itself."""
    router, host = about.loaded.router.host, urlsplit(url).hostname or ""
    leads_to = await _addresses(host)
    here = [address for address in leads_to if ip_address(address).is_loopback]
    # Where the router is a pretend one, its customers are on this machine as well.
    if not here or any(ip_address(address).is_loopback for address in await _addresses(router)):
        return []
    own = await asyncio.to_thread(address_towards, router) or "ADDRESS-OF-THIS-BOX"
    better = f"set it to http://{own}:8080, restart, then appliance provision apply --admin NAME"
    if host == "localhost" or host in here:
        return fail(f"portal.public_url is {url}, which no phone can reach", better)
    if len(here) < len(leads_to):
        return []
    # The box's own name leads to itself on every Debian; phones ask the router.
    said = f"portal.public_url is {url}; here {host} is {here[0]}, the box itself"
    return warn(said, f"where phones cannot find that name either: {better}")


async def _addresses(host: str) -> list[str]:
    """Return what a name leads to, as this box resolves it; nothing where it does not."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]).partition("%")[0] for *_, address in found]


async def webhooks(about: Patient) -> list[Finding]:
    """See whether the door for Safaricom is open, and shut to whoever has not the secret."""
    listen = about.loaded.webhooks.listen
    async with knocking_at(listen) as http:
        try:
            answer = await http.post("/hooks/0/c2b/confirmation", json={})
        except httpx.HTTPError as error:
            return fail(
                f"nobody listens for Safaricom at {listen} ({type(error).__name__})", _START
            )
    if answer.status_code != httpx.codes.NOT_FOUND:
        return fail(
            f"what listens at {listen} lets in callers without the secret, or is not ours "
            f"(HTTP {answer.status_code})",
            "sudo ss -ltnp; see webhooks.listen",
        )
    return well(f"it listens at {listen}, and lets in nobody without the secret")


async def tunnel(about: Patient) -> list[Finding]:
    """Go out to the public address and see the call come back to the running daemon."""
    await about.metrics()  # without a daemon nobody could see it arrive
    trial = await tried(about.loaded)
    if trial.problem is not None:
        return fail(
            f"{trial.url}: {trial.why}",
            "journalctl -u hotspot-appliance-tunnel -n 50, then appliance tunnel test",
        )
    said = f"{trial.url} leads here: {trial.round_trip_ms} ms there and back"
    if trial.warning is not None:
        return warn(f"{said}, but {trial.warning}", "appliance tunnel test")
    return well(said)
