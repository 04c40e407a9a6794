"""Who may ask for what, at every door but those of STK."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from appliance.sandbox.daraja.accounts import Merchant
from appliance.sandbox.daraja.answers import Refusal, fields_of, invalid
from appliance.sandbox.daraja.faults import Menu
from appliance.sandbox.daraja.fields import Fits, checked
from appliance.sandbox.daraja.oauth import Tokens, Unknown, bearer


def unknown_token(_: str) -> Refusal:
    """Refuse a token as C2B and Transaction Status do."""
    return Refusal(400, "400.003.01", "Invalid Access Token")


def unknown_token_echoed(token: str) -> Refusal:
    """Refuse a token as the others do: the message repeats it."""
    return Refusal(401, "401.003.01", f"Error Occurred - Invalid Access Token - {token}")


@dataclass(frozen=True, slots=True)
class Doors:
    """Lets in the app that owns the number it asks about."""

    merchants: Sequence[Merchant]
    tokens: Tokens
    menu: Menu

    async def enter(
        self,
        request: web.Request,
        rules: Mapping[str, Fits],
        number: str,
        unknown: Unknown = unknown_token_echoed,
    ) -> tuple[Merchant, dict[str, str]]:
        """Return whose app asks, and its fields; `number` is the field with the short code."""
        holder = self.tokens.holder(request, unknown)
        fields = checked(await fields_of(request, number), rules)
        owners = [one for one in self.merchants if fields[number] in one.known_as("either")]
        if not owners:
            raise invalid(number)
        if owners[0] != holder:
            raise unknown(bearer(request))
        return holder, fields

    async def sign_up(
        self,
        request: web.Request,
        rules: Mapping[str, Fits],
        unknown: Unknown = unknown_token_echoed,
    ) -> tuple[Merchant, dict[str, str]]:
        """Enter with the ShortCode that registrations take."""
        holder, fields = await self.enter(request, rules, "ShortCode", unknown)
        if fields["ShortCode"] not in holder.known_as(self.menu.of(None).till_registers_as):
            raise invalid("ShortCode")
        return holder, fields
