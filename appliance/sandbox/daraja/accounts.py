"""Who is registered with the pretend Safaricom."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Merchant:
    """One organisation, its Daraja app and the passkey of its short code."""

    short_code: str
    """What it signs with: a paybill's own number, or the store number of a till."""
    name: str
    type: Literal["paybill", "till"]
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    passkey: str = field(repr=False)
    till: str | None = None
    c2b_version: Literal["v1", "v2"] = "v2"
    """The C2B product that its app was given."""
    initiator: str = "testapiuser"
    """Its API operator, for Transaction Status and Reversal."""

    @property
    def pays_to(self) -> str:
        """Return the number that customers pay to."""
        return self.till or self.short_code

    def known_as(self, which: str) -> frozenset[str]:
        """Return its numbers: of the "store", of the "till" or "either"."""
        numbers = {"store": {self.short_code}, "till": {self.pays_to}}
        return frozenset(numbers.get(which, {self.short_code, self.pays_to}))


MERCHANTS: tuple[Merchant, ...] = (
    Merchant(
        short_code="174379",
        name="Mwangaza Wi-Fi",
        type="paybill",
        consumer_key="sandboxPaybillConsumerKey0000001",
        consumer_secret="sandboxPaybill01",  # noqa: S106 # opens nothing but this pretence
        passkey="bfb279f9aa9bdbcf158e97dd71a467cd2e0c893059b10f78e6b72ada1ed2c919",
    ),
    Merchant(
        short_code="7208840",
        name="Mwangaza Kiosk",
        type="till",
        consumer_key="sandboxTillConsumerKey0000000002",
        consumer_secret="sandboxTill00002",  # noqa: S106 # opens nothing but this pretence
        passkey="41c0a8d75e3b92f6d1087ce4935ba26f50d3e19874bc6a2f8e07d5913cb4fa60",
        till="5142076",
    ),
)
