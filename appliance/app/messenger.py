"""Who carries messages, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx

from appliance.domain.errors import SmsUnavailable
from appliance.domain.messages import Sent
from appliance.flows.messages import Wanted
from appliance.ports import Messenger
from appliance.settings import Settings, Sms
from appliance.settings.values import parts
from appliance.sms.africastalking import AfricasTalking
from appliance.sms.generic import HttpMessenger

# Together less than a worker gives anybody to pay.
_CONNECT, _READ = 8.0, 15.0


class Nobody:
    """Carries nothing."""

    async def send(self, to: str, text: str) -> Sent:
        """Send nothing."""
        del to, text
        raise SmsUnavailable("no_provider")


@asynccontextmanager
async def open_messenger(settings: Settings) -> AsyncIterator[Messenger]:
    """Open the way to the provider; it does not have to be reachable."""
    if settings.sms.provider == "none":
        yield Nobody()
        return
    timeout = httpx.Timeout(_READ, connect=_CONNECT)
    async with httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False) as http:
        yield _messenger(settings.sms, http)


def wanted(settings: Settings) -> Wanted:
    """Return what is to be told; nothing where there is no provider."""
    sms = settings.sms
    if sms.provider == "none":
        return Wanted()
    numbers = "" if sms.alerts_to is None else sms.alerts_to.get_secret_value()
    return Wanted(
        receipts=sms.receipts,
        reminders=None if sms.reminders is None else timedelta(minutes=sms.reminders),
        alerts_to=parts(numbers) if numbers else (),
        brand=settings.portal.brand,
        box=settings.appliance.name,
        language=settings.portal.default_language,
    )


def _messenger(sms: Sms, http: httpx.AsyncClient) -> Messenger:
    cents = int(sms.cost_per_message * 100)
    if sms.provider == "africastalking":
        return AfricasTalking(
            http=http,
            username=sms.username,
            api_key="" if sms.api_key is None else sms.api_key.get_secret_value(),
            sender_id=sms.sender_id,
            base_url=sms.base_url,
            cents=cents,
        )
    return HttpMessenger(
        http=http,
        url="" if sms.url is None else sms.url.get_secret_value(),
        method=sms.method,
        headers={name: value.get_secret_value() for name, value in sms.headers.items()},
        body=None if sms.body is None else sms.body.get_secret_value(),
        cents=cents,
    )
