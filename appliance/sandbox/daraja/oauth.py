"""`/oauth/v1/generate`: the tokens of the merchants' apps."""

import base64
import binascii
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.answers import Refusal
from appliance.sandbox.daraja.faults import Menu

Unknown = Callable[[str], Refusal]
"""How one API words that it does not know a token."""
_LIFETIME = 3600.0


def bearer(request: web.Request) -> str:
    """Return the token of a request."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Refusal(404, "404.001.04", "Invalid Authentication Header")
    return token.strip()


def _unknown(_: str) -> Refusal:
    return Refusal(404, "404.001.03", "Invalid Access Token")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Who holds which token."""

    merchants: Sequence[Merchant]
    menu: Menu
    _issued: dict[str, tuple[Merchant, float]] = field(default_factory=dict, repr=False)

    async def generate(self, request: web.Request) -> web.Response:
        """Answer a token request; wrong keys get an empty 400."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            raise Refusal(400, "400.008.01", "Invalid Authentication passed")
        if request.query.get("grant_type") != "client_credentials":
            raise Refusal(400, "400.008.02", "Invalid grant type passed")
        merchant = self._owner_of_keys(credentials)
        if merchant is None:
            return web.Response(status=400, content_type="text/plain")
        return web.json_response({"access_token": self._issue(merchant), "expires_in": "3599"})

    async def wrong_method(self, _: web.Request) -> web.Response:
        """Refuse a POST the way Daraja words that muddle."""
        raise Refusal(404, "404.001.04", "Invalid Authentication Header")

    def holder(self, request: web.Request, unknown: Unknown = _unknown) -> Merchant:
        """Return whose app sends this request; `unknown` words the refusal of a wrong token."""
        token = bearer(request)
        merchant, until = self._issued.get(token, (None, 0.0))
        if merchant is None or until < time.monotonic():
            raise unknown(token)
        return merchant

    def kill(self, merchant: Merchant) -> None:
        """Forget every token of this merchant's app."""
        for token in [token for token, (owner, _) in self._issued.items() if owner == merchant]:
            del self._issued[token]

    def _issue(self, merchant: Merchant) -> str:
        if self.menu.of(None).token == "kills_previous":  # noqa: S105 # the name of a fault
            self.kill(merchant)
        token = names.access_token()
        self._issued[token] = merchant, time.monotonic() + _LIFETIME
        return token

    def _owner_of_keys(self, credentials: str) -> Merchant | None:
        try:
            keys = base64.b64decode(credentials.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        mine = [m for m in self.merchants if keys == f"{m.consumer_key}:{m.consumer_secret}"]
        return mine[0] if mine else None
