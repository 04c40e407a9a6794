"""Paybill secrets sealed with Fernet keys of the box's own."""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from appliance.domain.errors import SalesClosed
from appliance.domain.secrets import SEALED

_UNFIT = (InvalidToken, ValueError)


class FernetCipher:
    """Seals with the first key and opens with any; a second key is how one is changed."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Take keys as `Fernet.generate_key` makes them; raise `ValueError` for any other."""
        fernets = [Fernet(key) for key in keys]
        self._first, self._any = fernets[0], MultiFernet(fernets)

    def seal(self, secret: str) -> str:
        """Return the secret as no one without the key can read it; different every time."""
        return SEALED + self._first.encrypt(secret.encode()).decode()

    def open(self, stored: str) -> str:
        """Return the secret; one in clear is returned as it is."""
        if not stored.startswith(SEALED):
            return stored
        try:
            return self._any.decrypt(stored.removeprefix(SEALED)).decode()
        except _UNFIT:
            why = "no key of appliance.encryption_keys opens the paybill's secrets"
            raise SalesClosed(why) from None

    def is_current(self, stored: str) -> bool:
        """Say whether the secret is sealed with the first key."""
        if not stored.startswith(SEALED):
            return False
        try:
            self._first.decrypt(stored.removeprefix(SEALED))
        except _UNFIT:
            return False
        return True
