"""Paybill secrets at rest: sealed ones say so themselves, all others are in clear."""

from appliance.domain.errors import SalesClosed

SEALED = "fernet:"
"""What every sealed secret begins with; no secret of Safaricom's holds a colon."""


class InClear:
    """The `Cipher` of a box without a key: secrets stay as they are, sealed ones stay shut."""

    def seal(self, secret: str) -> str:
        """Return the secret as it is."""
        return secret

    def open(self, stored: str) -> str:
        """Return the secret; raise `SalesClosed` where it is sealed."""
        if stored.startswith(SEALED):
            raise SalesClosed("paybill secrets are sealed, appliance.encryption_keys is not set")
        return stored

    def is_current(self, stored: str) -> bool:
        """Say that nothing is to be sealed anew: without a key nothing could be."""
        return bool(stored)
