"""Any provider that takes one HTTP request for one message."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from appliance.domain.errors import SmsRefused
from appliance.domain.messages import Sent
from appliance.sms.gsm7 import segments
from appliance.sms.line import call
from appliance.sms.template import content_type, filled_body, filled_url


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMessenger:
    """Fills an operator's request; an answer of 2xx is taken for `sent`."""

    http: httpx.AsyncClient
    url: str = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: str | None = field(default=None, repr=False)
    cents: int = 0
    """What a message costs."""

    async def send(self, to: str, text: str) -> Sent:
        """Send one message, once."""
        headers, content = httpx.Headers(dict(self.headers)), None
        if self.body is not None:
            content = filled_body(self.body, to, text).encode()
            headers.setdefault("Content-Type", content_type(self.body))
        url = filled_url(self.url, to, text)
        answer = await call(self.http, self.method, url, content=content, headers=headers)
        if not answer.is_success:
            raise SmsRefused(f"HTTP {answer.status_code}")
        return Sent(None, self.cents * segments(text))
