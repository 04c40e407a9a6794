"""TLS to the router's API: known by its certificate's fingerprint, or anonymous. No authorities."""

import asyncio
import hashlib
import hmac
import ssl
from typing import Literal

Mode = Literal["off", "pinned", "anonymous"]


class Stranger(Exception):
    """Whoever answered is not the router that was pinned."""


def context(mode: Mode) -> ssl.SSLContext | None:
    """Return how to speak TLS; the fingerprint is looked at afterwards, by `recognise`."""
    if mode == "off":
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if mode == "anonymous":  # the router speaks nothing else while it has no certificate
        made.maximum_version = ssl.TLSVersion.TLSv1_2
        made.set_ciphers("ADH:@SECLEVEL=0")
    return made


def recognise(writer: asyncio.StreamWriter, fingerprint: str) -> None:
    """Raise `Stranger` unless the certificate has this SHA-256, in lower-case hex."""
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
    if not hmac.compare_digest(hashlib.sha256(shown).hexdigest(), fingerprint):
        raise Stranger("another certificate than the one that is pinned")
