"""Safaricom: whose account the money goes to, its tokens, and where it calls us back."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from appliance import app
from appliance.cli.doctor.checks import Finding, Skipped, fail, warn, well
from appliance.cli.doctor.patient import Patient
from appliance.domain.errors import ApplianceError, SalesClosed
from appliance.domain.paybills import Paybill, flaws

_MOST = 100
_TUNNELS = ("ngrok", "mockbin", "requestbin")
"""Hosts that Safaricom does not call."""
_C2B_SOURCES = ("mpesa_confirmation", "mpesa_validation")
_SEED = "mend it in the console under Paybills, or in the seed file and appliance db seed FILE"


async def paybills(about: Patient) -> list[Finding]:
    """See whether there is an account to sell through, and whether each makes sense."""
    kept = about.books()
    async with app.open_flows(about.loaded) as flows:
        try:
            number = await flows.cashier.paybill_number()
        except SalesClosed as error:
            return fail(f"nothing can be sold: {error}", _SEED)
    cipher, found = flows.cashier.cipher, list[Finding]()
    for paybill in await kept.paybills.page("status", "active", _MOST):
        try:
            pass_key = cipher.open(paybill.credentials.pass_key)
        except SalesClosed as error:
            found += fail(
                f"{_named(paybill)}: {error}",
                "put the old key behind the new one in "
                "appliance.encryption_keys, then appliance db migrate",
            )
            continue
        found += _sense(paybill, pass_key)
    return found or well(f"sales go to {number}, and every active account makes sense")


async def pull(about: Patient) -> list[Finding]:
    """Say whether Safaricom's own list tells of money whose every message was lost."""
    kept = about.books()
    async with app.open_flows(about.loaded) as flows:
        number = await flows.cashier.paybill_number()
    paybill = await kept.paybills.find("paybillInfo.number", number)
    if paybill is None or not paybill.config.pull:
        raise Skipped(
            f"{number} is not set to have the right to Safaricom's list (config.pull): a payment "
            "at the M-Pesa menu whose message was lost shows only when its payer comes, or in a "
            "statement held against ours: appliance payments reconcile --csv"
        )
    return well(f"Safaricom's list for {number} is looked at every quarter of an hour")


def _named(paybill: Paybill) -> str:
    return f"{paybill.paybill_info.type} {paybill.paybill_info.number}"


def _sense(paybill: Paybill, pass_key: str) -> list[Finding]:
    return [
        finding
        for flaw in flaws(paybill, pass_key)
        for finding in (fail if flaw.grave else warn)(f"{_named(paybill)}: {flaw.what}", _SEED)
    ]


async def tokens(about: Patient) -> list[Finding]:
    """Have a token for every active account: the one that is good still, else a new one."""
    about.books()
    found, good = list[Finding](), list[str]()
    async with app.open_mpesa(about.loaded) as mpesa:
        reports = await mpesa.token_status()
        for report in reports:
            try:
                await mpesa.get_valid_access_token(report.number)
            except ApplianceError as error:
                found += fail(
                    f"{report.type} {report.number} gets no token from Safaricom: {error}",
                    "is the uplink there: curl -sI https://api.safaricom.co.ke; are consumerKey "
                    "and consumerSecret those of this app and environment; then "
                    "appliance tokens refresh --force",
                )
            else:
                good.append(report.number)
    if not reports:
        return fail("there is no active account", _SEED)
    return found or well(f"there is a good token for {', '.join(good)}")


async def callbacks(about: Patient) -> list[Finding]:
    """See whether Safaricom would take our address and could come to it."""
    url = about.loaded.webhooks.public_url
    say = fail if about.loaded.daraja.environment == "production" else warn
    host = urlsplit(url).hostname or ""
    mend = "give the tunnel's own https:// name: webhooks.public_url"
    found = list[Finding]()
    if not url.startswith("https://"):
        found += say(f"{url} is not https://: Safaricom calls no other in production", mend)
    if any(word in host for word in _TUNNELS):
        found += say(f"Safaricom does not call {host}", mend)
    if _is_private(host):
        found += say(f"{host} cannot be reached from the internet", mend)
    return found or well(f"Safaricom takes {url}: https, a public name, none of its barred words")


def _is_private(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".lan", ".internal"))


async def c2b(about: Patient) -> list[Finding]:
    """Say what is known of payments made at the M-Pesa menu: Safaricom itself does not tell."""
    kept, ours = about.books(), about.loaded.webhooks.public_url
    for paybill in await kept.paybills.page("status", "active", _MOST):
        known, told = paybill.config.confirmation_url, paybill.config.c2b_registered
        elsewhere = known is not None and not known.startswith(f"{ours}/")
        if elsewhere or (told is not None and told.url != ours):
            return warn(
                f"{_named(paybill)} is written down as registered at another address",
                "appliance c2b register; where Safaricom has URLs already, it says what to do",
            )
    for source in _C2B_SOURCES:
        for latest in await kept.webhooks.page("source", source, 1):
            when = f"{latest.timestamp:%Y-%m-%d %H:%M} UTC"
            return well(f"payments from the M-Pesa menu are heard of, the latest {when}")
    raise Skipped(
        "no payment from the M-Pesa menu was heard of yet, and Safaricom does not say whether the "
        "URLs are registered: appliance c2b register does it, or says that they are"
    )
