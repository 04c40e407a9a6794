"""Registers where Safaricom tells of payments at the M-Pesa menu, and writes down that it did."""

from appliance.domain.errors import Invalid, OutcomeUnknown
from appliance.flows.enrol import Enrol
from appliance.mpesa import MpesaService
from appliance.settings import Settings

_TAKEN = "500.003.1001"


async def register(settings: Settings, mpesa: MpesaService, enrol: Enrol, number: str) -> None:
    """Tell Safaricom; raise `Invalid` with what to do where it has URLs of this account already."""
    url, secret = settings.webhooks.public_url, settings.webhooks.path_secret.get_secret_value()
    hooks = f"{url}/hooks/{secret}/c2b"
    try:
        await mpesa.register_c2b_urls(
            number, f"{hooks}/confirmation", f"{hooks}/validation", settings.daraja.c2b_version
        )
    except OutcomeUnknown as error:
        if _TAKEN not in str(error):
            raise
        raise Invalid(
            "Safaricom has URLs for this account already. Delete them in its portal under Self "
            "Services, URL Management, and register again; or ask apisupport@safaricom.co.ke."
        ) from None
    await enrol.registered(number, url)
