"""The router: both ways in, what is in the way of a hotspot, and its set-up as provisioned."""

from appliance.cli.doctor.checks import Finding, Skipped, Status, fail, warn, well
from appliance.cli.doctor.patient import Patient
from appliance.domain.errors import RouterRefused, RouterUnreachable
from appliance.domain.health import RouterHealth
from appliance.domain.vouchers import State
from provisioning.difference import to_be_undone
from provisioning.door import WrongAccount
from provisioning.facts import the_row, version_of
from provisioning.rows import FILES
from provisioning.trouble import Level
from provisioning.wish import WrongWish

_APPLY = "appliance provision plan shows it; appliance provision apply --admin NAME mends it"
_PROFILES = "/ip/hotspot/user/profile"
_MATTERS = (
    (
        {FILES, "/ip/hotspot/profile"},
        fail,
        "the router does not show the pages as provisioned: customers may not come to the portal",
    ),
    (
        {"/ip/hotspot/walled-garden", "/ip/hotspot/walled-garden/ip"},
        fail,
        "the walled garden does not let customers reach the portal",
    ),
    ({_PROFILES}, warn, "profiles of plans are missing or changed"),
)
"""What of a set-up that has drifted customers notice, and how badly."""
_SHOWN = 3
_MOST = 1000


async def api(about: Patient) -> list[Finding]:
    """Sign in over the API and read the router."""
    router = about.loaded.router
    where = f"{router.host}:{router.api_port}"
    try:
        survey = await about.survey()
    except WrongAccount as error:
        return fail(f"the router at {where} does not let {router.username} in", str(error))
    except RouterRefused as error:
        return fail(f"the router at {where} refuses: {error}", "appliance provision verify")
    except RouterUnreachable as error:
        return fail(
            f"the router does not answer at {where} ({error})",
            f"ping {router.host}; nc -vz {router.host} {router.api_port}; on the router: "
            "/ip service print (api enabled, its address this box's), /log print",
        )
    except WrongWish as error:
        return fail(f"the router is not looked at: {error}", "appliance provision verify")
    shown = ".".join(str(part) for part in version_of(survey.seen.tables)) or "of unknown version"
    name = the_row(survey.seen.tables, "/system/identity").get("name", "")
    said = f"{name} at {where} lets {router.username} in, RouterOS {shown}"
    if router.api_tls == "off":
        return warn(
            f"{said}; the password crosses the network in clear",
            "keep the box on a port of its own, or set router.api_tls = pinned and api_fingerprint",
        )
    return well(said)


async def ssh(about: Patient) -> list[Finding]:
    """Sign in over SSH, where that is set up to stand in for the API."""
    router = about.loaded.router
    if router.ssh_fingerprint is None:
        raise Skipped("no second way: set router.ssh_fingerprint, and an API that is out is no end")
    try:
        silent = (await about.health()).silent
    except (RouterUnreachable, RouterRefused) as error:
        silent = (f"ssh: {error}",)
    out = next((why for why in silent if "ssh:" in why), None)
    if out is None:
        return well(f"SSH stands in for the API at {router.host}:{router.ssh_port}")
    return fail(
        f"the second way is out, {out}",
        f"ssh-keyscan -p {router.ssh_port} {router.host} | ssh-keygen -lf - must show "
        "router.ssh_fingerprint; on the router: /ip service print, /ip ssh print",
    )


async def preflight(about: Patient) -> list[Finding]:
    """See what `provision` would say is in the way: device mode, policies, licence, holes."""
    survey = await about.router()
    found = [
        Finding(Status.FAIL if t.level is Level.FAIL else Status.WARN, t.what, t.fix)
        for t in survey.troubles
    ]
    return found or well("policies, device mode, version, licence and clock are in nobody's way")


async def set_up(about: Patient) -> list[Finding]:
    """See whether pages, walled garden, profiles and the rest are as they were provisioned."""
    survey = await about.router()
    if not survey.changes:
        return well("pages, walled garden, profiles and services are as provisioned")
    # Profiles alone prove nothing: the daemon makes the one that a sale lacks.
    if all(change.menu == _PROFILES for change in to_be_undone(survey.seen.tables)):
        return warn(
            "this router was not set up by appliance provision apply: nobody keeps its pages and "
            "its walled garden right",
            _APPLY,
        )
    found = list[Finding]()
    for menus, say, what in _MATTERS:
        if names := [c.name for c in survey.changes if c.menu in menus]:
            found += say(f"{what} ({_some(names)})", _APPLY)
    known = {menu for menus, _, _ in _MATTERS for menu in menus}
    if others := [c.menu for c in survey.changes if c.menu not in known]:
        found += warn(f"not as provisioned: {_some(list(dict.fromkeys(others)))}", _APPLY)
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


async def load(about: Patient) -> list[Finding]:
    """Hold the router's limits against how many customers there may be at once."""
    await about.router()
    health = await about.health()
    found = list[Finding]()
    for alarm in health.crowded():
        found += warn(alarm, "a licence of a higher level, or a faster router")
    sold = await _sold(about)
    if health.most_online is not None and sold > health.most_online:
        found += warn(
            f"{sold} devices may come with vouchers that run now, the licence allows "
            f"{health.most_online} at a time",
            "buy a licence of level 5 (500) or 6 (any number)",
        )
    return found or well(_said(health))


async def _sold(about: Patient) -> int:
    """Return how many devices the vouchers that run now let in."""
    try:
        active = await about.books().vouchers.page("status", State.ACTIVE.value, _MOST)
    except Skipped:
        return 0
    mine = [voucher for voucher in active if voucher.router_id == about.loaded.router.id]
    return sum(voucher.plan.devices for voucher in mine)


def _said(health: RouterHealth) -> str:
    most = "any number" if health.most_online is None else str(health.most_online)
    return f"{health.online} devices online of {most}, it answers in {health.seconds * 1000:.0f} ms"
