"""`/mpesa/c2b/…/registerurl`: where merchants want to hear of payments."""

from dataclasses import dataclass, field

from aiohttp import web

from appliance.sandbox.daraja import names
from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.answers import NO_PRODUCT, Refusal
from appliance.sandbox.daraja.doors import Doors, unknown_token
from appliance.sandbox.daraja.fields import is_c2b_url, is_short_code, matching

_RULES = {
    "ShortCode": is_short_code,
    "ResponseType": matching("Completed|Cancelled"),
    "ConfirmationURL": is_c2b_url,
    "ValidationURL": is_c2b_url,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What one merchant registered."""

    number: str
    response_type: str
    """What becomes of a payment when the validation URL does not answer."""
    confirmation: str = field(repr=False)
    validation: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Urls:
    """Every merchant's URLs."""

    doors: Doors
    _registered: dict[str, Registered] = field(default_factory=dict, repr=False)

    async def register(self, request: web.Request) -> web.Response:
        """Take URLs; in production the first ones stay."""
        holder = self.doors.tokens.holder(request, unknown_token)
        if request.match_info["version"] != self.version(holder):
            raise Refusal(*NO_PRODUCT)
        holder, fields = await self.doors.sign_up(request, _RULES, unknown_token)
        if holder.short_code in self._registered and self._are_for_good():
            raise Refusal(500, "500.003.1001", "Urls are already registered.")
        self._registered[holder.short_code] = Registered(
            number=fields["ShortCode"],
            response_type=fields["ResponseType"],
            confirmation=fields["ConfirmationURL"],
            validation=fields["ValidationURL"],
        )
        said = {"OriginatorCoversationID": names.request_id()}  # Safaricom's spelling
        return web.json_response(said | {"ResponseCode": "0", "ResponseDescription": "Success"})

    def of(self, merchant: Merchant) -> Registered | None:
        """Return what this merchant registered."""
        return self._registered.get(merchant.short_code)

    def version(self, merchant: Merchant) -> str:
        """Return the C2B product of this merchant's app."""
        return self.doors.menu.of(None).c2b_version or merchant.c2b_version

    def _are_for_good(self) -> bool:
        return self.doors.menu.of(None).register == "once"
